// Labels, reviewers, work items, draft and auto-complete: what is set once a pull request is open.
#include "catch.hpp"
#include "plugin_azdo_fixture.hpp"

using namespace azure;

namespace {

const HttpScripted kEmpty{.body = list({})};
const HttpScripted kConnection{.body = R"({"authenticatedUser":{"id":")" + kMe +
                                       R"("},"authorizedUser":{"id":"x"}})"};
const PullRequestOptions kCompleting{.auto_merge = true};

HttpScripted completing(const std::string& who, const std::string& options = "{}",
                        const std::string& more = {}) {
    return {.body = Pull{.more = R"(,"autoCompleteSetBy":{"id":")" + who +
                                 R"("},"completionOptions":)" + options + more}
                        .json()};
}

const std::string kConnectionAsked =
    "GET " + kRoot + "/_apis/connectionData?api-version=7.1-preview.1";
const std::string kVersion = "?api-version=7.1";

}  // namespace

TEST_CASE("azdo: labels are added by name, and none that is there") {
    Desk desk;
    desk.host.answer_http({.body = Pull().json()});
    desk.host.answer_http({.body = list({R"({"id":"1","name":"Promotion"})"})});
    desk.host.answer_http({.body = R"({"name":"qa"})"});
    const auto warnings = desk.apply({.labels = {"promotion", "qa"}});
    REQUIRE(warnings);
    CHECK(warnings->empty());
    CHECK(desk.asked(1) ==
          std::vector<std::string>{"GET ~/7/labels" + kVersion,
                                   "POST ~/7/labels" + kVersion + R"( {"name":"qa"})"});
}

TEST_CASE("azdo: reviewers are found by name and asked once, required or not") {
    Desk desk;
    desk.options.required_reviewers = {"ann@acme.test"};
    desk.host.answer_http(
        {.body = Pull{.more = R"(,"reviewers":[{"id":"b","uniqueName":"Bob@acme.test","vote":10}])"}
                     .json()});
    desk.host.answer_http({.body = list({R"({"id":")" + kAnn + R"("})"})});
    desk.host.answer_http({.body = "{}"});
    desk.host.answer_http({.body = "{}"});
    const auto warnings = desk.apply({.reviewers = {"bob@acme.test", kMe}});
    REQUIRE(warnings);
    CHECK(warnings->empty());
    CHECK(desk.asked(1) ==
          std::vector<std::string>{
              "GET https://vssps.dev.azure.com/acme/_apis/identities?searchFilter=General&"
              "filterValue=ann%40acme.test&queryMembership=None&api-version=7.1",
              "PUT ~/7/reviewers/" + kAnn + kVersion + R"( {"isRequired":true,"vote":0})",
              "PUT ~/7/reviewers/" + kMe + kVersion + R"( {"isRequired":false,"vote":0})"});
}

TEST_CASE("azdo: a reviewer whom nobody or several are is a warning") {
    for (const auto& [found, why] :
         {std::pair{list({}), "nobody has"},
          std::pair{list({R"({"id":")" + kAnn + R"("})", R"({"id":")" + kMe + R"("})"}),
                    "several have"}}) {
        Desk desk;
        desk.host.answer_http({.body = Pull().json()});
        desk.host.answer_http({.body = found});
        const auto warnings = desk.apply({.reviewers = {"ann"}});
        REQUIRE(warnings);
        REQUIRE(warnings->size() == 1);
        CHECK_THAT(warnings->at(0),
                   Catch::Contains("cannot ask ann for a review") && Catch::Contains(why));
    }
}

TEST_CASE("azdo: work items go with the creation, and those that Azure refuses do not stop it") {
    Desk desk;
    desk.options.work_items = {42, 43};
    desk.host.answer_http({.code = 400, .body = refusal("WorkItemException", "no such work item")});
    desk.host.answer_http({.code = 201, .body = Pull().json()});
    desk.host.answer_http({.body = list({R"({"id":"42"})"})});
    desk.host.answer_http({.code = 404, .body = refusal("WorkItemException", "TF401232")});
    const auto warnings = desk.ask<std::vector<std::string>>([&](auto& forge) {
        return forge.apply(*forge.create(kHead, "main", {"T", "B"}, false), {});
    });
    REQUIRE(warnings);
    REQUIRE(warnings->size() == 1);
    CHECK_THAT(warnings->at(0), Catch::Contains("cannot link work item 43"));
    const auto asked = desk.asked();
    REQUIRE(asked.size() == 4);
    CHECK_THAT(asked[0], Catch::Contains(R"("workItemRefs":[{"id":"42"},{"id":"43"}])"));
    CHECK(asked[1].find("workItemRefs") == std::string::npos);
    CHECK(asked[2] == "GET ~/7/workitems" + kVersion);
    CHECK_THAT(asked[3], Catch::Contains("PATCH " + kRoot + "/_apis/wit/workitems/43?") &&
                             Catch::Contains(R"(PullRequestId/p-1%2Fr-1%2F7)"));
    CHECK(desk.host.requests()[3].header("Content-Type") == "application/json-patch+json");
}

TEST_CASE("azdo: work items that were taken with the creation are not asked for again") {
    Desk desk;
    desk.options.work_items = {42};
    desk.host.answer_http({.code = 201, .body = Pull().json()});
    REQUIRE(desk.ask<std::vector<std::string>>([&](auto& forge) {
        return forge.apply(*forge.create(kHead, "main", {"T", "B"}, false), {});
    }));
    CHECK(desk.asked().size() == 1);
}

TEST_CASE("azdo: auto-complete is set with the caller's own identity and the options") {
    Desk desk;
    desk.options.completion = {.merge_strategy = "squash",
                               .delete_source_branch = true,
                               .transition_work_items = false,
                               .merge_commit_message = "why",
                               .ignored_policies = {12}};
    desk.host.answer_http({.body = Pull().json()});
    desk.host.answer_http(kConnection);
    desk.host.answer_http(completing(kMe));
    const auto warnings = desk.apply(kCompleting);
    REQUIRE(warnings);
    CHECK(warnings->empty());
    CHECK(desk.asked(1) ==
          std::vector<std::string>{
              kConnectionAsked, "PATCH ~/7" + kVersion + R"( {"autoCompleteSetBy":{"id":")" + kMe +
                                    R"("},"completionOptions":{"autoCompleteIgnoreConfigIds":[12],)"
                                    R"("deleteSourceBranch":true,"mergeCommitMessage":"why",)"
                                    R"("mergeStrategy":"squash","transitionWorkItems":false}})"});
}

TEST_CASE("azdo: auto-complete that is as it should be is left alone") {
    Desk desk;
    desk.options.completion.merge_strategy = "squash";
    desk.host.answer_http(completing(kMe, R"({"mergeStrategy":"squash"})"));
    desk.host.answer_http(kConnection);
    REQUIRE(desk.apply(kCompleting));
    CHECK(desk.asked().size() == 2);
    // With another strategy it is set anew.
    desk.host.answer_http(completing(kMe, R"({"mergeStrategy":"rebase"})"));
    desk.host.answer_http(kConnection);
    desk.host.answer_http(completing(kMe, R"({"mergeStrategy":"squash"})"));
    REQUIRE(desk.apply(kCompleting)->empty());
    CHECK(desk.asked().size() == 5);
}

TEST_CASE("azdo: auto-complete is switched off again, but not what somebody else has set") {
    Desk desk;
    desk.host.answer_http(completing(kMe));
    desk.host.answer_http(kConnection);
    desk.host.answer_http({.body = Pull().json()});
    REQUIRE(desk.apply({})->empty());
    CHECK(desk.asked(1) ==
          std::vector<std::string>{
              kConnectionAsked,
              "PATCH ~/7" + kVersion + R"( {"autoCompleteSetBy":{"id":")" + kNobody + R"("}})"});
    for (const bool wanted : {true, false}) {
        Desk theirs;
        theirs.host.answer_http(completing(kAnn));
        theirs.host.answer_http(kConnection);
        REQUIRE(theirs.apply({.auto_merge = wanted})->empty());
        CHECK(theirs.asked(1) == std::vector<std::string>{kConnectionAsked});
    }
}

TEST_CASE("azdo: without auto-complete nobody is asked who we are") {
    for (const HttpScripted& answer : {HttpScripted{.body = Pull().json()}, completing(kNobody)}) {
        Desk desk;
        desk.host.answer_http(answer);
        REQUIRE(desk.apply({})->empty());
        CHECK(desk.asked().size() == 1);
    }
}

TEST_CASE(
    "azdo: auto-complete that is ignored silently is tried again; completed at once is fine") {
    Desk desk;
    desk.host.answer_http({.body = Pull().json()});
    desk.host.answer_http(kConnection);
    desk.host.answer_http({.body = Pull().json()});
    const auto ignored = desk.apply(kCompleting);
    REQUIRE_FALSE(ignored);
    CHECK(ignored.error().kind == ErrorKind::Transient);
    CHECK_THAT(ignored.error().message,
               Catch::Contains("cannot set auto-complete") && Catch::Contains("changed nothing"));
    desk.host.answer_http({.body = Pull().json()});
    desk.host.answer_http(kConnection);
    desk.host.answer_http({.body = Pull{.status = R"("completed")"}.json()});
    CHECK(desk.apply(kCompleting)->empty());
}

TEST_CASE("azdo: connectionData that names nobody is a bad answer") {
    for (const char* body : {"{}", R"({"authenticatedUser":{"id":"me"}})", "[]", "<"}) {
        Desk desk;
        desk.host.answer_http({.body = Pull().json()});
        desk.host.answer_http({.body = body});
        const auto refused = desk.apply(kCompleting);
        REQUIRE_FALSE(refused);
        CHECK_THAT(refused.error().message, Catch::Contains("bad answer"));
    }
}

TEST_CASE("azdo: a draft is published only where the config says so, and may complete then") {
    const std::string draft = R"(,"isDraft":true)";
    const auto as_draft = [&] {
        auto json = Pull().json();
        json.replace(json.find(R"("isDraft":false)"), 15, R"("isDraft":true)");
        return HttpScripted{.body = json};
    };
    Desk desk;
    desk.host.answer_http(as_draft());
    REQUIRE(desk.apply(kCompleting)->empty());
    CHECK(desk.asked().size() == 1);
    auto options = kCompleting;
    options.mark_ready = true;
    desk.host.answer_http(as_draft());
    desk.host.answer_http({.body = Pull().json()});
    desk.host.answer_http(kConnection);
    desk.host.answer_http(completing(kMe));
    REQUIRE(desk.apply(options)->empty());
    CHECK(desk.asked(1).at(1) == "PATCH ~/7" + kVersion + R"( {"isDraft":false})");
    CHECK(desk.asked().size() == 5);
    // Ignored silently: it stays a draft and does not complete.
    desk.host.answer_http(as_draft());
    desk.host.answer_http(as_draft());
    CHECK_FALSE(desk.apply(options));
    CHECK(desk.asked().size() == 7);
}

TEST_CASE("azdo: what cannot be set is a warning each, and the rest is still tried") {
    Desk desk;
    desk.options.work_items = {42};
    desk.host.answer_http({.body = Pull().json()});
    desk.host.on_http([](const HttpAsked&) {
        return HttpScripted{.code = 403, .body = refusal("GitNeedsPermissionException", "no")};
    });
    const auto warnings = desk.apply({.labels = {"l"}, .reviewers = {kAnn}, .auto_merge = true});
    REQUIRE(warnings);
    REQUIRE(warnings->size() == 4);
    CHECK(warnings->at(0) ==
          "cannot add labels: HTTP 403, no; the token needs Code (read and write)");
}
