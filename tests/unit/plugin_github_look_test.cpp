// Looks at a pull request: what is in the way of its merge.
#include "catch.hpp"
#include "plugin_github_told.hpp"

using namespace hub;

namespace {

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

TEST_CASE("github: what reports have led to is told until it was taken, whatever fails meanwhile") {
    Desk desk;
    github::Remembered remembered;
    Told told{.checks = status("a", "PENDING")};
    std::string reports = "\"r1\"";
    const HttpScripted fine{.headers = {{"ETag", "\"1\""}}, .body = blocked().json()};
    HttpScripted whole = fine;
    std::size_t asked_for_standing = 0;
    desk.host.on_http([&](const HttpAsked& asked) {
        if (asked.url.ends_with("/graphql")) {
            ++asked_for_standing;
            return told.answer();
        }
        const bool report = asked.url.find("/commits/0a1b/") != std::string::npos;
        const std::string etag = report ? reports : "\"1\"";
        if (asked.header("If-None-Match") == etag) return HttpScripted{.code = 304};
        return report ? HttpScripted{.headers = {{"ETag", etag}}, .body = "{}"} : whole;
    });
    const auto held = desk.look(7, {}, &remembered);
    const auto again = [&](const std::string& etag) { return desk.look(7, etag, &remembered); };
    REQUIRE_FALSE(*again((*held)->etag));
    reports = "\"r2\"";
    told.checks = status("a", "FAILURE");
    for (const auto& fault :
         {HttpScripted{.code = 502, .body = "<html>"}, HttpScripted{.body = "<html>"},
          HttpScripted{.body = Pull{.number = "8"}.json()},
          HttpScripted{.status = PROMOTIOND_HTTP_TIMEOUT, .error = "out of time"}}) {
        whole = fault;
        CHECK_FALSE(again((*held)->etag));
    }
    whole = fine;
    // An answer that nobody has kept comes again.
    for (int i = 0; i < 2; ++i) {
        const auto news = again((*held)->etag);
        REQUIRE((news && *news));
        CHECK((*news)->obstacle == "it waits for check a (failed)");
    }
    const auto taken = again((*held)->etag);
    const std::size_t before = asked_for_standing;
    CHECK_FALSE(*again((*taken)->etag));
    CHECK(asked_for_standing == before);
}

TEST_CASE("github: a change that GraphQL could not explain is looked at again") {
    Desk desk;
    HttpScripted graphql = Told{.more = R"(,"reviewDecision":"REVIEW_REQUIRED")"}.answer();
    std::string etag = "\"1\"";
    desk.host.on_http([&](const HttpAsked& asked) {
        if (asked.url.ends_with("/graphql")) return graphql;
        if (asked.url.find("/commits/") != std::string::npos ||
            asked.header("If-None-Match") == etag) {
            return HttpScripted{.code = 304};
        }
        return HttpScripted{.headers = {{"ETag", etag}}, .body = blocked().json()};
    });
    github::Remembered remembered;
    const auto look = [&](const std::string& last) { return desk.look(7, last, &remembered); };
    const HttpScripted down{.code = 502, .body = "<html>"};
    const HttpScripted reviewed = graphql;
    graphql = down;
    const auto first = look({});
    CHECK((*first)->obstacle.empty());
    graphql = reviewed;
    const auto second = look((*first)->etag);
    REQUIRE(*second);
    CHECK((*second)->obstacle == "it waits for a review");
    etag = "\"2\"";
    graphql = down;
    const auto third = look((*second)->etag);
    CHECK((*third)->obstacle == "it waits for a review");
    graphql = Told{.state = "CLEAN"}.answer();
    const auto fourth = look((*third)->etag);
    REQUIRE(*fourth);
    CHECK((*fourth)->obstacle.empty());
    CHECK_FALSE(*look((*fourth)->etag));
}

TEST_CASE("github: what changes after it was seen what is in the way is news at the next look") {
    Desk desk;
    github::Remembered remembered;
    Told told{.more = R"(,"reviewDecision":"REVIEW_REQUIRED")"};
    std::string etag = "\"1\"";
    bool reviewed = false;
    desk.host.on_http([&](const HttpAsked& asked) {
        if (asked.url.ends_with("/graphql")) {
            const auto answer = told.answer();
            if (reviewed) etag = "\"2\"";
            return answer;
        }
        const bool report = asked.url.find("/commits/0a1b/") != std::string::npos;
        const std::string now = report ? "\"r\"" : etag;
        if (asked.header("If-None-Match") == now) return HttpScripted{.code = 304};
        return HttpScripted{.headers = {{"ETag", now}},
                            .body = report ? std::string("{}") : blocked().json()};
    });
    const auto look = [&](const std::string& last) { return desk.look(7, last, &remembered); };
    const auto held = look({});
    told.state = "BEHIND";
    reviewed = true;
    const auto behind = look((*held)->etag);
    CHECK((*behind)->obstacle == "its branch has to be brought up to date");
    told.state = "CLEAN";
    const auto free = look((*behind)->etag);
    REQUIRE(*free);
    CHECK((*free)->obstacle.empty());
    CHECK_FALSE(*look((*free)->etag));
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
