// What becomes of an older promotion when a newer revision comes.
#include "unit/engine_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

namespace {

// Pull requests that a person merges or closes, by revision.
struct Forge : House {
    Forge() {
        carrier->on_promote = [](auto) { return Outcome::Pending; };
        carrier->on_observe = [this](const std::string& revision) {
            if (revision != "1.0.0") return Outcome::Pending;
            return older_is.load();
        };
    }
    // Manual: approved as well.
    std::string open_older() {
        start();
        const auto id = promote("1.0.0");
        if (pipeline.promotion->manual) approve("1.0.0");
        REQUIRE(comes_to(id, Phase::Pending));
        return id;
    }
    void approve(const std::string& revision) {
        Awaited<Accepted> answer;
        engine->approve(pipeline.id, {"prod", "", revision, "operator:ann"}, answer.callback());
        REQUIRE(answer.get());
    }
    std::atomic<Outcome> older_is{Outcome::Pending};
};

}  // namespace

TEST_CASE("engine: while a newer revision waits for its approval, the older pull request counts") {
    Forge house;
    house.pipeline.promotion->manual = true;
    const auto older = house.open_older();
    const auto newer = house.promote("1.1.0");
    CHECK(house.phase(older) == Phase::Pending);
    const bool restarted = GENERATE(false, true);
    if (restarted) {
        house.close();
        house.start();
    }
    house.older_is = Outcome::Done;
    REQUIRE(house.comes_to(older, Phase::Succeeded));
    house.approve("1.1.0");
    REQUIRE(house.comes_to(newer, Phase::Pending));
    CHECK(house.journal->promotion(newer)->previous_revision == "1.0.0");
    CHECK(house.journal->promotion(newer)->summary == "from 1.0.0");
}

TEST_CASE("engine: of several revisions that wait for an approval only the newest does") {
    House house;
    house.pipeline.promotion->manual = true;
    house.start();
    const auto first = house.promote("1.0.0");
    const auto second = house.promote("1.1.0");
    CHECK(house.phase(first) == Phase::Superseded);
    CHECK(house.phase(second) == Phase::AwaitingApproval);
}

TEST_CASE("engine: what was let go goes on until the newer revision is let go as well") {
    Forge house;
    house.pipeline.promotion->manual = true;
    house.carrier->hold = true;
    house.start();
    const auto older = house.promote("1.0.0");
    house.approve("1.0.0");
    REQUIRE(house.carrier->was_called(1));
    const auto newer = house.promote("1.1.0");
    CHECK(house.phase(older) == Phase::Running);
    house.approve("1.1.0");
    CHECK(house.comes_to(older, Phase::Superseded));
    house.carrier->let_go();
    CHECK(house.comes_to(newer, Phase::Pending));
}

TEST_CASE("engine: an open pull request is taken over when the newer revision is carried out") {
    Forge house;
    const auto older = house.open_older();
    house.carrier->hold = true;
    const auto newer = house.promote("1.1.0");
    REQUIRE(house.carrier->was_called(2));
    CHECK(house.phase(older) == Phase::Pending);
    house.carrier->let_go();
    REQUIRE(house.comes_to(newer, Phase::Pending));
    CHECK(house.phase(older) == Phase::Superseded);
    const auto observed = house.carrier->observed.load();
    CHECK(house.soon([&] { return house.carrier->observed > observed; }));
    CHECK(house.phase(newer) == Phase::Pending);
}

TEST_CASE("engine: a pull request that a newer revision could not take over is watched on") {
    Forge house;
    house.carrier->promote_revision = [](const std::string& revision) {
        return revision == "1.0.0" ? Outcome::Pending : Outcome::Rejected;
    };
    const auto older = house.open_older();
    REQUIRE(house.comes_to(house.promote("1.1.0"), Phase::Failed));
    CHECK(house.phase(older) == Phase::Pending);
    house.older_is = Outcome::Done;
    CHECK(house.comes_to(older, Phase::Succeeded));
}

TEST_CASE("engine: an older pull request that is not the newer one's is looked at once more") {
    Forge house;
    house.manual = true;  // the clock stands: nobody looks by the way
    house.carrier->own_pull_requests = true;
    const auto older = house.open_older();
    SECTION("merged between two looks, it has succeeded") {
        house.older_is = Outcome::Done;
        REQUIRE(house.comes_to(house.promote("1.1.0"), Phase::Pending));
        CHECK(house.comes_to(older, Phase::Succeeded));
    }
    SECTION("closed, its place is taken") {
        house.older_is = Outcome::Rejected;
        REQUIRE(house.comes_to(house.promote("1.1.0"), Phase::Pending));
        CHECK(house.comes_to(older, Phase::Superseded));
    }
    SECTION("open still, it is watched on") {
        REQUIRE(house.comes_to(house.promote("1.1.0"), Phase::Pending));
        REQUIRE(house.soon([&] { return house.carrier->observed == 1; }));
        house.older_is = Outcome::Done;
        CHECK(house.soon([&] {
            house.pass(milliseconds{10});
            return house.phase(older) == Phase::Succeeded;
        }));
    }
}

TEST_CASE("engine: what is Queued again while its pull request is open is watched, not forgotten") {
    Forge house;
    house.manual = true;
    house.carrier->promote_revision = [](const std::string& revision) {
        return revision == "1.0.0" ? Outcome::Pending : Outcome::Rejected;
    };
    const auto older = house.open_older();
    house.carrier->promote_revision = [](const std::string& revision) {
        return revision == "1.0.0" ? Outcome::Retry : Outcome::Rejected;
    };
    Awaited<model::Promotion> retried;
    house.engine->retry(older, "operator:ann", retried.callback());
    REQUIRE(retried.get());
    REQUIRE(house.soon([&] { return house.journal->promotion(older)->attempt == 1; }));
    REQUIRE(house.comes_to(older, Phase::Queued));
    REQUIRE(house.comes_to(house.promote("1.1.0"), Phase::Failed));
    CHECK(house.phase(older) == Phase::Pending);
    house.older_is = Outcome::Done;
    CHECK(house.soon([&] {
        house.pass(milliseconds{10});
        return house.phase(older) == Phase::Succeeded;
    }));
}

TEST_CASE("engine: a call that a newer revision stops is believed when it opened a pull request") {
    Forge house;
    house.carrier->hold = house.carrier->hears_no_stop = true;
    house.carrier->promote_revision = [](const std::string& revision) {
        return revision == "1.0.0" ? Outcome::Pending : Outcome::Rejected;
    };
    house.start();
    const auto older = house.promote("1.0.0");
    REQUIRE(house.carrier->was_called(1));
    const auto newer = house.promote("1.1.0");
    CHECK(house.phase(older) == Phase::Running);
    house.carrier->let_go();
    REQUIRE(house.comes_to(newer, Phase::Failed));
    CHECK(house.phase(older) == Phase::Pending);
    house.older_is = Outcome::Done;
    CHECK(house.comes_to(older, Phase::Succeeded));
}

TEST_CASE("engine: a call that a newer revision stops gives way when it opened nothing") {
    House house;
    house.manual = true;  // nothing moves in the journal's files while they are copied
    house.carrier->hold = house.carrier->hears_no_stop = true;
    house.carrier->promote_revision = [](const std::string& revision) {
        return revision == "1.0.0" ? Outcome::Retry : Outcome::Pending;
    };
    house.start();
    const auto older = house.promote("1.0.0");
    REQUIRE(house.carrier->was_called(1));
    const auto newer = house.promote("1.1.0");
    CHECK(house.phase(older) == Phase::Running);

    House killed;  // what a kill would have left
    for (const char* name : {"journal.db", "journal.db-wal"})
        std::filesystem::copy_file(house.folder / name, killed.folder / name);
    std::filesystem::permissions(killed.folder / "journal.db", std::filesystem::perms(0600));
    killed.carrier->promote_revision = house.carrier->promote_revision;
    killed.start();
    house.carrier->let_go();
    for (auto* each : {&house, &killed}) {
        REQUIRE(each->comes_to(newer, Phase::Pending));
        CHECK(each->phase(older) == Phase::Superseded);
    }
}
