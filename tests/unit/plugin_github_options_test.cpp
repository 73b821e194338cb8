// Labels, people, draft and automatic merge: what is set once a pull request is open.
#include <algorithm>

#include "catch.hpp"
#include "plugin_github_fixture.hpp"

using namespace hub;

namespace {

// As GitHub gives it after a creation, with these members besides.
PullRequest pull(Desk& desk, const std::string& more = {}) {
    desk.host.answer_http({.body = Pull{.more = more}.json()});
    auto found = desk.look(7);
    REQUIRE(found);
    return **found;
}

std::vector<std::string> asked(const Desk& desk, std::size_t from = 1) {
    std::vector<std::string> out;
    const auto all = desk.host.requests();
    for (std::size_t i = from; i < all.size(); ++i) {
        out.push_back(all[i].method + " " + all[i].url.substr(all[i].url.find("/", 8)) + " " +
                      all[i].body);
    }
    return out;
}

HttpScripted graphql(const std::string& data) { return {.body = R"({"data":)" + data + "}"}; }

const std::string kIssue = "/repos/acme/fleet/issues/7";
const std::string kPull = "/repos/acme/fleet/pulls/7";
const PullRequestOptions kMerging{.auto_merge = true, .merge_method = "squash"};

}  // namespace

TEST_CASE("github: labels, reviewers, teams and assignees are asked for once it is open") {
    Desk desk;
    desk.host.answer_http({.code = 201, .body = Pull().json()});
    desk.host.on_http([](const HttpAsked&) { return HttpScripted{.code = 201, .body = "{}"}; });
    PullRequestOptions options{.labels = {"promotion"},
                               .reviewers = {"ann"},
                               .team_reviewers = {"ops"},
                               .assignees = {"bob"}};
    const auto warnings = desk.ask<std::vector<std::string>>([&](auto& forge) {
        const auto made = forge.create(kHead, "main", {"T", "B"}, false);
        return forge.apply(*made, options);
    });
    REQUIRE(warnings);
    CHECK(warnings->empty());
    CHECK(asked(desk) ==
          std::vector<std::string>{
              "POST " + kIssue + R"(/labels {"labels":["promotion"]})",
              "POST " + kPull +
                  R"(/requested_reviewers {"reviewers":["ann"],"team_reviewers":["ops"]})",
              "POST " + kIssue + R"(/assignees {"assignees":["bob"]})"});
}

TEST_CASE("github: what is there already is not asked for again") {
    Desk desk;
    const auto existing =
        pull(desk, R"(,"labels":[{"name":"Promotion"}],)"
                   R"("requested_reviewers":[{"login":"Ann"}],)"
                   R"("requested_teams":[{"slug":"ops"}],"assignees":[{"login":"bob"}])");
    const auto warnings = desk.apply(existing, {.labels = {"promotion"},
                                                .reviewers = {"ann"},
                                                .team_reviewers = {"ops"},
                                                .assignees = {"Bob"}});
    REQUIRE(warnings);
    CHECK(warnings->empty());
    CHECK(asked(desk).empty());
}

TEST_CASE("github: who has reviewed is not asked again, nor a team of which somebody did") {
    Desk desk;
    const auto existing = pull(desk);
    const PullRequestOptions options{.reviewers = {"ann", "eve"}, .team_reviewers = {"ops"}};
    desk.host.answer_http(
        {.body = R"([{"user":{"login":"Ann"},"state":"APPROVED"},{"user":null}])"});
    desk.host.answer_http({.code = 201, .body = "{}"});
    REQUIRE(desk.apply(existing, options));
    CHECK(asked(desk) == std::vector<std::string>{
                             "GET " + kPull + "/reviews?per_page=100 ",
                             "POST " + kPull + R"(/requested_reviewers {"reviewers":["eve"]})"});
}

TEST_CASE("github: where reviews cannot be seen nobody is asked, and that is a warning") {
    for (const HttpScripted& answer : {HttpScripted{.code = 403, .body = R"({"message":"no"})"},
                                       HttpScripted{.body = "<html>"}}) {
        Desk desk;
        const auto existing = pull(desk);
        desk.host.answer_http(answer);
        const auto warnings = desk.apply(existing, {.reviewers = {"ann"}});
        REQUIRE(warnings);
        CHECK(warnings->size() == 1);
        CHECK(asked(desk).size() == 1);
    }
}

TEST_CASE("github: what cannot be set is a warning each, and the rest is still tried") {
    Desk desk;
    const auto existing = pull(desk);
    desk.host.on_http([](const HttpAsked& request) {
        if (request.method == "GET") return HttpScripted{.body = "[]"};
        return HttpScripted{.code = 422, .body = R"({"message":"Validation Failed"})"};
    });
    const auto warnings =
        desk.apply(existing, {.labels = {"l"}, .reviewers = {"r"}, .assignees = {"a"}});
    REQUIRE(warnings);
    CHECK(warnings->size() == 3);
    CHECK(warnings->at(1) == "cannot ask for reviews: HTTP 422, Validation Failed");
}

TEST_CASE("github: at most ten are assigned, which is GitHub's own limit") {
    Desk desk;
    const auto existing = pull(desk);
    desk.host.answer_http({.code = 201, .body = "{}"});
    REQUIRE(desk.apply(existing, {.assignees = std::vector<std::string>(12, "bob")}));
    const auto body = desk.host.requests().at(1).body;
    CHECK(std::count(body.begin(), body.end(), 'b') == 20);
}

TEST_CASE("github: a pull request that rules hold back is set to merge by itself") {
    Desk desk;
    const auto existing = pull(desk);
    desk.host.answer_http(graphql(R"({"node":{"mergeStateStatus":"BLOCKED"}})"));
    desk.host.answer_http(graphql(R"({"enablePullRequestAutoMerge":{"clientMutationId":null}})"));
    const auto warnings = desk.apply(existing, kMerging);
    REQUIRE(warnings);
    CHECK(warnings->empty());
    const auto mutation = desk.host.requests().at(2);
    CHECK(mutation.method == "POST");
    CHECK(mutation.url == "https://api.github.com/graphql");
    CHECK(mutation.header("Authorization") == "Bearer " + kToken);
    CHECK_THAT(mutation.body,
               Catch::Contains("enablePullRequestAutoMerge") &&
                   Catch::Contains(R"("variables":{"head":"0a1b","id":"PR_7","method":"SQUASH"})"));
}

TEST_CASE("github: what nothing holds back is merged at once, at the commit that was pushed") {
    Desk desk;
    const auto existing = pull(desk);
    desk.host.answer_http(graphql(R"({"node":{"mergeStateStatus":"CLEAN"}})"));
    desk.host.answer_http({.body = R"({"merged":true})"});
    REQUIRE(desk.apply(existing, kMerging)->empty());
    CHECK(asked(desk, 2) ==
          std::vector<std::string>{"PUT " + kPull +
                                   R"(/merge {"merge_method":"squash","sha":"0a1b"})"});
}

TEST_CASE("github: GraphQL's errors come with HTTP 200 and are warnings in its words") {
    for (
        const char* errors :
        {R"([{"type":"UNPROCESSABLE","path":["enablePullRequestAutoMerge"],"message":"Cannot enable auto-merge for this pull request"}])",
         R"(["Cannot enable auto-merge for this pull request"])"}) {
        Desk desk;
        const auto existing = pull(desk);
        desk.host.answer_http(graphql(R"({"node":{"mergeStateStatus":"BLOCKED"}})"));
        desk.host.answer_http({.body = std::string(R"({"data":null,"errors":)") + errors + "}"});
        const auto warnings = desk.apply(existing, kMerging);
        REQUIRE(warnings);
        REQUIRE(warnings->size() == 1);
        CHECK_THAT(warnings->at(0), Catch::Contains("cannot merge automatically") &&
                                        Catch::Contains("Cannot enable auto-merge"));
    }
}

TEST_CASE("github: a GraphQL answer that is none is a passing fault, and tried again") {
    for (const char* body : {"", "<html>", "[]", R"({"data":)"}) {
        Desk desk;
        const auto existing = pull(desk);
        desk.host.answer_http({.body = body});
        const auto warnings = desk.apply(existing, kMerging);
        REQUIRE_FALSE(warnings);
        CHECK(warnings.error().kind == ErrorKind::Transient);
        CHECK_THAT(warnings.error().message, Catch::Contains("bad answer"));
    }
}

TEST_CASE("github: automatic merge is left alone where it is on, and for drafts") {
    for (const char* more : {R"(,"auto_merge":{"merge_method":"squash"})", R"(,"draft":true)"}) {
        Desk desk;
        const auto existing = pull(desk, more);
        REQUIRE(desk.apply(existing, kMerging)->empty());
        CHECK(asked(desk).empty());
    }
}

TEST_CASE("github: a draft is made ready only where the config says so, and may merge then") {
    Desk desk;
    const auto draft = pull(desk, R"(,"draft":true)");
    REQUIRE(desk.apply(draft, {})->empty());
    CHECK(asked(desk).empty());
    auto options = kMerging;
    options.mark_ready = true;
    desk.host.answer_http(
        graphql(R"({"markPullRequestReadyForReview":{"clientMutationId":null}})"));
    desk.host.answer_http(graphql(R"({"node":{"mergeStateStatus":"CLEAN"}})"));
    desk.host.answer_http({.body = R"({"merged":true})"});
    REQUIRE(desk.apply(draft, options)->empty());
    CHECK_THAT(desk.host.requests().at(1).body,
               Catch::Contains("markPullRequestReadyForReview") && Catch::Contains("PR_7"));
    CHECK(desk.host.requests().size() == 4);
}

TEST_CASE("github: a draft that cannot be made ready is a warning and is not merged") {
    Desk desk;
    const auto draft = pull(desk, R"(,"draft":true)");
    auto options = kMerging;
    options.mark_ready = true;
    desk.host.answer_http({.body = R"({"errors":[{"message":"no"}]})"});
    const auto warnings = desk.apply(draft, options);
    REQUIRE(warnings);
    REQUIRE(warnings->size() == 1);
    CHECK_THAT(warnings->at(0), Catch::Contains("cannot mark the draft as ready for review"));
    CHECK(desk.host.requests().size() == 2);
}
