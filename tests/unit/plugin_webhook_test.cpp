#include <promotiond/testing.hpp>

#include "answer.hpp"
#include "catch.hpp"
#include "credentials.hpp"
#include "shown_url.hpp"
#include "signature.hpp"
#include "webhook.hpp"

using namespace promotiond;
using sdk::testing::FakeHost;
using sdk::testing::Request;
using webhook::Webhook;

namespace {

const Request kRequest{.config = R"({"url":"https://hook.test/x","secretRef":"hook"})"};

}  // namespace

TEST_CASE("webhook: signatures are those of Flux's generic-hmac") {
    CHECK(
        webhook::signature_of(
            "7152fed34dd6149a7c75a276c510da27cb6f82b0",
            R"({"involvedObject":{"kind":"GitRepository","namespace":"gitops-system","name":"webapp"},"severity":"info","timestamp":"2022-09-30T06:40:29Z","message":"message","reason":"reason","metadata":{"test":"metadata"},"reportingController":"source-controller","reportingInstance":"source-controller-xyz"})") ==
        "sha256=65b018549b1254e7226d1c08f9567ee45bc9de0fc4e7b1a40253f9a018b08be7");
    CHECK(
        webhook::signature_of(
            "hmac-secret",
            R"({"involvedObject":{"kind":"HelmRelease","namespace":"default","name":"app","apiVersion":"helm.toolkit.fluxcd.io/v2beta1"},"severity":"","timestamp":null,"message":"","reason":"","metadata":{"revision":"5.0.0"},"reportingController":""})") ==
        "sha256=a0e7a8316081044daf647e7b65d80bdd33e1ad1790e4b65b56b34d7b1dcfc8a0");
}

TEST_CASE("webhook: a repeat sends the same bytes, signature and delivery id") {
    FakeHost host;
    host.add_secret("hook", "token", "key");
    host.on_http([](const auto&) { return sdk::testing::HttpScripted{.code = 204}; });
    auto strategy = host.make<Webhook>();
    CHECK(strategy.promote(kRequest).outcome == PROMOTIOND_DONE);
    host.advance(std::chrono::hours{1});
    auto again = kRequest;
    again.attempt = 2;
    CHECK(strategy.promote(again).outcome == PROMOTIOND_DONE);
    const auto asked = host.requests();
    CHECK(asked[0].body == asked[1].body);
    CHECK(asked[0].header("X-Signature") == webhook::signature_of("key", asked[0].body));
    CHECK(asked[0].header("X-Promotiond-Delivery") == "p-1");
    CHECK(asked[0].header("Gotk-Component") == "promotiond");
    CHECK(asked[0].body.find("Promote pipeline team/podinfo to prod with version 1.2.3") !=
          std::string::npos);
    CHECK(host.breaches().empty());
}

TEST_CASE("webhook: the secret's keys replace address and headers, the signature comes last") {
    FakeHost host;
    host.add_secret("hook", "address", " https://other.test/y\n");
    host.add_secret("hook", "headers", "Authorization: Bearer t\nX-Signature: mine\n");
    host.add_secret("hook", "token", "key");
    host.answer_http({.code = 200});
    CHECK(host.make<Webhook>().promote(kRequest).outcome == PROMOTIOND_DONE);
    const auto asked = host.requests().at(0);
    CHECK(asked.url == "https://other.test/y");
    CHECK(asked.header("Authorization") == "Bearer t");
    CHECK(asked.header("X-Signature") == webhook::signature_of("key", asked.body));
}

TEST_CASE("webhook: without a key a signature of the headers survives") {
    FakeHost host;
    host.add_secret("hook", "headers", "X-Signature: mine");
    host.answer_http({.code = 200});
    CHECK(host.make<Webhook>().promote(kRequest).outcome == PROMOTIOND_DONE);
    CHECK(host.requests().at(0).header("X-Signature") == "mine");
}

TEST_CASE("webhook: half of a pair, an empty key and broken headers are refused unsent") {
    const std::pair<const char*, const char*> bad[] = {
        {"token", ""},    {"username", "u"},  {"tls.crt", "pem"},
        {"keyFile", "k"}, {"headers", "[a]"}, {"headers", "a: {b: c}"}};
    for (const auto& [key, value] : bad) {
        INFO(key << "=" << value);
        FakeHost host;
        host.add_secret("hook", key, value);
        CHECK(host.make<Webhook>().promote(kRequest).outcome == PROMOTIOND_REJECTED);
        CHECK(host.requests().empty());
    }
}

TEST_CASE("webhook: the answer's code decides") {
    const auto outcome = [](int code, const char* wait = "") {
        FakeHost host;
        host.add_secret("hook", "token", "key");
        host.answer_http({.code = code,
                          .headers = {{"Retry-After", wait}, {"Location", "https://l.test/1?s=1"}},
                          .body = "no\x1b[2J"});
        return host.make<Webhook>().promote(kRequest);
    };
    for (const int code : {200, 201, 202, 204}) CHECK(outcome(code).outcome == PROMOTIOND_DONE);
    CHECK(outcome(201).location == "https://l.test/1?s=1");
    for (const int code : {408, 425, 429, 500, 502, 503})
        CHECK(outcome(code).outcome == PROMOTIOND_RETRY);
    for (const int code : {301, 400, 401, 404, 501})
        CHECK(outcome(code).outcome == PROMOTIOND_REJECTED);
    CHECK(outcome(400).message.find("request failed with status code 400") != std::string::npos);
    CHECK(outcome(400).message == "request failed with status code 400");
    CHECK(outcome(307).message.find("s=1") == std::string::npos);
    CHECK(outcome(429, "7").retry_after == std::chrono::seconds{7});
    CHECK(outcome(429, "1000000000000").retry_after == std::chrono::hours{1});
    CHECK(outcome(503, "Thu, 01 Jan 1970 00:00:00 GMT").retry_after.count() == 0);
}

TEST_CASE("webhook: an address is shown without what may be a secret in it") {
    for (const auto& [url, shown] : std::initializer_list<std::pair<const char*, const char*>>{
             {"https://hook.test/x", "https://hook.test/x"},
             {"https://user:canary@hook.test/x", "https://***@hook.test/x"},
             {"https://user:can@ary@hook.test", "https://***@hook.test"},
             {"user:canary@hook.test/x", "***@hook.test/x"},
             {"https://hook.test/x?token=canary", "https://hook.test/x?***"},
             {"https://hook.test#canary", "https://hook.test#***"},
             {"https://hook.test/a@b", "https://hook.test/a@b"},
             {"https://hook.test/\x1b[2J", "https://hook.test/?[2J"},
             {"", ""}})
        CHECK(webhook::shown_url(url) == shown);
}

TEST_CASE("webhook: neither plan nor refusal shows what is secret in an address") {
    for (const char* url : {"https://user:canary@hook.test/x", "https://hook.test/x?key=canary"}) {
        FakeHost host;
        host.add_secret("hook", "token", "key");
        auto request = kRequest;
        const auto config = std::string(R"({"secretRef":"hook","url":")") + url + R"("})";
        request.config = config;
        const auto planned = host.make<Webhook>().plan(request);
        CHECK(planned.outcome == PROMOTIOND_DONE);
        CHECK((planned.summary + planned.details).find("canary") == std::string::npos);
        CHECK(planned.details.find("hook.test/x") != std::string::npos);
        host.answer_http({.code = 307, .headers = {{"Location", url}}});
        const auto refused = host.make<Webhook>().promote(request);
        CHECK(refused.outcome == PROMOTIOND_REJECTED);
        CHECK(refused.message.find("canary") == std::string::npos);
    }
}

TEST_CASE("webhook: a plan sends nothing and shows no secret") {
    FakeHost host;
    host.add_secret("hook", "token", "canary-key");
    host.add_secret("hook", "headers", "Authorization: canary-header");
    const auto verdict = host.make<Webhook>().plan(kRequest);
    CHECK(verdict.outcome == PROMOTIOND_DONE);
    CHECK(host.requests().empty());
    CHECK(verdict.details.find("canary") == std::string::npos);
    CHECK(verdict.details.find("https://hook.test/x") != std::string::npos);
}
