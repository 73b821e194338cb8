// Statuses on Azure DevOps: set, and how urgent that and auto-complete are.
#include "catch.hpp"
#include "plugin_azdo_fixture.hpp"

using namespace azure;

namespace {

const std::string kCommit(40, 'a');

Result<void> publish(Desk& desk, const StatusReport& report) {
    return desk.ask<void>([&](auto& forge) { return forge.publish(kCommit, 7, report); });
}

}  // namespace

TEST_CASE(
    "azdo: a status of our own is set on the pull request, where policies look, as urgently as a "
    "merge") {
    Desk desk;
    desk.host.answer_http({.code = 201, .body = "{}"});
    REQUIRE(publish(desk, {"promotiond/shop-dev", Verdict::Success, "shop-dev is reconciled"}));
    const HttpAsked asked = desk.host.requests().at(0);
    CHECK(asked.method == "POST");
    CHECK(asked.url == kRoot +
                           "/My%20Team/_apis/git/repositories/fleet/pullRequests/7/statuses"
                           "?api-version=7.1");
    CHECK(asked.body == R"({"context":{"genre":"promotiond","name":"shop-dev"},)"
                        R"("description":"shop-dev is reconciled","state":"succeeded"})");
    CHECK(asked.header("Promotiond-Budget") == "merge write core");
}

TEST_CASE("azdo: each verdict has its state") {
    for (const auto& [verdict, state] : {std::pair{Verdict::Pending, "pending"},
                                         {Verdict::Failure, "failed"},
                                         {Verdict::Success, "succeeded"}}) {
        Desk desk;
        desk.host.answer_http({.code = 201, .body = "{}"});
        REQUIRE(publish(desk, {"promotiond/x", verdict, "d"}));
        CHECK_THAT(desk.host.requests().at(0).body,
                   Catch::Contains(std::string(R"("state":")") + state + '"'));
    }
}

TEST_CASE("azdo: a status that is refused is told as such, and the token is not in the message") {
    Desk desk;
    desk.host.answer_http(
        {.code = 403, .body = refusal("GitNeedsPermissionException", "TF401027")});
    const auto refused = publish(desk, {"promotiond/shop-dev", Verdict::Pending, "waits"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Unauthorized);
    CHECK_THAT(
        refused.error().message,
        Catch::Contains("cannot set the status promotiond/shop-dev") && !Catch::Contains(kToken));
}

TEST_CASE("azdo: auto-complete is set as urgently as a merge, labels are not") {
    Desk desk;
    desk.host.answer_http({.body = Pull().json()});
    desk.host.answer_http({.body = list({})});
    desk.host.answer_http({.body = R"({"name":"qa"})"});
    desk.host.answer_http({.body = R"({"authenticatedUser":{"id":")" + kMe + R"("}})"});
    desk.host.answer_http({.body = Pull{.more = R"(,"autoCompleteSetBy":{"id":")" + kMe +
                                                R"("},"completionOptions":{})"}
                                       .json()});
    PullRequestOptions options;
    options.labels = {"qa"};
    options.auto_merge = true;
    REQUIRE(desk.apply(options));
    const auto asked = desk.host.requests();
    REQUIRE(asked.size() == 5);
    CHECK(asked[2].header("Promotiond-Budget") == "open write core");
    CHECK(asked[3].header("Promotiond-Budget") == "merge read core");
    CHECK(asked[4].method == "PATCH");
    CHECK(asked[4].header("Promotiond-Budget") == "merge write core");
}
