// Where the API is, what config and secret may hold, and the entry that puts them together.
#include "catch.hpp"
#include "config.hpp"
#include "plugin_github_fixture.hpp"

using namespace hub;
using sdk::testing::Request;

extern "C" const promotiond_plugin promotiond_plugin_v1;

namespace {

Result<github::Keys> keys(const std::map<std::string, std::string>& secret, bool ssh = false) {
    FakeHost host;
    host.add_secret("s", "unrelated", "x");
    for (const auto& [key, value] : secret) host.add_secret("s", key, value);
    Result<github::Keys> out = Error{ErrorKind::Internal, "the verb did not run"};
    (void)host.run([&](const promotiond_call* c) {
        const Call call(host.c_host(), *c);
        out = github::read_keys(call, "s", ssh);
        return PROMOTIOND_DONE;
    });
    CHECK(host.requests().empty());
    return out;
}

const Request kRequest{
    .config = R"({"url":"https://github.com/acme/fleet","branch":"main","secretRef":"s"})"};

}  // namespace

TEST_CASE("github: the API's address follows from the repository's") {
    struct Case {
        const char* url;
        const char* api_url;
        const char* api;
        const char* graphql;
    };
    const Case cases[] = {
        {"https://github.com/acme/fleet", "", "https://api.github.com",
         "https://api.github.com/graphql"},
        {"https://GitHub.com/acme/fleet.git/", "", "https://api.github.com",
         "https://api.github.com/graphql"},
        {"git@github.com:acme/fleet.git", "", "https://api.github.com",
         "https://api.github.com/graphql"},
        {"ssh://git@ssh.github.com:443/acme/fleet.git", "", "https://api.github.com",
         "https://api.github.com/graphql"},
        {"https://ghe.test:8443/acme/fleet", "", "https://ghe.test:8443/api/v3",
         "https://ghe.test:8443/api/graphql"},
        {"ssh://git@ghe.test:2222/acme/fleet", "", "https://ghe.test/api/v3",
         "https://ghe.test/api/graphql"},
        {"https://corp.ghe.com/acme/fleet", "", "https://api.corp.ghe.com",
         "https://api.corp.ghe.com/graphql"},
        {"https://notghe.com/acme/fleet", "", "https://notghe.com/api/v3",
         "https://notghe.com/api/graphql"},
        {"https://github.com/acme/fleet", "https://sim.test:1/api/v3/", "https://sim.test:1/api/v3",
         "https://sim.test:1/api/graphql"},
        {"https://github.com/acme/fleet", "https://sim.test", "https://sim.test",
         "https://sim.test/graphql"},
    };
    for (const Case& c : cases) {
        INFO(c.url << " " << c.api_url);
        const auto site = github::site_of(c.url, c.api_url);
        REQUIRE(site);
        CHECK(site->owner == "acme");
        CHECK(site->repo == "fleet");
        CHECK(site->api == c.api);
        CHECK(site->graphql == c.graphql);
    }
}

TEST_CASE("github: an address that is no repository's, or no API's, is refused") {
    for (const char* url :
         {"", "https://github.com", "https://github.com/acme", "https://github.com/acme/",
          "https://github.com/acme/fleet/tree/main", "https://github.com/../fleet",
          "https://github.com/acme/..", "http://github.com/acme/fleet", "acme/fleet",
          "https://github.com/a%2Fb/fleet", "https:///acme/fleet"}) {
        INFO(url);
        const auto site = github::site_of(url, "");
        REQUIRE_FALSE(site);
        CHECK(site.error().kind == ErrorKind::Invalid);
    }
    for (const char* api :
         {"http://api.test", "https://", "https:///v3", "https://u:p@api.test", "https://a b",
          "https://api.test/?x", "https://api.test#x", "api.test", "https://api.test\\x"}) {
        INFO(api);
        CHECK_FALSE(github::site_of("https://github.com/acme/fleet", api));
    }
}

TEST_CASE("github: the config's fields, both spellings of secretRef, and the settings' defaults") {
    const auto config = github::read_config(
        R"({"url":"u","branch":"b","secretRef":{"name":"n"},"labels":["l"],"reviewers":["r"],)"
        R"("teamReviewers":["t"],"assignees":["a"],"draft":true,"autoMerge":true,)"
        R"("mergeMethod":"rebase","author":{"name":"Me"}})",
        R"({"author":{"name":"Bot","email":"bot@x.test"},"apiUrl":"https://api.test"})");
    REQUIRE(config);
    const auto& request = config->pull_request;
    CHECK(request.url == "u");
    CHECK(request.branch == "b");
    CHECK(request.secret == "n");
    CHECK(request.options.labels == std::vector<std::string>{"l"});
    CHECK(request.options.reviewers == std::vector<std::string>{"r"});
    CHECK(request.options.team_reviewers == std::vector<std::string>{"t"});
    CHECK(request.options.assignees == std::vector<std::string>{"a"});
    CHECK(request.options.draft);
    CHECK(request.options.auto_merge);
    CHECK(request.options.merge_method == "rebase");
    CHECK(request.author_name == "Me");
    CHECK(request.author_email == "bot@x.test");
    CHECK(config->api_url == "https://api.test");
    CHECK(github::read_config(R"({"url":"u","secretRef":"n"})", "")->pull_request.secret == "n");
    CHECK(github::read_config("{", "{}").error().kind == ErrorKind::Invalid);
    CHECK(github::read_config("[]", "{}").error().kind == ErrorKind::Invalid);
}

TEST_CASE("github: only a written draft: false makes drafts ready") {
    const auto options = [](const char* json) {
        return github::read_config(json, "{}")->pull_request.options;
    };
    CHECK_FALSE(options("{}").mark_ready);
    CHECK_FALSE(options(R"({"draft":true})").mark_ready);
    CHECK(options(R"({"draft":false})").mark_ready);
    CHECK_FALSE(options(R"({"draft":false})").draft);
}

TEST_CASE("github: a token is enough, and its line end is not part of it") {
    const auto read = keys({{"token", "t0ken\r\n"}, {"ca.crt", "pem"}, {"proxy", "http://p:1"}});
    REQUIRE(read);
    CHECK(read->access.token.reveal() == "t0ken");
    CHECK(read->access.ca_pem == "pem");
    CHECK(read->git.ca_pem == "pem");
    CHECK(read->access.proxy == "http://p:1");
    CHECK(read->git.password.empty());
}

TEST_CASE("github: user and password are git's, the token stays the API's") {
    const auto read = keys(
        {{"token", "t"}, {"username", "u"}, {"password", "p"}, {"caFile", "a"}, {"ca.crt", "b"}});
    REQUIRE(read);
    CHECK(read->access.token.reveal() == "t");
    CHECK(read->git.username == "u");
    CHECK(read->git.password.reveal() == "p");
    CHECK(read->git.ca_pem == "a");
}

TEST_CASE("github: over ssh the password is the key's passphrase") {
    const auto read = keys({{"token", "t"},
                            {"identity", "pem"},
                            {"known_hosts", "h"},
                            {"username", "u"},
                            {"password", "p"}},
                           true);
    REQUIRE(read);
    CHECK(read->git.ssh_passphrase.reveal() == "p");
    CHECK(read->git.password.empty());
    CHECK(read->git.username.empty());
}

TEST_CASE("github: a secret that cannot serve is refused by what it lacks") {
    const std::tuple<std::map<std::string, std::string>, bool, const char*> bad[] = {
        {{}, false, "neither the key token nor githubAppID"},
        {{{"token", ""}}, false, "neither the key token nor githubAppID"},
        {{{"token", "\n"}}, false, "neither the key token nor githubAppID"},
        {{{"username", "u"}, {"password", "p"}}, false, "neither the key token nor githubAppID"},
        {{{"token", "t"}, {"username", "u"}}, false, "only one of the keys username and password"},
        {{{"token", "t"}, {"password", "p"}}, false, "only one of the keys username and password"},
        {{{"token", "t"}}, true, "identity and known_hosts"},
        {{{"token", "t"}, {"identity", "i"}}, true, "identity and known_hosts"}};
    for (const auto& [secret, ssh, why] : bad) {
        INFO(why);
        const auto read = keys(secret, ssh);
        REQUIRE_FALSE(read);
        const bool on_its_way = std::string_view(why).starts_with("neither");
        CHECK(read.error().kind == (on_its_way ? ErrorKind::Transient : ErrorKind::Invalid));
        CHECK_THAT(read.error().message, Catch::Contains(why));
    }
}

TEST_CASE("github: without a usable secret nothing is asked of anybody") {
    const std::tuple<const char*, const char*, promotiond_outcome> cases[] = {
        {"s", "unrelated", PROMOTIOND_RETRY},      // no token; it may be on its way
        {"other", "token", PROMOTIOND_RETRY},      // no such secret, either
        {"s", "githubAppID", PROMOTIOND_REJECTED}  // an app without a key
    };
    for (const auto& [name, key, outcome] : cases) {
        INFO(name << " " << key);
        FakeHost host;
        host.add_secret(name, key, "1");
        auto strategy = host.make(promotiond_plugin_v1);
        CHECK(strategy.promote(kRequest).outcome == outcome);
        CHECK(strategy.plan(kRequest).outcome == outcome);
        // A secret that is being rotated settles nothing of what is open already.
        CHECK(strategy.observe(kRequest, "7").outcome == PROMOTIOND_RETRY);
        CHECK(host.requests().empty());
        CHECK(host.breaches().empty());
    }
    FakeHost host;
    auto strategy = host.make(promotiond_plugin_v1);
    auto anonymous = kRequest;
    anonymous.config = R"({"url":"https://github.com/acme/fleet"})";
    CHECK_THAT(strategy.promote(anonymous).message, Catch::Contains("secretRef is missing"));
    host.break_secrets();
    CHECK(strategy.promote(kRequest).outcome == PROMOTIOND_RETRY);
    CHECK(host.requests().empty());
}

TEST_CASE("github: settings that cannot be right are refused at the start") {
    FakeHost host;
    CHECK(sdk::testing::Instance(host, promotiond_plugin_v1, "[]").created().outcome ==
          PROMOTIOND_REJECTED);
}

TEST_CASE("github: a promotion is followed by number until it is merged") {
    FakeHost host;
    host.add_secret("s", "token", kToken);
    auto strategy = host.make(promotiond_plugin_v1);
    host.answer_http({.headers = {{"ETag", "\"1\""}}, .body = Pull().json()});
    const auto open = strategy.observe(kRequest, "7", R"({"number":7})");
    CHECK(open.outcome == PROMOTIOND_PENDING);
    host.answer_http({.code = 304});
    const auto same = strategy.observe(kRequest, "7", open.details);
    CHECK(same.outcome == PROMOTIOND_PENDING);
    CHECK(same.location == "https://github.com/acme/fleet/pull/7");
    CHECK(host.requests().at(1).header("If-None-Match") == "\"1\"");
    host.answer_http({.body = Pull{.state = R"("closed")", .more = R"(,"merged":true)"}.json()});
    CHECK(strategy.observe(kRequest, "7", same.details).outcome == PROMOTIOND_DONE);
    host.answer_http({.code = 403,
                      .headers = {{"Retry-After", "9"}},
                      .body = R"({"message":"secondary rate limit, )" + kToken + R"("})"});
    const auto limited = strategy.observe(kRequest, "7", same.details);
    CHECK(limited.outcome == PROMOTIOND_RETRY);
    CHECK(limited.retry_after == std::chrono::seconds{9});
    for (const auto& line : host.log_lines()) CHECK(line.find(kToken) == std::string::npos);
    CHECK(limited.message.find(kToken) == std::string::npos);
    CHECK(host.breaches().empty());
}

TEST_CASE("github: promotions into one branch of one repository share a lane") {
    FakeHost host;
    auto strategy = host.make(promotiond_plugin_v1);
    auto other = kRequest;
    other.config = R"({"url":"https://github.com/acme/else","branch":"main","secretRef":"s"})";
    CHECK_FALSE(strategy.lane(kRequest).empty());
    CHECK(strategy.lane(kRequest) == strategy.lane(kRequest));
    CHECK(strategy.lane(kRequest) != strategy.lane(other));
}
