// Promotion ids, the table of transitions and the text of times.
#include <set>

#include "catch.hpp"
#include "model/codec.hpp"

using namespace promotiond;
using namespace promotiond::model;

TEST_CASE("promotion: its id is the same for the same scope, revision and ordinal, for ever") {
    const Scope scope{{"default", "app"}, "prod", ""};
    // Written down once: another value would make every journal's promotions strangers.
    CHECK(promotion_id(scope, "5.0.0", 0) == "p-3fhgofv74gb5i32xl7f5glokkn");
    CHECK(promotion_id(scope, "5.0.0", 0) == promotion_id(scope, "5.0.0", 0));
}

TEST_CASE("promotion: fields cannot be shifted into one another to get the same id") {
    std::set<PromotionId> ids;
    ids.insert(promotion_id({{"a", "bc"}, "d", ""}, "1", 0));
    ids.insert(promotion_id({{"ab", "c"}, "d", ""}, "1", 0));
    ids.insert(promotion_id({{"a", "b"}, "cd", ""}, "1", 0));
    ids.insert(promotion_id({{"a", "bc"}, "d", "1"}, "", 0));
    ids.insert(promotion_id({{"a", "bc"}, "d", ""}, "1", 1));
    ids.insert(promotion_id({{"a", "bc"}, "d", ""}, "10", 0));
    CHECK(ids.size() == 6);
    for (const PromotionId& id : ids) {
        CHECK(id.size() == 28);
        CHECK(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 2) == std::string::npos);
    }
}

TEST_CASE(
    "promotion: nothing leaves Succeeded or Superseded, and only people bring back the rest") {
    for (const Phase to : kPhases) {
        CHECK_FALSE(may_follow(Phase::Succeeded, to));
        CHECK_FALSE(may_follow(Phase::Superseded, to));
    }
    CHECK(may_follow(Phase::Failed, Phase::Queued));
    CHECK(may_follow(Phase::Cancelled, Phase::Queued));
    CHECK(may_follow(Phase::Cancelled, Phase::AwaitingApproval));
    CHECK_FALSE(may_follow(Phase::Failed, Phase::AwaitingApproval));
    CHECK_FALSE(may_follow(Phase::AwaitingApproval, Phase::Running));
    for (const Phase phase : kPhases) CHECK(phase_named(name_of(phase)) == phase);
    CHECK(phase_named("Lost") == std::nullopt);
}

TEST_CASE("time: written to the millisecond in UTC and read back") {
    const WallTime time{std::chrono::milliseconds{1'795'237'800'123}};
    CHECK(time_to_text(time) == "2026-11-21T05:10:00.123Z");
    CHECK(*time_from_text("2026-11-21T05:10:00.123Z") == time);
    CHECK(*time_from_text("2026-11-21T06:40:00.123999999+01:30") == time);
    CHECK(time_to_text(*time_from_text("2022-09-13T16:01:01Z")) == "2022-09-13T16:01:01.000Z");
    CHECK(time_to_text(*time_from_text("2024-02-29T00:00:00.5Z")) == "2024-02-29T00:00:00.500Z");
}

TEST_CASE("time: what is not a time of RFC 3339 between 1970 and 9999 is refused") {
    for (const char* text :
         {"", "now", "2026-11-21", "2026-11-21 05:10:00Z", "2026-11-21T05:10:00",
          "1969-12-31T23:59:59Z", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
          "2026-11-21T24:00:00Z", "2026-11-21T05:60:00Z", "2026-11-21T05:10:60Z",
          "2026-11-21T05:10:00.Z", "2026-11-21T05:10:00Zx", "20261-11-21T05:10:00Z",
          "9999-12-31T23:59:59-01:00", "2026-11-21T05:10:00+24:00", "+026-11-21T05:10:00Z"}) {
        INFO(text);
        REQUIRE_FALSE(time_from_text(text));
        CHECK(time_from_text(text).error().kind == ErrorKind::Invalid);
    }
}
