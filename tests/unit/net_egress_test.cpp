#include "catch.hpp"
#include "net/http_client.hpp"

using namespace promotiond;
using net::EgressRules;

namespace {

std::optional<net::HttpError> dialled(const EgressRules& rules, const std::string& host) {
    Metrics metrics;
    net::HttpClient client({.egress = rules}, metrics);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    auto result = client.dial(host, 9, {}, deadline);
    REQUIRE(std::holds_alternative<net::HttpError>(result));
    return std::get<net::HttpError>(result);
}

}  // namespace

TEST_CASE("egress: metadata and link-local addresses are refused in every spelling") {
    for (const char* host :
         {"169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.1.1",
          "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1", "64:ff9b::a9fe:a9fe", "0.0.0.0",
          "::", "224.0.0.1", "255.255.255.255", "168.63.129.16", "metadata.google.internal",
          "METADATA.google.internal."}) {
        INFO(host);
        CHECK(dialled({}, host)->failure == net::Failure::Refused);
    }
}

TEST_CASE("egress: loopback is reached unless it is denied") {
    CHECK(dialled({}, "127.0.0.1")->failure == net::Failure::Connect);
    CHECK(dialled({.deny = {"127.0.0.0/8"}}, "127.0.0.1")->failure == net::Failure::Refused);
    CHECK(dialled({.deny = {"127.0.0.0/8"}}, "::ffff:127.0.0.1")->failure == net::Failure::Refused);
    CHECK(dialled({.deny = {"127.0.0.0/8"}}, "localhost")->failure == net::Failure::Refused);
}

TEST_CASE("egress: allow goes before deny, and only_allowed refuses the rest") {
    CHECK(dialled({.allow = {"127.0.0.1"}, .deny = {"127.0.0.0/8"}}, "127.0.0.1")->failure ==
          net::Failure::Connect);
    CHECK(dialled({.allow = {"*.example.com"}, .only_allowed = true}, "127.0.0.1")->failure ==
          net::Failure::Refused);
}

TEST_CASE("egress: a broken rule is named, and a broken deny list refuses everything") {
    const auto checked = net::check({.deny = {"10.0.0.0/99"}});
    REQUIRE_FALSE(checked);
    CHECK(checked.error().message.find("10.0.0.0/99") != std::string::npos);
    CHECK(net::check({.allow = {"10.0.0.0/8", "fd00::/8", "*.example.com"}}));
    CHECK(dialled({.deny = {"10.0.0.0/99"}}, "127.0.0.1")->failure == net::Failure::Refused);
}
