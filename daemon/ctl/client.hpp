// client: the daemon's HTTP API as promotionctl uses it.
//
// Thread-safety: one thread.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/metrics.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"

namespace promotiond::ctl {

class Client {
public:
    struct Options {
        std::string server;  // http(s)://host:port, a path before /api is kept
        Secret token;        // empty = none is sent
        std::string ca_pem;  // empty = the system's
    };
    explicit Client(Options options);

    // The document of a 2xx answer (null if it has no body). Errors: the problem+json's own words
    // and the kind its status stands for; Transient if the server cannot be asked.
    [[nodiscard]] Result<boost::json::value> get(const std::string& path);
    [[nodiscard]] Result<boost::json::value> post(const std::string& path,
                                                  const boost::json::value& body);

private:
    Result<boost::json::value> send(net::Request request, const std::string& path);

    Options options_;
    Metrics metrics_;
    net::HttpClient http_;
};

// One path segment or query value, percent-encoded.
[[nodiscard]] std::string encoded(std::string_view text);

}  // namespace promotiond::ctl
