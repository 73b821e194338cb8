// A promotion whose secret is not there yet.
#include "unit/engine_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

namespace {

// Its strategy lacks a secret until the carrier is told that it has come.
struct Waiting : House {
    Waiting() {
        carrier->absent = {{"forge", "token", strategy::AbsentSecret::Lack::Secret}};
        carrier->on_promote = [come = &carrier->come](auto) {
            return *come ? Outcome::Done : Outcome::Retry;
        };
    }
    // With hands that are moved: the next look is planned some milliseconds after the last. They
    // run no faster than real ones, so that a slow engine finds no hour gone by.
    [[nodiscard]] bool looks_again() {
        const int before = carrier->looked_for;
        return soon([&] {
            pass(milliseconds{1});
            return carrier->was_looked_for(before + 1, milliseconds{1});
        });
    }
};

}  // namespace

TEST_CASE("engine: what waits for a secret that the store refuses says so in the store's words") {
    Waiting house;
    house.carrier->absent = {
        {"forge", "token", strategy::AbsentSecret::Lack::Unavailable, "no rule for secrets"}};
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.carrier->was_looked_for(1));
    CHECK(house.journal->promotion(id)->reason == "no rule for secrets");
}

TEST_CASE("engine: a secret that is not there costs no try, and no step but the first") {
    Waiting house;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.carrier->was_looked_for(10));  // of three tries
    CHECK(house.carrier->promoted == 1);
    CHECK(house.phase(id) == Phase::Queued);
    CHECK(house.journal->promotion(id)->attempt == 0);
    CHECK(house.journal->transitions(id)->size() == 3);
    house.carrier->come = true;
    CHECK(house.comes_to(id, Phase::Succeeded));
    CHECK(house.carrier->promoted == 2);
    CHECK(house.journal->promotion(id)->attempt == 1);
}

TEST_CASE("engine: what waits for a secret is tried at once when its Pipeline changes") {
    Waiting house;
    house.manual = true;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.soon([&] { return house.journal->transitions(id)->size() == 3; }));
    house.carrier->on_promote = [](auto) { return Outcome::Done; };
    house.engine->set_pipelines({{std::make_shared<model::Pipeline>(house.pipeline)}, {}});
    CHECK(house.comes_to(id, Phase::Succeeded));
    CHECK(house.carrier->looked_for == 0);
}

TEST_CASE("engine: a strategy that can do without a secret is asked again, if only after an hour") {
    Waiting house;
    house.manual = true;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.looks_again());
    house.pass(std::chrono::minutes{50});
    REQUIRE(house.looks_again());
    CHECK(house.carrier->promoted == 1);
    REQUIRE(house.soon([&] {
        house.pass(std::chrono::minutes{1});
        return house.carrier->promoted == 2;
    }));
    CHECK(house.soon([&] { return house.journal->transitions(id)->size() == 5; }));
    CHECK(house.journal->promotion(id)->attempt == 0);
}

TEST_CASE("engine: a newer revision takes the place of one that waits for a secret") {
    Waiting house;
    house.start();
    const auto older = house.promote("1.0.0");
    REQUIRE(house.carrier->was_looked_for(1));
    const auto newer = house.promote("1.1.0");
    CHECK(house.comes_to(older, Phase::Superseded));
    house.carrier->come = true;
    CHECK(house.comes_to(newer, Phase::Succeeded));
    CHECK(house.phase(older) == Phase::Superseded);
}
