// What the tests of the outbound client share.
#pragma once

#include <string>
#include <utility>

#include "catch.hpp"
#include "net/http_client.hpp"
#include "tests/simulators/http_server.hpp"

namespace promotiond::test {

struct Client {
    explicit Client(net::HttpClient::Options options = {}) : http(std::move(options), metrics) {}

    net::Response good(const net::Request& request) {
        auto result = http.send(request);
        if (const auto* error = std::get_if<net::HttpError>(&result)) FAIL(error->message);
        return std::get<net::Response>(std::move(result));
    }
    net::HttpError bad(const net::Request& request, std::stop_token stop = {}) {
        auto result = http.send(request, std::move(stop));
        REQUIRE(std::holds_alternative<net::HttpError>(result));
        return std::get<net::HttpError>(std::move(result));
    }
    Metrics metrics;
    net::HttpClient http;
};

inline net::Request get(const std::string& url) {
    net::Request request;
    request.url = url;
    return request;
}

}  // namespace promotiond::test
