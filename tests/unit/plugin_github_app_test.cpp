// A GitHub App's key: the token it signs for itself, and the one it gets for an installation.
#include <Poco/Crypto/RSAKey.h>
#include <Poco/JWT/Signer.h>
#include <Poco/JWT/Token.h>

#include <sstream>

#include "app_auth.hpp"
#include "catch.hpp"
#include "plugin_github_fixture.hpp"

using namespace hub;
using github::AppKey;
using github::AppTokens;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kNow = 1'700'000'000;  // FakeHost's clock, seconds; 2023-11-14T22:13:20Z

struct KeyPair {
    std::string secret;
    std::string open;
};

const KeyPair& keys() {
    static const KeyPair pair = [] {
        const Poco::Crypto::RSAKey key(Poco::Crypto::RSAKey::KL_2048,
                                       Poco::Crypto::RSAKey::EXP_LARGE);
        std::ostringstream open;
        std::ostringstream secret;
        key.save(&open, &secret);
        return KeyPair{secret.str(), open.str()};
    }();
    return pair;
}

AppKey app_key(const std::string& installation = "42") {
    return {"123", installation, Secret(keys().secret), ""};
}

// What GitHub would do with it: the claims, if the public key fits.
Poco::JSON::Object claims_of(const std::string& jwt) {
    std::istringstream open(keys().open);
    Poco::JWT::Signer signer;
    signer.setRSAKey(new Poco::Crypto::RSAKey(&open));  // the signer shares it
    signer.addAlgorithm(Poco::JWT::Signer::ALGO_RS256);
    return signer.verify(jwt).payload();
}

HttpScripted minted(const std::string& token, const std::string& expires) {
    return {.code = 201,
            .body = R"({"token":")" + token + R"(","expires_at":")" + expires +
                    R"(","permissions":{"contents":"write"}})"};
}

struct AppDesk : Desk {
    AppTokens tokens;
    Result<std::string> token(const AppKey& key) {
        return call<std::string>([&](const Call& call) -> Result<std::string> {
            const auto site = github::site_of(url, api_url);
            auto found = tokens.token(call, *site, key, {{}, "ca", "http://proxy.test:3128"});
            if (!found) return found.error();
            return std::string(found->reveal());
        });
    }
};

}  // namespace

TEST_CASE("github app: the token it signs holds for the public key and for ten minutes at most") {
    const auto jwt = github::app_jwt(
        app_key(), std::chrono::sys_time<std::chrono::milliseconds>(kNow * 1s + 999ms));
    REQUIRE(jwt);
    const auto claims = claims_of(std::string(jwt->reveal()));
    CHECK(claims.getValue<std::string>("iss") == "123");
    CHECK(claims.get("iat").isInteger());
    CHECK(claims.getValue<std::int64_t>("iat") == kNow - 60);
    CHECK(claims.getValue<std::int64_t>("exp") == kNow + 540);
}

TEST_CASE("github app: the installation's token is asked for as the app") {
    AppDesk desk;
    desk.host.answer_http(minted("ghs_1", "2023-11-14T23:13:20Z"));
    CHECK(desk.token(app_key()).value() == "ghs_1");
    const auto asked = desk.host.requests().at(0);
    CHECK(asked.method == "POST");
    CHECK(asked.url == "https://api.github.com/app/installations/42/access_tokens");
    CHECK(asked.header("Accept") == "application/vnd.github+json");
    CHECK(asked.header("X-GitHub-Api-Version") == "2022-11-28");
    CHECK(asked.ca_pem == "ca");
    CHECK(asked.proxy == "http://proxy.test:3128");
    const std::string authorization(asked.header("Authorization"));
    REQUIRE(authorization.find("Bearer ") == 0);
    CHECK(claims_of(authorization.substr(7)).getValue<std::string>("iss") == "123");
}

TEST_CASE("github app: a token serves until five minutes before it expires") {
    AppDesk desk;
    desk.host.answer_http(minted("ghs_1", "2023-11-14T23:13:20Z"));
    desk.host.answer_http(minted("ghs_2", "2023-11-15T00:13:20Z"));
    CHECK(desk.token(app_key()).value() == "ghs_1");
    desk.host.advance(54min + 59s);
    CHECK(desk.token(app_key()).value() == "ghs_1");
    CHECK(desk.host.requests().size() == 1);
    desk.host.advance(1s);
    CHECK(desk.token(app_key()).value() == "ghs_2");
    CHECK(desk.host.requests().size() == 2);
}

TEST_CASE("github app: the expiry's zone counts, and no answer makes a token live for years") {
    for (const char* expires :
         {"2023-11-15T01:13:20+02:00", "2023-11-14T23:13:20.000Z", "9999-12-31T23:59:59Z"}) {
        INFO(expires);
        AppDesk desk;
        desk.host.answer_http(minted("ghs_1", expires));
        desk.host.answer_http(minted("ghs_2", "2023-11-15T01:00:00Z"));
        CHECK(desk.token(app_key()).value() == "ghs_1");
        desk.host.advance(54min);
        CHECK(desk.token(app_key()).value() == "ghs_1");
        desk.host.advance(2min);
        CHECK(desk.token(app_key()).value() == "ghs_2");
    }
}

TEST_CASE("github app: another key, app, installation or API has a token of its own") {
    AppDesk desk;
    int made = 0;
    desk.host.on_http([&](const HttpAsked&) {
        return minted("ghs_" + std::to_string(++made), "2023-11-14T23:13:20Z");
    });
    CHECK(desk.token(app_key("42")).value() == "ghs_1");
    CHECK(desk.token(app_key("43")).value() == "ghs_2");
    auto other = app_key("42");
    other.app_id = "124";
    CHECK(desk.token(other).value() == "ghs_3");
    desk.api_url = "https://ghe.test/api/v3";
    CHECK(desk.token(app_key("42")).value() == "ghs_4");
    desk.api_url.clear();
    CHECK(desk.token(app_key("42")).value() == "ghs_1");
}

TEST_CASE("github app: the installation is found through the repository") {
    AppDesk desk;
    desk.host.answer_http({.body = R"({"id":77,"app_id":123})"});
    desk.host.answer_http(minted("ghs_1", "2023-11-14T23:13:20Z"));
    CHECK(desk.token(app_key("")).value() == "ghs_1");
    const auto asked = desk.host.requests();
    CHECK(asked.at(0).method == "GET");
    CHECK(asked.at(0).url == "https://api.github.com/repos/acme/fleet/installation");
    CHECK(asked.at(1).url == "https://api.github.com/app/installations/77/access_tokens");
    CHECK(desk.token(app_key("")).value() == "ghs_1");
    CHECK(desk.host.requests().size() == 2);
}

TEST_CASE("github app: an installation without a sound id is a bad answer") {
    for (const char* id : {"null", "\"77\"", "-1", "0", "true", "7.5", "18446744073709551615"}) {
        INFO(id);
        AppDesk desk;
        desk.host.answer_http({.body = std::string(R"({"id":)") + id + "}"});
        const auto token = desk.token(app_key(""));
        REQUIRE_FALSE(token);
        CHECK(token.error().kind == ErrorKind::Transient);
        CHECK(desk.host.requests().size() == 1);
    }
}

TEST_CASE("github app: where it is not installed or was deleted, a person has to act") {
    AppDesk desk;
    desk.host.answer_http({.code = 404, .body = R"({"message":"Not Found"})"});
    const auto absent = desk.token(app_key(""));
    CHECK(absent.error().kind == ErrorKind::NotFound);
    CHECK_THAT(absent.error().message, Catch::Contains("installation for acme/fleet"));
    desk.host.answer_http({.code = 401, .body = R"({"message":"Integration not found"})"});
    CHECK(desk.token(app_key()).error().kind == ErrorKind::Unauthorized);
}

TEST_CASE("github app: an answer without token or expiry is a bad answer and not kept") {
    for (const HttpScripted& answer :
         {HttpScripted{.code = 201, .body = "{}"}, minted("", "2023-11-14T23:13:20Z"),
          minted("ghs_1", "soon"), HttpScripted{.body = "<html>"},
          HttpScripted{.code = 201, .body = R"({"token":"ghs_1","expi)"}}) {
        INFO(answer.body);
        AppDesk desk;
        desk.host.answer_http(answer);
        const auto token = desk.token(app_key());
        REQUIRE_FALSE(token);
        CHECK(token.error().kind == ErrorKind::Transient);
        CHECK(token.error().message.find("ghs_1") == std::string::npos);
        desk.host.answer_http(minted("ghs_2", "2023-11-14T23:13:20Z"));
        CHECK(desk.token(app_key()).value() == "ghs_2");
    }
}

TEST_CASE("github app: a key or number that is none is refused unsent and unquoted") {
    AppDesk desk;
    for (const char* pem : {"", "canary", "-----BEGIN RSA PRIVATE KEY-----\ncanary\n"}) {
        AppKey key{"123", "42", Secret(pem), ""};
        const auto token = desk.token(key);
        REQUIRE_FALSE(token);
        CHECK(token.error().kind == ErrorKind::Invalid);
        CHECK(token.error().message.find("canary") == std::string::npos);
    }
    for (const char* number : {"x", "-1", "4/../5", "1234567890123456789"}) {
        INFO(number);
        CHECK(desk.token(app_key(number)).error().kind == ErrorKind::Invalid);
        auto key = app_key();
        key.app_id = number;
        CHECK(desk.token(key).error().kind == ErrorKind::Invalid);
    }
    CHECK(desk.host.requests().empty());
}

TEST_CASE("github app: what the app signed is in no message") {
    AppDesk desk;
    desk.host.on_http([](const HttpAsked& asked) {
        const std::string jwt(asked.header("Authorization").substr(7));
        return HttpScripted{.code = 401, .body = R"({"message":"no )" + jwt + R"("})"};
    });
    const auto token = desk.token(app_key());
    REQUIRE_FALSE(token);
    CHECK_THAT(token.error().message, Catch::Contains("no ***"));
}
