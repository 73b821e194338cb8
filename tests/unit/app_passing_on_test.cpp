// What of a request and its answer goes through a replica that does not lead.
#include "app/passing_on.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace promotiond;

namespace {

http::Request event(http::Headers headers) {
    http::Request request;
    request.method = "POST";
    request.target = "/promotion/default/app/dev?wait=2s";
    request.body = "{}";
    request.headers = std::move(headers);
    request.peer = "192.0.2.7";
    return request;
}

net::Request passed(http::Headers headers) {
    return app::passed_on(event(std::move(headers)), "http://10.0.0.7:8082");
}

}  // namespace

TEST_CASE("passing on: method, address, bytes and whatever authorizes them stay as they came") {
    const auto to = passed({{"host", "promotiond.example.com"},
                            {"content-type", "application/json"},
                            {"content-length", "2"},
                            {"x-signature", "sha256=00"},
                            {"authorization", "Bearer abc"}});
    CHECK(to.method == "POST");
    CHECK(to.url == "http://10.0.0.7:8082/promotion/default/app/dev?wait=2s");
    CHECK(to.body == "{}");
    CHECK(net::header(to.headers, "x-signature") == "sha256=00");
    CHECK(net::header(to.headers, "authorization") == "Bearer abc");
    CHECK(net::header(to.headers, "content-type") == "application/json");
    CHECK_FALSE(net::header(to.headers, "host"));
}

TEST_CASE("passing on: what belongs to the sender's connection ends here") {
    for (const std::string name :
         {"connection", "keep-alive", "te", "trailer", "upgrade", "expect", "proxy-connection",
          "proxy-authorization", "transfer-encoding"}) {
        INFO(name);
        CHECK_FALSE(net::header(passed({{name, "x"}}).headers, name));
    }
    const auto to = passed({{"connection", "close, X-Hop"}, {"x-hop", "1"}, {"x-kept", "2"}});
    CHECK_FALSE(net::header(to.headers, "x-hop"));
    CHECK(net::header(to.headers, "x-kept") == "2");
}

TEST_CASE("passing on: the sender is named behind whom it names itself, and the replica in Via") {
    const auto plain = passed({});
    CHECK(net::header(plain.headers, "x-forwarded-for") == "192.0.2.7");
    CHECK(net::header(plain.headers, "via") == "1.1 promotiond");
    const auto claimed = passed({{"x-forwarded-for", "203.0.113.1"},
                                 {"via", "1.1 edge"},
                                 {"x-forwarded-for", "203.0.113.2"}});
    CHECK(net::header(claimed.headers, "x-forwarded-for") == "203.0.113.1, 203.0.113.2, 192.0.2.7");
    CHECK(net::header(claimed.headers, "via") == "1.1 edge, 1.1 promotiond");
    CHECK(std::count_if(claimed.headers.begin(), claimed.headers.end(),
                        [](const auto& header) { return header.first == "x-forwarded-for"; }) == 1);
}

TEST_CASE("passing on: the leader's answer is handed back without what every answer says anew") {
    const auto answer = app::handed_back({.code = 202,
                                          .headers = {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                                      {"Content-Type", "application/json"},
                                                      {"Content-Length", "2"},
                                                      {"Cache-Control", "no-store"},
                                                      {"X-Content-Type-Options", "nosniff"},
                                                      {"Location", "/api/v1/promotions/p-1"},
                                                      {"Retry-After", "5"},
                                                      {"X-Request-Id", "7"}},
                                          .body = "{}"});
    CHECK(answer.status == 202);
    CHECK(answer.body == "{}");
    CHECK(answer.media == "application/json");
    CHECK(answer.headers == http::Headers{{"Location", "/api/v1/promotions/p-1"},
                                          {"Retry-After", "5"},
                                          {"X-Request-Id", "7"}});
}
