// What was rejected is tried again when the secrets that it was rejected with are others.
#include "unit/engine_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

namespace {

// A forge that takes one token only.
struct Refusing : House {
    Refusing() {
        manual = true;
        carrier->secrets = {{"apps", "forge", "token", 1}};
        carrier->secret_now = 1;
        carrier->on_promote = [this](auto) {
            return carrier->secret_now == 1 ? Outcome::Rejected : Outcome::Done;
        };
    }
    // Lets the time of a look pass, and waits for it.
    bool look() {
        const int before = carrier->looked_for_renewals;
        pass(options.renewed_every);
        return soon([&] { return carrier->looked_for_renewals > before; });
    }
};

}  // namespace

TEST_CASE("engine: what was rejected is tried again when its secret has changed, and not before") {
    Refusing house;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.comes_to(id, Phase::Failed));
    REQUIRE(house.look());
    REQUIRE(house.look());
    CHECK(house.carrier->promoted == 1);
    house.carrier->secret_now = 2;
    REQUIRE(house.look());
    REQUIRE(house.comes_to(id, Phase::Succeeded));
    const auto steps = house.journal->transitions(id);
    REQUIRE(steps);
    CHECK(std::any_of(steps->begin(), steps->end(), [](const auto& step) {
        return step.actor == "daemon" &&
               step.reason == "tried again: a secret that it was rejected with has changed";
    }));
}

TEST_CASE("engine: a reload looks at once whether a secret has changed") {
    Refusing house;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.comes_to(id, Phase::Failed));
    house.carrier->secret_now = 2;
    house.engine->secrets_may_be_new();
    CHECK(house.comes_to(id, Phase::Succeeded));
}

TEST_CASE(
    "engine: a secret that was replaced while the daemon was away is noticed after its start") {
    Refusing house;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.comes_to(id, Phase::Failed));
    CHECK_THAT(house.journal->promotion(id)->details, Catch::Contains("\"secret\":\"forge\""));
    house.close();
    house.carrier->secret_now = 2;
    house.start();
    REQUIRE(house.look());
    CHECK(house.comes_to(id, Phase::Succeeded));
}

TEST_CASE("engine: a new secret that is refused as well costs one try, and is remembered") {
    Refusing house;
    house.carrier->on_promote = [](auto) { return Outcome::Rejected; };
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.comes_to(id, Phase::Failed));
    house.carrier->secrets[0].value = 2;
    house.carrier->secret_now = 2;
    REQUIRE(house.look());
    REQUIRE(house.carrier->was_called(2));
    REQUIRE(house.comes_to(id, Phase::Failed));
    REQUIRE(house.look());
    REQUIRE(house.look());
    CHECK(house.carrier->promoted == 2);
}

TEST_CASE("engine: a new secret brings nothing back that a newer revision overtook") {
    Refusing house;
    house.start();
    const auto older = house.promote("1.0.0");
    REQUIRE(house.comes_to(older, Phase::Failed));
    const auto newer = house.promote("1.1.0");
    REQUIRE(house.comes_to(newer, Phase::Failed));
    house.carrier->secret_now = 2;
    REQUIRE(house.look());
    REQUIRE(house.comes_to(newer, Phase::Succeeded));
    CHECK(house.phase(older) == Phase::Failed);
}
