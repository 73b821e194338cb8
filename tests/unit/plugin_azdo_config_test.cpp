// What config and secret may hold, and the entry that puts them together.
#include "catch.hpp"
#include "config.hpp"
#include "plugin_azdo_fixture.hpp"

using namespace azure;
using sdk::testing::Request;

extern "C" const promotiond_plugin promotiond_plugin_v1;

namespace {

Result<azdo::Keys> keys(const std::map<std::string, std::string>& secret, bool ssh = false) {
    FakeHost host;
    host.add_secret("s", "unrelated", "x");
    for (const auto& [key, value] : secret) host.add_secret("s", key, value);
    Result<azdo::Keys> out = Error{ErrorKind::Internal, "the verb did not run"};
    (void)host.run([&](const promotiond_call* c) {
        const Call call(host.c_host(), *c);
        out = azdo::read_keys(call, "s", ssh);
        return PROMOTIOND_DONE;
    });
    CHECK(host.requests().empty());
    return out;
}

const Request kRequest{
    .config = R"({"url":"https://acme@dev.azure.com/acme/My Team/_git/fleet","branch":"main",)"
              R"("secretRef":"s"})"};

}  // namespace

TEST_CASE("azdo: the config's fields, and the settings' defaults") {
    const auto config = azdo::read_config(
        R"({"url":"u","branch":"b","secretRef":{"name":"n"},"labels":["l"],"reviewers":["r"],)"
        R"("requiredReviewers":["q"],"workItems":[4],"draft":true,"author":{"name":"Me"},)"
        R"("autoComplete":{"mergeStrategy":"squash","deleteSourceBranch":false,)"
        R"("transitionWorkItems":true,"mergeCommitMessage":"m","ignorePolicies":[9]}})",
        R"({"author":{"name":"Bot","email":"bot@x.test"},"apiVersion":"6.0","apiUrl":"https://a/b"})");
    REQUIRE(config);
    const auto& request = config->pull_request;
    CHECK(request.url == "u");
    CHECK(request.branch == "b");
    CHECK(request.secret == "n");
    CHECK(request.options.labels == std::vector<std::string>{"l"});
    CHECK(request.options.reviewers == std::vector<std::string>{"r"});
    CHECK(request.options.draft);
    CHECK(request.options.auto_merge);
    CHECK(request.author_name == "Me");
    CHECK(request.author_email == "bot@x.test");
    CHECK(config->options.required_reviewers == std::vector<std::string>{"q"});
    CHECK(config->options.work_items == std::vector<std::uint64_t>{4});
    CHECK(config->options.completion == azdo::Completion{"squash", false, true, "m", {9}});
    CHECK(config->options.api_version == "6.0");
    CHECK(config->api_url == "https://a/b");
    CHECK(azdo::read_config("{", "{}").error().kind == ErrorKind::Invalid);
    CHECK(azdo::read_config("[]", "{}").error().kind == ErrorKind::Invalid);
}

TEST_CASE("azdo: autoComplete is a switch or its particulars") {
    const auto on = [](const char* json) {
        return azdo::read_config(json, "{}")->pull_request.options.auto_merge;
    };
    CHECK_FALSE(on("{}"));
    CHECK_FALSE(on(R"({"autoComplete":false})"));
    CHECK(on(R"({"autoComplete":true})"));
    CHECK(on(R"({"autoComplete":{}})"));
    CHECK_FALSE(on(R"({"autoComplete":{"enabled":false}})"));
    CHECK(
        azdo::read_config(R"({"autoComplete":true})", "")->options.completion.delete_source_branch);
    CHECK(azdo::read_config("{}", "")->options.api_version == "7.1");
}

TEST_CASE("azdo: a personal access token is the password of nobody, for the API and for git") {
    const auto read = keys({{"token", "t0ken\r\n"}, {"ca.crt", "pem"}, {"proxy", "http://p:1"}});
    REQUIRE(read);
    CHECK(read->access.authorization().reveal() == "Basic OnQwa2Vu");
    CHECK(read->git.username.empty());
    CHECK(read->git.password.reveal() == "t0ken");
    CHECK(read->access.ca_pem == "pem");
    CHECK(read->access.proxy == "http://p:1");
}

TEST_CASE("azdo: a token of Entra is a bearer token, for the API and for git") {
    for (const char* key : {"bearerToken", "bearer"}) {
        const auto read = keys({{key, "eyJ0.e.s"}});
        REQUIRE(read);
        CHECK(read->access.authorization().reveal() == "Bearer eyJ0.e.s");
        CHECK(read->git.bearer.reveal() == "eyJ0.e.s");
        CHECK(read->git.password.empty());
    }
}

TEST_CASE("azdo: user and password serve both, and git alone where there is a token") {
    const auto both = keys({{"username", "u"}, {"password", "p"}});
    REQUIRE(both);
    CHECK(both->access.authorization().reveal() == "Basic dTpw");
    CHECK(both->git.username == "u");
    const auto git = keys({{"token", "t"}, {"username", "u"}, {"password", "p"}});
    REQUIRE(git);
    CHECK(git->access.authorization().reveal() == "Basic OnQ=");
    CHECK(git->git.password.reveal() == "p");
}

TEST_CASE("azdo: over ssh the password is the key's passphrase") {
    const auto read =
        keys({{"token", "t"}, {"identity", "pem"}, {"known_hosts", "h"}, {"password", "p"}}, true);
    REQUIRE(read);
    CHECK(read->git.ssh_passphrase.reveal() == "p");
    CHECK(read->git.password.empty());
    CHECK(read->access.authorization().reveal() == "Basic OnQ=");
}

TEST_CASE("azdo: a secret that cannot serve is refused by what it lacks") {
    const std::tuple<std::map<std::string, std::string>, bool, const char*> bad[] = {
        {{}, false, "neither the key token"},
        {{{"token", "\n"}}, false, "neither the key token"},
        {{{"username", "u"}}, false, "neither the key token"},
        {{{"password", "p"}}, false, "only one of the keys username and password"},
        {{{"token", "t"}, {"username", "u"}}, false, "only one of the keys username and password"},
        {{{"username", "u"}, {"password", "p"}}, true, "neither the key token"},
        {{{"token", "t"}}, true, "identity and known_hosts"}};
    for (const auto& [secret, ssh, why] : bad) {
        INFO(why);
        const auto read = keys(secret, ssh);
        REQUIRE_FALSE(read);
        const bool on_its_way = std::string_view(why).starts_with("neither");
        CHECK(read.error().kind == (on_its_way ? ErrorKind::Transient : ErrorKind::Invalid));
        CHECK_THAT(read.error().message, Catch::Contains(why));
    }
}

TEST_CASE("azdo: without a usable secret or address nothing is asked of anybody") {
    FakeHost host;
    auto strategy = host.make(promotiond_plugin_v1);
    // No such secret; it may be on its way.
    CHECK(strategy.promote(kRequest).outcome == PROMOTIOND_RETRY);
    CHECK(strategy.plan(kRequest).outcome == PROMOTIOND_RETRY);
    // A secret that is being rotated settles nothing of what is open already.
    CHECK(strategy.observe(kRequest, "7").outcome == PROMOTIOND_RETRY);
    host.add_secret("s", "token", kToken);
    auto elsewhere = kRequest;
    elsewhere.config = R"({"url":"https://github.com/acme/fleet","secretRef":"s"})";
    CHECK_THAT(strategy.promote(elsewhere).message, Catch::Contains("none of an Azure repository"));
    auto anonymous = kRequest;
    anonymous.config = R"({"url":"https://dev.azure.com/acme/team/_git/fleet"})";
    CHECK_THAT(strategy.promote(anonymous).message, Catch::Contains("secretRef is missing"));
    CHECK(host.requests().empty());
    CHECK(host.breaches().empty());
    CHECK(sdk::testing::Instance(host, promotiond_plugin_v1, "[]").created().outcome ==
          PROMOTIOND_REJECTED);
}

TEST_CASE("azdo: a promotion is followed by number until it is completed") {
    FakeHost host;
    host.add_secret("s", "token", kToken);
    auto strategy = host.make(promotiond_plugin_v1);
    auto conflicting = Pull().json();
    conflicting.replace(conflicting.find("queued"), 6, "conflicts");
    host.answer_http({.body = conflicting});
    const auto open = strategy.observe(kRequest, "7", R"({"number":7})");
    CHECK(open.outcome == PROMOTIOND_PENDING);
    CHECK(open.location == "https://dev.azure.com/acme/My%20Team/_git/fleet/pullrequest/7");
    CHECK_THAT(open.summary, Catch::Contains("#7 cannot be merged, its branches conflict"));
    host.answer_http({.body = Pull{.status = R"("completed")"}.json()});
    CHECK(strategy.observe(kRequest, "7", open.details).outcome == PROMOTIOND_DONE);
    host.answer_http({.body = Pull{.status = R"("abandoned")"}.json()});
    CHECK(strategy.observe(kRequest, "7", open.details).outcome == PROMOTIOND_REJECTED);
    CHECK(host.breaches().empty());
}

TEST_CASE("azdo: each request says what it is for, so that the host can keep Azure's limits") {
    FakeHost host;
    host.add_secret("s", "token", kToken);
    auto strategy = host.make(promotiond_plugin_v1);
    host.answer_http({.headers = {{"Retry-After", "20"}, {"X-RateLimit-Remaining", "0"}},
                      .body = Pull().json()});
    CHECK(strategy.observe(kRequest, "7").outcome == PROMOTIOND_PENDING);
    REQUIRE(host.requests().size() == 1);
    CHECK(host.requests()[0].header("Promotiond-Budget") == "refresh read core");
}

TEST_CASE("azdo: all spellings of one repository share a lane, another repository has its own") {
    FakeHost host;
    auto strategy = host.make(promotiond_plugin_v1);
    auto same = kRequest;
    same.config = R"({"url":"https://acme.visualstudio.com/My%20Team/_git/fleet","branch":"main"})";
    auto other = kRequest;
    other.config = R"({"url":"https://dev.azure.com/acme/My Team/_git/else","branch":"main"})";
    CHECK_FALSE(strategy.lane(kRequest).empty());
    CHECK(strategy.lane(kRequest) == strategy.lane(same));
    CHECK(strategy.lane(kRequest) != strategy.lane(other));
}
