// Automatic merge, on and off.
#include "catch.hpp"
#include "plugin_github_told.hpp"

using namespace hub;

namespace {

const PullRequestOptions kMerging{.auto_merge = true, .merge_method = "squash"};
const std::string kMerge = "/repos/acme/fleet/pulls/7/merge";

HttpScripted refused(const std::string& words) {
    return {.body = R"({"data":{"enablePullRequestAutoMerge":null},"errors":[{"type":)"
                    R"("UNPROCESSABLE","path":["enablePullRequestAutoMerge"],"message":")" +
                    words + R"("}]})"};
}

const HttpScripted kDone{.body = R"({"data":{}})"};

// Sets this pull request to merge by itself; the answers after the first are scripted by the test.
struct Automatic {
    Desk desk;
    PullRequest existing;

    explicit Automatic(const std::string& more = {}) {
        desk.host.answer_http({.body = Pull{.more = more}.json()});
        existing = **desk.look(7);
    }
    Result<std::vector<std::string>> apply(const PullRequestOptions& options = kMerging) {
        return desk.apply(existing, options);
    }
    [[nodiscard]] std::vector<HttpAsked> asked() const {
        auto all = desk.host.requests();
        all.erase(all.begin());
        return all;
    }
};

}  // namespace

TEST_CASE("github: an older server is asked for what it knows") {
    Automatic merge;
    merge.desk.host.answer_http(
        {.body =
             R"({"errors":[{"message":"Field 'isInMergeQueue' doesn't exist on type 'PullRequest'"}]})"});
    merge.desk.host.answer_http({.body = R"({"data":{"node":{"mergeStateStatus":"CLEAN"}}})"});
    merge.desk.host.answer_http({.body = R"({"merged":true})"});
    REQUIRE(merge.apply()->empty());
    CHECK(merge.asked().back().url.ends_with(kMerge));
}

TEST_CASE("github: what only optional checks object to is merged at once") {
    Automatic merge;
    merge.desk.host.answer_http(Told{.state = "UNSTABLE"}.answer());
    merge.desk.host.answer_http({.body = R"({"merged":true})"});
    REQUIRE(merge.apply()->empty());
    CHECK(merge.asked().back().body == R"({"merge_method":"squash","sha":"0a1b"})");
}

TEST_CASE("github: when there turns out to be nothing to wait for it is merged at once") {
    for (const char* words :
         {"Pull request Pull request is in clean status", "Pull request is in unstable status",
          "Pull request Protected branch rules not configured for this branch"}) {
        Automatic merge;
        merge.desk.host.answer_http(Told{.state = "UNKNOWN"}.answer());
        merge.desk.host.answer_http(refused(words));
        merge.desk.host.answer_http({.body = R"({"merged":true})"});
        REQUIRE(merge.apply()->empty());
        CHECK(merge.asked().back().url.ends_with(kMerge));
    }
}

TEST_CASE("github: a merge method that the repository does not allow is named with those it does") {
    Automatic merge;
    merge.desk.host.answer_http(Told{}.answer());
    const auto warnings = merge.apply({.auto_merge = true, .merge_method = "rebase"});
    REQUIRE(warnings);
    CHECK(warnings->at(0) ==
          "cannot merge automatically: the repository does not allow the merge method rebase, "
          "only merge, squash; change mergeMethod, or the repository's settings");
    CHECK(merge.asked().size() == 1);
}

TEST_CASE(
    "github: where the settings do not allow auto-merge the warning says so, and nothing is "
    "tried") {
    Automatic known;
    known.desk.host.answer_http(Told{.allows = R"("squashMergeAllowed":true)"}.answer());
    const auto warnings = known.apply();
    REQUIRE(warnings);
    CHECK_THAT(warnings->at(0),
               Catch::Contains("does not allow auto-merge; allow it in its settings"));
    CHECK(known.asked().size() == 1);
    Automatic told;
    told.desk.host.answer_http(Told{}.answer());
    told.desk.host.answer_http(
        refused("Pull request Auto merge is not allowed for this repository"));
    CHECK_THAT(told.apply()->at(0), Catch::Contains("allow it in its settings"));
}

TEST_CASE("github: where a merge queue is in force it is queued, never merged past it") {
    Automatic merge;
    merge.desk.host.answer_http(
        Told{.state = "CLEAN", .more = R"(,"isMergeQueueEnabled":true)", .allows = {}}.answer());
    merge.desk.host.answer_http(kDone);
    REQUIRE(merge.apply()->empty());
    CHECK_THAT(merge.asked().back().body, Catch::Contains("enablePullRequestAutoMerge"));
    Automatic queued;
    queued.desk.host.answer_http(Told{.more = R"(,"isInMergeQueue":true)"}.answer());
    REQUIRE(queued.apply()->empty());
    CHECK(queued.asked().size() == 1);
}

TEST_CASE("github: a branch that moves under the merge is a passing fault") {
    for (const std::string which : {"Base", "Head"}) {
        const std::string words = which + " branch was modified. Review and try the merge again.";
        Automatic merge;
        merge.desk.host.answer_http(Told{.state = "CLEAN"}.answer());
        merge.desk.host.answer_http({.code = 405, .body = R"({"message":")" + words + "\"}"});
        const auto merged = merge.apply();
        REQUIRE_FALSE(merged);
        CHECK(merged.error().kind == ErrorKind::Transient);
    }
    Automatic scheduled;
    scheduled.desk.host.answer_http(Told{}.answer());
    scheduled.desk.host.answer_http(refused("Head branch was modified. Review and try it again."));
    const auto result = scheduled.apply();
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == ErrorKind::Transient);
}

TEST_CASE(
    "github: auto-merge is switched off once the option has gone, if this credential set it") {
    const std::string on = R"(,"auto_merge":{"merge_method":"squash"})";
    const auto set_by = [](const std::string& login) {
        return Told{.more = R"(,"autoMergeRequest":{"enabledBy":{"login":")" + login + R"("}})"};
    };
    Automatic ours(on);
    ours.desk.host.answer_http(set_by("Ship").answer());
    ours.desk.host.answer_http(kDone);
    REQUIRE(ours.apply({})->empty());
    CHECK_THAT(ours.asked().back().body, Catch::Contains("disablePullRequestAutoMerge"));
    Automatic theirs(on);
    theirs.desk.host.answer_http(set_by("ann").answer());
    REQUIRE(theirs.apply({})->empty());
    CHECK(theirs.asked().size() == 1);
}

TEST_CASE("github: a GraphQL budget that is used up is waited for") {
    Automatic merge;
    merge.desk.host.answer_http(
        {.headers = {{"Retry-After", "7"}},
         .body = R"({"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]})"});
    const auto result = merge.apply();
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == ErrorKind::Throttled);
    CHECK(result.error().retry_after == std::chrono::seconds(7));
}
