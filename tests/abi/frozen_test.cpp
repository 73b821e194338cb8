// Plugins that were built against a released header load in today's daemon, and all their verbs
// work.
#include "catch.hpp"
#include "strategy/strategy.hpp"
#include "unit/strategy_fixture.hpp"

using promotiond::strategy::LoadOptions;
using promotiond::strategy::Outcome;
using promotiond::strategy::Strategies;
using promotiond::test::Directory;
using promotiond::test::request;
using promotiond::test::Services;

TEST_CASE("frozen: a plugin of 1.0 loads, and every verb works") {
    const std::string name = GENERATE("frozen_1_0_c", "frozen_1_0_cpp");
    INFO(name);
    const Directory directory;
    directory.copy(std::filesystem::path(PROMOTIOND_FROZEN) / (name + ".so"), name + ".so");
    Services services;
    services.secrets["team/forge/token"] = "12345";
    LoadOptions options;
    options.directory = directory.path();
    auto loaded = Strategies::load(options, services.host());
    REQUIRE(loaded);
    auto& strategies = **loaded;
    REQUIRE(strategies.refusals().empty());
    const auto& frozen = strategies.descriptions().at(0);
    CHECK(frozen.target_minor == 0);
    CHECK(frozen.can_observe);
    CHECK(frozen.can_plan);
    CHECK(strategies.validate(frozen, "{}"));

    const auto promoted = strategies.promote(frozen, request(), {});
    CHECK(promoted.outcome == Outcome::Pending);
    CHECK(promoted.location == "https://forge.test/7");
    CHECK(promoted.external_id == "7");
    CHECK(promoted.summary.starts_with("prod"));
    CHECK(promoted.details == R"({"number":7})");
    CHECK_FALSE(promoted.misbehaved);

    const auto merged = strategies.observe(frozen, request(), "7", promoted.details, {});
    CHECK(merged.outcome == Outcome::Done);
    const auto closed = strategies.observe(frozen, request(), "8", "{}", {});
    CHECK(closed.outcome == Outcome::Rejected);
    CHECK(closed.message == "it was closed");
    CHECK(strategies.plan(frozen, request(), {}).details == R"({"diff":"+x"})");
    CHECK(strategies.lane(frozen, request()) == "podinfo");
}

TEST_CASE("frozen: a missing secret is refused the same way as ever") {
    const Directory directory;
    directory.copy(std::filesystem::path(PROMOTIOND_FROZEN) / "frozen_1_0_cpp.so", "x.so");
    Services services;
    LoadOptions options;
    options.directory = directory.path();
    auto loaded = Strategies::load(options, services.host());
    REQUIRE(loaded);
    auto& strategies = **loaded;
    const auto& frozen = strategies.descriptions().at(0);
    CHECK(strategies.promote(frozen, request(), {}).outcome == Outcome::Rejected);
    const auto thrown = strategies.promote(frozen, request("throw"), {});
    CHECK(thrown.outcome == Outcome::Retry);
    CHECK(thrown.retry_after == std::chrono::seconds{3});
}
