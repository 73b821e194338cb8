// What is in the way of a merge, and automatic merge on and off.
#include "catch.hpp"
#include "plugin_github_fixture.hpp"

using namespace hub;

namespace {

const PullRequestOptions kMerging{.auto_merge = true, .merge_method = "squash"};
const std::string kMerge = "/repos/acme/fleet/pulls/7/merge";

// A pull request as GraphQL tells of it; members are JSON.
struct Told {
    std::string state = "BLOCKED";
    std::string more = {};    // further members of the pull request, each with a comma in front
    std::string checks = {};  // nodes
    std::string allows = R"("autoMergeAllowed":true,"mergeCommitAllowed":true,)"
                         R"("squashMergeAllowed":true,"rebaseMergeAllowed":false)";

    [[nodiscard]] HttpScripted answer() const {
        return {.body = R"({"data":{"viewer":{"login":"ship[bot]"},"node":{"mergeStateStatus":")" +
                        state + R"(","commits":{"nodes":[{"commit":{"statusCheckRollup":{)" +
                        R"("contexts":{"nodes":[)" + checks + R"(]}}}}]},"repository":{)" + allows +
                        "}" + more + "}}}"};
    }
};

HttpScripted refused(const std::string& words) {
    return {.body = R"({"data":{"enablePullRequestAutoMerge":null},"errors":[{"type":)"
                    R"("UNPROCESSABLE","path":["enablePullRequestAutoMerge"],"message":")" +
                    words + R"("}]})"};
}

const HttpScripted kDone{.body = R"({"data":{}})"};

std::string run(const std::string& name, const std::string& status, const std::string& conclusion,
                bool required = true) {
    return R"({"__typename":"CheckRun","name":")" + name + R"(","status":")" + status +
           R"(","conclusion":)" + (conclusion.empty() ? "null" : '"' + conclusion + '"') +
           R"(,"isRequired":)" + (required ? "true}" : "false}");
}

std::string status(const std::string& context, const std::string& state, bool required = true) {
    return R"({"__typename":"StatusContext","context":")" + context + R"(","state":")" + state +
           R"(","isRequired":)" + (required ? "true}" : "false}");
}

Pull blocked(const std::string& state = "blocked") {
    return {.more = R"(,"mergeable_state":")" + state + '"'};
}

// What a first look comes to, when GraphQL tells this and REST lists these rules.
PullRequest look(const Told& told, const std::string& rules = "[]") {
    Desk desk;
    desk.host.on_http([&](const HttpAsked& asked) {
        if (asked.url.ends_with("/graphql")) return told.answer();
        if (asked.url.find("/rules/branches/") != std::string::npos) {
            return HttpScripted{.body = rules};
        }
        return HttpScripted{.headers = {{"ETag", "\"1\""}}, .body = blocked().json()};
    });
    const auto found = desk.look(7);
    REQUIRE(found);
    return **found;
}

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

TEST_CASE("github: required checks that have not passed are named, from statuses and runs alike") {
    const Told told{
        .checks = status("ci/build", "PENDING") + "," + run("e2e", "IN_PROGRESS", "") + "," +
                  run("lint", "COMPLETED", "FAILURE") + "," + status("cov", "FAILURE", false) +
                  "," + run("skip", "COMPLETED", "SKIPPED") + "," +
                  run("neutral", "COMPLETED", "NEUTRAL") + "," + status("sign", "SUCCESS")};
    CHECK(look(told).obstacle == "it waits for check ci/build, check e2e and check lint (failure)");
}

TEST_CASE(
    "github: a required check that nobody has begun is named, of classic rules and rulesets") {
    const Told classic{.more = R"(,"baseRef":{"refUpdateRule":{"requiredStatusCheckContexts":)"
                               R"(["ci","done"]}})",
                       .checks = status("done", "SUCCESS")};
    CHECK(look(classic).obstacle == "it waits for check ci");
    const std::string rules = R"([{"type":"deletion"},{"type":"required_status_checks",)"
                              R"("parameters":{"required_status_checks":[{"context":"deploy"}]}}])";
    CHECK(look({}, rules).obstacle == "it waits for check deploy");
    CHECK(look({}, R"([{"type":"required_signatures"}])").obstacle ==
          "it waits for signed commits");
}

TEST_CASE("github: where nobody may see the rules it is still said that they are in the way") {
    for (const char* rules : {"[]", "{}", "", R"([1])"}) {
        CHECK(look({}, rules).obstacle == "rules of the base branch are in the way");
    }
}

TEST_CASE("github: reviews, conflicts and the merge queue are named") {
    CHECK(look({.more = R"(,"reviewDecision":"REVIEW_REQUIRED")"}).obstacle ==
          "it waits for a review");
    CHECK(look({.more = R"(,"reviewDecision":"CHANGES_REQUESTED")"}).obstacle ==
          "it waits for the changes that a review asks for");
    CHECK(look({.state = "DIRTY"}).obstacle == "its branches conflict");
    CHECK(look({.state = "BEHIND"}).obstacle == "its branch has to be brought up to date");
    CHECK(look({.more = R"(,"isInMergeQueue":true)"}).obstacle == "it is in the merge queue");
    const std::string removed =
        R"(,"timelineItems":{"nodes":[{"__typename":"RemovedFromMergeQueueEvent","reason":)"
        R"("failed\nchecks"}]})";
    CHECK(look({.state = "CLEAN", .more = removed}).obstacle ==
          "it was removed from the merge queue (failed checks)");
    CHECK(look({.state = "CLEAN"}).obstacle.empty());
}

TEST_CASE(
    "github: while something is in the way checks are looked at, although the rest is as it was") {
    Desk desk;
    Told told{.checks = status("a", "PENDING") + "," + status("b", "PENDING")};
    std::size_t whole = 0;
    desk.host.on_http([&](const HttpAsked& asked) {
        if (asked.url.ends_with("/graphql")) return told.answer();
        if (asked.header("If-None-Match") == "\"1\"") return HttpScripted{.code = 304};
        ++whole;
        return HttpScripted{.headers = {{"ETag", "\"1\""}}, .body = blocked().json()};
    });
    const auto first = desk.look(7);
    REQUIRE(first);
    CHECK((*first)->obstacle == "it waits for check a and check b");
    const auto same = desk.look(7, (*first)->etag);
    REQUIRE(same);
    CHECK_FALSE(*same);
    told.checks = status("a", "SUCCESS") + "," + status("b", "PENDING");
    const auto second = desk.look(7, (*first)->etag);
    REQUIRE(second);
    CHECK((*second)->obstacle == "it waits for check b");
    CHECK(whole == 2);
    CHECK(desk.host.requests().at(1).body.find("PR_7") != std::string::npos);
}

TEST_CASE("github: what is in the way is lost to no fault, and looked at no more once it is gone") {
    Desk desk;
    HttpScripted graphql = Told{.checks = status("a", "PENDING")}.answer();
    std::size_t asked_for_checks = 0;
    desk.host.on_http([&](const HttpAsked& asked) {
        if (asked.url.ends_with("/graphql")) {
            ++asked_for_checks;
            return graphql;
        }
        if (asked.header("If-None-Match") == "\"1\"") return HttpScripted{.code = 304};
        return HttpScripted{.headers = {{"ETag", "\"1\""}}, .body = blocked().json()};
    });
    const auto held = desk.look(7);
    graphql = {.code = 502, .body = "<html>"};
    CHECK_FALSE(*desk.look(7, (*held)->etag));
    graphql = Told{.state = "CLEAN"}.answer();
    const auto open = desk.look(7, (*held)->etag);
    CHECK((*open)->obstacle.empty());
    const std::size_t before = asked_for_checks;
    CHECK_FALSE(*desk.look(7, (*open)->etag));
    CHECK(asked_for_checks == before);
}

TEST_CASE("github: what is in the way is asked for only if something was reported") {
    Desk desk;
    github::Remembered remembered;
    HttpScripted graphql = Told{}.answer();
    std::string reports = "\"r1\"";
    std::size_t asked_for_standing = 0;
    desk.host.on_http([&](const HttpAsked& asked) {
        if (asked.url.ends_with("/graphql")) {
            ++asked_for_standing;
            return graphql;
        }
        const bool report = asked.url.find("/commits/0a1b/") != std::string::npos;
        const std::string etag = report ? reports : "\"1\"";
        if (asked.header("If-None-Match") == etag) return HttpScripted{.code = 304};
        return HttpScripted{.headers = {{"ETag", etag}},
                            .body = report ? std::string("{}") : blocked().json()};
    });
    auto held = desk.look(7, {}, &remembered);
    const auto again = [&] { return desk.look(7, (*held)->etag, &remembered); };
    CHECK_FALSE(*again());  // the first to ask for reports
    const std::size_t before = asked_for_standing;
    CHECK_FALSE(*again());
    CHECK(asked_for_standing == before);
    reports = "\"r2\"";
    graphql = {.code = 502, .body = "<html>"};
    CHECK_FALSE(*again());
    // What GraphQL could not say is asked again.
    graphql = Told{.more = R"(,"isInMergeQueue":true)"}.answer();
    held = again();
    CHECK((*held)->obstacle == "it is in the merge queue");
    // That it leaves the queue nobody reports on the commit.
    graphql = Told{.state = "CLEAN"}.answer();
    CHECK((*again())->obstacle.empty());
}

TEST_CASE("github: a pull request whose branches conflict is known as such") {
    Desk desk;
    desk.host.answer_http({.body = blocked("dirty").json()});
    desk.host.answer_http(Told{.state = "DIRTY"}.answer());
    const auto dirty = desk.look(7);
    CHECK((*dirty)->conflicts);
    desk.host.answer_http({.body = blocked("clean").json()});
    desk.host.answer_http(Told{.state = "CLEAN"}.answer());
    CHECK_FALSE((*desk.look(7))->conflicts);
}

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
