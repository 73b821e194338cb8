// Commit statuses on GitHub: read and set.
#include "catch.hpp"
#include "plugin_github_fixture.hpp"

using namespace hub;

namespace {

const std::string kCommit(40, 'a');
const std::string kUrl = "https://api.github.com/repos/acme/fleet/";

Result<void> publish(Desk& desk, const StatusReport& report) {
    return desk.ask<void>([&](auto& forge) { return forge.publish(kCommit, 7, report); });
}

}  // namespace

TEST_CASE("github: a status of our own is set on the commit, as urgently as a merge") {
    Desk desk;
    desk.host.answer_http({.code = 201, .body = "{}"});
    REQUIRE(publish(desk, {"promotiond/shop-dev", Verdict::Success, "shop-dev is reconciled"}));
    const HttpAsked asked = desk.host.requests().at(0);
    CHECK(asked.method == "POST");
    CHECK(asked.url == kUrl + "statuses/" + kCommit);
    CHECK(asked.body == R"({"context":"promotiond/shop-dev",)"
                        R"("description":"shop-dev is reconciled","state":"success"})");
    CHECK(asked.header("Promotiond-Budget") == "merge write core");
}

TEST_CASE("github: each verdict has its state, and a description what GitHub takes of it") {
    for (const auto& [verdict, state] : {std::pair{Verdict::Pending, "pending"},
                                         {Verdict::Failure, "failure"},
                                         {Verdict::Success, "success"}}) {
        Desk desk;
        desk.host.answer_http({.code = 201, .body = "{}"});
        REQUIRE(publish(desk, {"promotiond/x", verdict, std::string(200, 'd')}));
        const auto body = desk.host.requests().at(0).body;
        CHECK_THAT(body, Catch::Contains(std::string(R"("state":")") + state + '"'));
        CHECK_THAT(body, Catch::Contains('"' + std::string(140, 'd') + '"'));
    }
}

TEST_CASE("github: a token that may set no statuses is told as such, and is not in the message") {
    Desk desk;
    desk.host.answer_http({.code = 403, .body = R"({"message":"Resource not accessible"})"});
    const auto refused = publish(desk, {"promotiond/shop-dev", Verdict::Pending, "waits"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Unauthorized);
    CHECK_THAT(
        refused.error().message,
        Catch::Contains("cannot set the status promotiond/shop-dev") && !Catch::Contains(kToken));
}

TEST_CASE("github: the statuses of a commit are read newest first, page by page") {
    Desk desk;
    std::string page = R"([{"context":"kustomization/shop-dev","state":"success"})";
    for (int i = 1; i < 100; ++i) page += R"(,{"context":"ci","state":"error"})";
    desk.host.answer_http({.body = page + "]"});
    desk.host.answer_http({.body = R"([{"context":"kustomization/shop-dev","state":"pending"}])"});
    using Statuses = std::vector<CommitStatus>;
    const auto all = desk.ask<Statuses>([](auto& forge) { return forge.statuses(kCommit); });
    REQUIRE(all);
    CHECK(all->size() == 101);
    CHECK(verdict_on("shop-dev", *all) == Verdict::Success);
    CHECK(all->at(1).verdict == Verdict::Failure);
    CHECK(desk.host.requests().at(1).url ==
          kUrl + "commits/" + kCommit + "/statuses?per_page=100&page=2");
}

TEST_CASE("github: statuses that are as they were cost nothing, and are known all the same") {
    Desk desk;
    github::Remembered remembered;
    std::string etag = "W/\"1\"";
    desk.host.on_http([&](const HttpAsked& asked) {
        if (asked.header("If-None-Match") == etag) return HttpScripted{.code = 304};
        return HttpScripted{.headers = {{"ETag", etag}},
                            .body = R"([{"context":"kustomization/shop-dev","state":")" +
                                    std::string(etag == "W/\"1\"" ? "pending" : "success") +
                                    "\"}]"};
    });
    const auto look = [&] {
        const auto seen = desk.ask<std::vector<CommitStatus>>(
            [](auto& forge) { return forge.statuses(kCommit); }, &remembered);
        REQUIRE(seen);
        return verdict_on("shop-dev", *seen);
    };
    CHECK(look() == Verdict::Pending);
    CHECK(look() == Verdict::Pending);
    CHECK(desk.host.requests().at(1).header("If-None-Match") == etag);
    etag = "W/\"2\"";
    CHECK(look() == Verdict::Success);
    CHECK(look() == Verdict::Success);
    CHECK(desk.host.requests().size() == 4);
}

TEST_CASE("github: no more is remembered than has its place, and what was asked for last stays") {
    github::Remembered remembered;
    const auto url = [](std::size_t i) { return "https://x/" + std::to_string(i); };
    for (std::size_t i = 0; i <= github::Remembered::kMost; ++i) {
        remembered.keep(url(i), {"\"e\"", ""});
        CHECK(remembered.find(url(0)));
    }
    CHECK_FALSE(remembered.find(url(1)));
    CHECK(remembered.find(url(2)));
    const std::string half(github::Remembered::kMostBytes / 2, 'b');
    for (const std::string name : {"a", "b", "c"}) remembered.keep(name, {"\"e\"", half});
    CHECK_FALSE(remembered.find("a"));
    CHECK(remembered.find("c")->body == half);
    remembered.keep("c", {"\"f\"", std::string(github::Remembered::kMostBytes + 1, 'b')});
    CHECK_FALSE(remembered.find("c"));
}
