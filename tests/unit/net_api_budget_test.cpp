// The limits of APIs, on a clock that stands still.
#include "catch.hpp"
#include "net/api_budget.hpp"

using namespace promotiond;
using namespace promotiond::net;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

const std::string kCredential = "team/forge";

// One credential's requests to one API that states limits as GitHub does.
struct Desk {
    ManualClock clock;
    Metrics metrics;
    ApiBudgets budgets{clock, metrics, 1h};
    std::string token = "Bearer one";
    std::string url = "https://api.forge.test/repos";

    [[nodiscard]] Request request() const {
        Request request;
        request.url = url;
        request.headers = {{"Authorization", token}};
        return request;
    }
    [[nodiscard]] std::string epoch(milliseconds ahead) const {
        return std::to_string(std::chrono::floor<std::chrono::seconds>(clock.now() + ahead)
                                  .time_since_epoch()
                                  .count());
    }
    [[nodiscard]] Headers stated(int limit, int remaining, milliseconds reset = 30min) const {
        return {{"X-RateLimit-Limit", std::to_string(limit)},
                {"X-RateLimit-Remaining", std::to_string(remaining)},
                {"X-RateLimit-Used", std::to_string(limit - remaining)},
                {"X-RateLimit-Reset", epoch(reset)}};
    }
    void answer(int code, Headers headers, const Spending& spending = {},
                const std::string& body = {}) {
        budgets.learn(request(), spending, {code, std::move(headers), body}, kCredential);
    }
    ApiBudgets::Verdict ask(Urgency urgency, bool writes = false,
                            const std::string& resource = "core") {
        const Spending spending{.urgency = urgency, .writes = writes, .resource = resource};
        return budgets.admit(request(), spending, clock.steady_now(), kCredential);
    }
    bool goes(Urgency urgency, bool writes = false, const std::string& resource = "core") {
        return ask(urgency, writes, resource).wait == 0ms;
    }
};

}  // namespace

TEST_CASE("api budget: what a request is for is read from its header, which goes no further") {
    Request request;
    request.headers = {{"A", "1"}, {"promotiond-budget", "merge write graphql"}};
    const auto spending = take_spending(request);
    REQUIRE(spending);
    CHECK(spending->urgency == Urgency::Merge);
    CHECK(spending->writes);
    CHECK(spending->resource == "graphql");
    CHECK(request.headers == Headers{{"A", "1"}});
    CHECK_FALSE(take_spending(request));
    for (const char* text : {"", "merge", "soon read", "open spend core"}) {
        Request wrong;
        wrong.headers = {{"Promotiond-Budget", text}};
        CHECK_FALSE(take_spending(wrong));
        CHECK(wrong.headers.empty());
    }
}

TEST_CASE("api budget: an API that states no limits is never waited for") {
    Desk desk;
    desk.answer(200, {});
    for (int i = 0; i < 2000; ++i) REQUIRE(desk.goes(Urgency::Refresh, true));
    CHECK(desk.budgets.states().empty());
}

TEST_CASE("api budget: the less is left, the more urgent it must be") {
    Desk desk;
    const auto most_urgent_held = [&](int remaining) {
        desk.clock.advance(31min);  // a new period
        desk.answer(200, desk.stated(5000, remaining));
        std::string held;
        for (const auto urgency :
             {Urgency::Refresh, Urgency::Open, Urgency::Merge, Urgency::Rollback}) {
            if (!desk.goes(urgency)) held = name_of(urgency);
        }
        return held;
    };
    CHECK(most_urgent_held(5000).empty());
    CHECK(most_urgent_held(1100).empty());
    CHECK(most_urgent_held(900) == "refresh");
    CHECK(most_urgent_held(200) == "open");
    CHECK(most_urgent_held(40) == "merge");
    CHECK(most_urgent_held(0) == "rollback");
}

TEST_CASE("api budget: what is used up is waited for until its period ends, and no longer") {
    Desk desk;
    desk.answer(200, desk.stated(5000, 0, 20min));
    const auto verdict = desk.ask(Urgency::Open);
    CHECK(verdict.wait > 19min);
    CHECK(verdict.wait <= 20min);
    CHECK(verdict.reason == "0 of 5000 requests (core) are left, kept for what is more urgent");
    desk.clock.advance(20min);
    CHECK(desk.goes(Urgency::Refresh));
}

TEST_CASE(
    "api budget: requests in flight count, and answers that overtake each other do not add up") {
    Desk desk;
    desk.answer(200, desk.stated(100, 7));
    CHECK(desk.goes(Urgency::Open));
    desk.answer(200, desk.stated(100, 7));  // sent before the one above
    CHECK(desk.goes(Urgency::Open));
    CHECK_FALSE(desk.goes(Urgency::Open));
}

TEST_CASE("api budget: a look that finds nothing new costs nothing of what is left") {
    Desk desk;
    desk.answer(200, desk.stated(5000, 1002));
    for (int look = 0; look < 100; ++look) {
        REQUIRE(desk.goes(Urgency::Refresh));
        desk.answer(304, desk.stated(5000, 1002));
    }
    CHECK(desk.budgets.states()[0].remaining == 1002);
}

TEST_CASE("api budget: an answer that comes late does not soften a refusal") {
    Desk desk;
    const auto begun = desk.clock.steady_now() - 1min;
    desk.answer(403, {{"Retry-After", "30"}});
    desk.answer(200, {{"Retry-After", "1"}});
    CHECK(desk.budgets.admit(desk.request(), {}, begun, kCredential).wait == 30s);
}

TEST_CASE("api budget: budgets of resources are apart, credentials and hosts too") {
    Desk desk;
    desk.answer(200, desk.stated(5000, 0), {.resource = "graphql"});
    CHECK_FALSE(desk.goes(Urgency::Rollback, false, "graphql"));
    CHECK(desk.goes(Urgency::Refresh, false, "core"));
    desk.token = "Bearer two";
    CHECK(desk.goes(Urgency::Refresh, false, "graphql"));
    desk.token = "Bearer one";
    desk.url = "https://other.test/repos";
    CHECK(desk.goes(Urgency::Refresh, false, "graphql"));
}

TEST_CASE(
    "api budget: a fleet's worth of writes goes at once, then a second apart, never 80 a minute") {
    Desk desk;
    desk.answer(200, desk.stated(5000, 5000));
    int at_once = 0;
    while (desk.goes(Urgency::Open, true)) ++at_once;
    CHECK(at_once == 70);
    CHECK(desk.ask(Urgency::Open, true).wait == 1s);
    int in_a_minute = at_once;
    for (int second = 1; second < 60; ++second) {
        desk.clock.advance(1s);
        if (desk.goes(Urgency::Open, true)) ++in_a_minute;
        CHECK_FALSE(desk.goes(Urgency::Open, true));
    }
    CHECK(in_a_minute == 76);
    CHECK(desk.goes(Urgency::Merge, true));
    CHECK(desk.goes(Urgency::Rollback, true));
    desk.clock.advance(1s);
    CHECK(desk.goes(Urgency::Open, true));
}

TEST_CASE("api budget: an hour has 500 writes, the last of them for merges and rollbacks") {
    Desk desk;
    desk.answer(200, desk.stated(5000, 5000));
    int opened = 0;
    for (int minute = 0; minute < 30; ++minute) {
        for (int i = 0; i < 50; ++i) opened += desk.goes(Urgency::Open, true) ? 1 : 0;
        desk.clock.advance(1min);
    }
    CHECK(opened == 475);
    CHECK(desk.goes(Urgency::Merge, true));
    CHECK(desk.ask(Urgency::Open, true).wait > 20min);
}

TEST_CASE("api budget: a minute has 900 points, of which looks leave a part") {
    Desk desk;
    desk.answer(200, desk.stated(50'000, 50'000));
    int looks = 0;
    while (desk.goes(Urgency::Refresh)) ++looks;
    CHECK(looks == 720);
    CHECK(desk.goes(Urgency::Open));
    desk.clock.advance(1min);
    CHECK(desk.goes(Urgency::Refresh));
}

TEST_CASE("api budget: after a refusal nobody asks before the time it named") {
    Desk desk;
    desk.answer(403, {{"Retry-After", "30"}});
    const auto begun = desk.clock.steady_now() - 1min;
    CHECK(desk.budgets.admit(desk.request(), {.urgency = Urgency::Rollback}, begun, kCredential)
              .wait == 30s);
    desk.clock.advance(30s);
    CHECK(desk.goes(Urgency::Refresh));
}

TEST_CASE(
    "api budget: a refusal that names no time is waited out, longer each time it comes back") {
    Desk desk;
    const std::string said = R"({"message":"You have exceeded a secondary rate limit."})";
    for (const auto expected : {60s, 120s, 240s}) {
        desk.answer(403, {{"X-RateLimit-Remaining", "4999"}}, {}, said);
        CHECK(desk.ask(Urgency::Open).wait == expected);
        desk.clock.advance(expected);
        CHECK(desk.goes(Urgency::Open));
    }
    desk.answer(200, {});
    desk.answer(429, {});
    CHECK(desk.ask(Urgency::Open).wait == 60s);
}

TEST_CASE("api budget: a pause asked for beside a good answer does not break off what has begun") {
    Desk desk;
    const auto begun = desk.clock.steady_now();
    desk.clock.advance(1s);
    desk.answer(200, {{"Retry-After", "10"}});
    CHECK(desk.budgets.admit(desk.request(), {}, begun, kCredential).wait == 0ms);
    desk.clock.advance(1s);
    const auto verdict = desk.ask(Urgency::Rollback);
    CHECK(verdict.wait == 9s);
    CHECK(verdict.reason == "api.forge.test:443 asked to be left alone");
}

TEST_CASE("api budget: a refusal for want of permission is none for asking too much") {
    Desk desk;
    desk.answer(403, {}, {}, R"({"message":"Resource not accessible by integration"})");
    CHECK(desk.goes(Urgency::Refresh));
}

TEST_CASE("api budget: nothing an answer says holds for longer than the limit that was set") {
    ManualClock clock;
    Metrics metrics;
    ApiBudgets budgets(clock, metrics, 5s);
    const Request request = Desk().request();
    const auto wait = [&] {
        return budgets.admit(request, {}, clock.steady_now() + 1ms, kCredential).wait;
    };
    for (const char* time : {"1000000000000", "3600", "-1", "0"}) {
        clock.advance(10s);
        budgets.learn(request, {}, {429, {{"Retry-After", time}}, {}}, kCredential);
        CHECK(wait() > 0ms);
        CHECK(wait() <= 5s);
    }
    clock.advance(10s);
    budgets.learn(request, {},
                  {200,
                   {{"x-ratelimit-limit", "10"},
                    {"x-ratelimit-remaining", "0"},
                    {"x-ratelimit-used", "10"},
                    {"x-ratelimit-reset", "99999999999999"}},
                   {}},
                  kCredential);
    CHECK(wait() == 5s);
}

TEST_CASE("api budget: its state is in the metrics by secret, never by token") {
    Desk desk;
    desk.answer(200, desk.stated(5000, 100));
    CHECK_FALSE(desk.goes(Urgency::Open));
    const auto states = desk.budgets.states();
    REQUIRE(states.size() == 1);
    CHECK(states[0].credential == kCredential);
    CHECK(states[0].remaining == 100);
    CHECK_THAT(states[0].held, Catch::Contains("100 of 5000"));
    const std::string text = desk.metrics.render();
    CHECK_THAT(text, Catch::Contains("promotiond_forge_budget_remaining{") &&
                         Catch::Contains("credential=\"team/forge\"") &&
                         Catch::Contains("promotiond_forge_budget_held_total{") &&
                         Catch::Contains("urgency=\"open\""));
    CHECK(text.find("one") == std::string::npos);
}
