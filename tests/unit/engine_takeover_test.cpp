// What a new leader makes of what the one before told.
#include "unit/engine_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;
using model::Phase;

namespace {

platform::ToldPromotion told(const std::string& revision, Phase phase,
                             const std::string& target = "") {
    const model::Scope scope{{"apps", "shop"}, "prod", target};
    return {.pipeline = scope.pipeline,
            .environment = "prod",
            .id = model::promotion_id(scope, revision, 0),
            .revision = revision,
            .phase = phase};
}

// Takes over and begins.
void take_over(House& house, const std::vector<platform::ToldPromotion>& all) {
    house.open();
    REQUIRE(house.engine->take_over(all));
    house.start();
}

}  // namespace

TEST_CASE("takeover: what was unfinished and is unknown here is carried out under its own id") {
    for (const Phase phase : {Phase::Queued, Phase::Running, Phase::Pending}) {
        House house;
        const auto left = told("2.0.0", phase);
        take_over(house, {left});
        CHECK(House::soon([&] { return house.carrier->promoted > 0; }));
        CHECK(house.journal->promotion(left.id)->revision == "2.0.0");
        // The sender's repetition finds it.
        const auto accepted = house.send("2.0.0");
        REQUIRE(accepted);
        CHECK(accepted->promotions == std::vector<std::string>{left.id});
    }
}

TEST_CASE("takeover: what waited for a person still does") {
    House house;
    house.pipeline.promotion->manual = true;
    const auto left = told("2.0.0", Phase::AwaitingApproval);
    take_over(house, {left});
    CHECK(house.phase(left.id) == Phase::AwaitingApproval);
    CHECK(house.carrier->promoted == 0);
    Awaited<Accepted> answer;
    house.engine->approve({"apps", "shop"}, {"prod", "", "2.0.0", "operator:ann"},
                          answer.callback());
    CHECK(answer.get());
    CHECK(House::soon([&] { return house.carrier->promoted > 0; }));
}

TEST_CASE("takeover: what another replica has decided since supersedes what this one left") {
    House house;
    house.pipeline.promotion->manual = true;
    house.start();
    const auto old = house.promote("1.0.0");
    house.close();
    const auto newer = told("2.0.0", Phase::Succeeded);
    take_over(house, {newer});
    CHECK(house.phase(old) == Phase::Superseded);
    CHECK(house.phase(newer.id) == Phase::Succeeded);
    CHECK(house.carrier->promoted == 0);
}

TEST_CASE("takeover: an older revision that was left for one target comes not after a newer one") {
    House house;
    auto& prod = house.pipeline.environments[1];
    prod.per = model::Per::Target;
    prod.targets = {{"east", {}}, {"west", {}}};
    house.pipeline.promotion->manual = true;
    house.start();
    const auto left = house.send("1.0.0");
    REQUIRE(left);
    REQUIRE(left->promotions.size() == 2);
    house.close();
    house.pipeline.promotion->manual = false;
    // The status tells the newest of the environment alone.
    take_over(house, {told("2.0.0", Phase::Succeeded, "west")});
    for (const auto& id : left->promotions) CHECK(house.phase(id) == Phase::Superseded);
    CHECK(house.carrier->promoted == 0);
}

TEST_CASE("takeover: targets of the revision that was told of are still carried to") {
    House house;
    auto& prod = house.pipeline.environments[1];
    prod.per = model::Per::Target;
    prod.targets = {{"east", {}}, {"west", {}}};
    house.pipeline.promotion->manual = true;
    house.start();
    const auto left = house.send("1.0.0");
    REQUIRE(left);
    house.close();
    take_over(house, {told("1.0.0", Phase::Succeeded, "west")});
    CHECK(house.phase(told("1.0.0", Phase::Queued, "east").id) == Phase::AwaitingApproval);
    CHECK(house.phase(told("1.0.0", Phase::Queued, "west").id) == Phase::Succeeded);
}

TEST_CASE(
    "takeover: a pull request that this replica left open is watched until it is taken over") {
    House house;
    house.manual = true;  // the clock stands: nobody looks by the way
    house.pipeline.promotion->manual = true;
    house.carrier->on_promote = [](auto) { return Outcome::Pending; };
    house.carrier->on_observe = [](auto) { return Outcome::Pending; };
    house.start();
    const auto open = house.promote("1.0.0");
    Awaited<Accepted> let_go;
    house.engine->approve({"apps", "shop"}, {"prod", "", "1.0.0", "operator:ann"},
                          let_go.callback());
    REQUIRE(let_go.get());
    REQUIRE(house.comes_to(open, Phase::Pending));
    const auto waits = house.promote("1.1.0");
    REQUIRE(house.phase(open) == Phase::Pending);
    house.close();
    auto newer = told("2.0.0", Phase::AwaitingApproval);
    SECTION("the newer one waits for a person: it may still be merged") {
        take_over(house, {newer});
        CHECK(house.phase(open) == Phase::Pending);
    }
    SECTION("the newer one is carried out: it takes the pull request over") {
        newer.phase = Phase::Running;
        take_over(house, {newer});
        REQUIRE(house.comes_to(newer.id, Phase::Pending));
        CHECK(house.phase(open) == Phase::Superseded);
    }
    SECTION("the newer one has the pull request: it is that one's") {
        newer.location = "https://forge/1";
        take_over(house, {newer});
        CHECK(house.phase(open) == Phase::Superseded);
    }
    SECTION("the newer one has succeeded: nothing is left to wait for") {
        newer.phase = Phase::Succeeded;
        take_over(house, {newer});
        CHECK(house.phase(open) == Phase::Superseded);
    }
    CHECK(house.phase(waits) == Phase::Superseded);
}

TEST_CASE("takeover: what this journal knows to be older changes nothing") {
    House house;
    house.pipeline.promotion->manual = true;
    house.start();
    const auto first = house.promote("1.0.0");
    const auto second = house.promote("2.0.0");
    house.close();
    take_over(house, {told("1.0.0", Phase::AwaitingApproval)});
    CHECK(house.phase(first) == Phase::Superseded);
    CHECK(house.phase(second) == Phase::AwaitingApproval);
}

TEST_CASE("takeover: what another replica has finished is not done again") {
    House house;
    house.pipeline.promotion->manual = true;
    house.start();
    const auto id = house.promote("1.0.0");
    house.close();
    take_over(house, {told("1.0.0", Phase::Succeeded)});
    CHECK(house.phase(id) == Phase::Succeeded);
    CHECK(house.carrier->promoted == 0);
}

TEST_CASE("takeover: what has failed keeps its reason, and what is open its pull request") {
    House house;
    auto failed = told("2.0.0", Phase::Failed);
    failed.reason = "the webhook answered 410";
    take_over(house, {failed});
    CHECK(house.journal->promotion(failed.id)->reason == "the webhook answered 410");
    CHECK(house.carrier->promoted == 0);
    House other;
    other.carrier->hold = true;
    auto open = told("2.0.0", Phase::Pending);
    open.location = "https://forge.example.com/pull/7";
    take_over(other, {open});
    REQUIRE(other.carrier->was_called(1));
    CHECK(other.journal->promotion(open.id)->location == "https://forge.example.com/pull/7");
}

TEST_CASE("takeover: a status that names no promotion of the Pipeline is passed over") {
    House house;
    auto strange = told("2.0.0", Phase::Queued);
    strange.id = "p-strange";
    auto elsewhere = told("2.0.0", Phase::Queued);
    elsewhere.environment = "moon";
    take_over(house, {strange, elsewhere});
    CHECK_FALSE(house.journal->promotion("p-strange"));
    CHECK_FALSE(house.journal->promotion(elsewhere.id));
}
