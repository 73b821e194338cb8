#include "unit/engine_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

TEST_CASE("engine: an event becomes a promotion that waits at the forge until it is merged") {
    House house;
    house.start();
    house.carrier->on_promote = [](auto) { return Outcome::Pending; };
    const auto accepted = house.send("1.0.0");
    REQUIRE(accepted);
    REQUIRE(accepted->promotions.size() == 1);
    REQUIRE(house.comes_to(accepted->promotions[0], Phase::Pending));
    house.carrier->merged = true;
    CHECK(house.comes_to(accepted->promotions[0], Phase::Succeeded));
}

TEST_CASE("engine: the same evidence from many senders is one promotion") {
    House house;
    house.start();
    std::vector<std::thread> senders;
    for (int i = 0; i < 20; ++i) {
        senders.emplace_back([&house] {
            for (int n = 0; n < 5; ++n) (void)house.send("1.0.0");
        });
    }
    for (auto& sender : senders) sender.join();
    CHECK(house.journal->promotions({})->promotions.size() == 1);
}

TEST_CASE("engine: a passing failure is tried again, and given up after the last try") {
    House house;
    house.start();
    const bool heals = GENERATE(true, false);
    house.carrier->on_promote = [heals](std::uint32_t attempt) {
        return heals && attempt == 3 ? Outcome::Done : Outcome::Retry;
    };
    const auto accepted = house.send("1.0.0");
    CHECK(house.comes_to(accepted->promotions[0], heals ? Phase::Succeeded : Phase::Failed));
    CHECK(house.carrier->promoted == 3);
}

TEST_CASE("engine: a permanent failure is not tried again") {
    House house;
    house.start();
    house.carrier->on_promote = [](auto) { return Outcome::Rejected; };
    const auto accepted = house.send("1.0.0");
    CHECK(house.comes_to(accepted->promotions[0], Phase::Failed));
    CHECK(house.carrier->promoted == 1);
}

TEST_CASE("engine: a newer revision stops the running call, and lanes never run in parallel") {
    House house;
    house.start();
    house.carrier->hold = true;
    const auto old = house.send("1.0.0");
    REQUIRE(house.comes_to(old->promotions[0], Phase::Running));
    const auto next = house.send("1.1.0");
    CHECK(house.comes_to(old->promotions[0], Phase::Superseded));
    REQUIRE(house.comes_to(next->promotions[0], Phase::Running));
    CHECK(house.carrier->most_running == 1);
    CHECK(house.phase(old->promotions[0]) == Phase::Superseded);
}

TEST_CASE("engine: what a stop cut off goes on after the next start") {
    House house;
    house.start();
    house.carrier->hold = true;
    const auto accepted = house.send("1.0.0");
    REQUIRE(house.comes_to(accepted->promotions[0], Phase::Running));
    house.close();
    house.carrier->hold = false;
    house.start();
    CHECK(house.comes_to(accepted->promotions[0], Phase::Succeeded));
}

TEST_CASE("engine: orderly stops never use up a promotion's tries") {
    House house;  // with 3 tries
    house.carrier->hold = true;
    house.start();
    const auto id = house.promote("1.0.0");
    for (int restart = 1; restart <= 5; ++restart) {
        REQUIRE(house.carrier->was_called(restart));
        house.close();
        house.open();
        CHECK(house.journal->promotion(id)->attempt == 0);
        house.start();
    }
    house.carrier->let_go();
    CHECK(house.comes_to(id, Phase::Succeeded));
}

TEST_CASE("engine: a promotion under which the daemon dies each time is given up in the end") {
    House house;  // with 3 tries
    house.carrier->hold = true;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.carrier->was_called(1));
    house.close();
    house.sql("UPDATE promotion SET phase='Running', attempt=3");  // as the third kill leaves it
    house.open();
    CHECK(house.phase(id) == Phase::Queued);
    house.start();
    CHECK(house.comes_to(id, Phase::Failed));
    CHECK(house.carrier->promoted == 1);
}

TEST_CASE("engine: with per: target each target has a promotion of its own, at the same time") {
    House house;
    house.pipeline.environments[1].targets = {{"east", {}}, {"west", {}}};
    house.pipeline.environments[1].per = model::Per::Target;
    house.carrier->one_lane = false;
    house.carrier->hold = true;
    house.start();
    const auto accepted = house.send("1.0.0");
    REQUIRE(accepted->promotions.size() == 2);
    REQUIRE(house.carrier->was_called(2));
    CHECK(house.carrier->most_running == 2);
    auto targets = house.carrier->targets();
    std::sort(targets.begin(), targets.end());
    CHECK(targets == std::vector<std::string>{"east", "west"});
    house.carrier->let_go();
    for (const auto& id : accepted->promotions) CHECK(house.comes_to(id, Phase::Succeeded));
}

TEST_CASE("engine: the other side's Retry-After is honoured, and cut to the longest allowed") {
    House house;
    house.manual = true;
    house.options.retry_after_most = std::chrono::minutes{10};
    house.options.backoff_first = std::chrono::seconds{1};
    house.carrier->retry_after = GENERATE(milliseconds{600'000}, milliseconds{86'400'000});
    house.carrier->on_promote = [](std::uint32_t attempt) {
        return attempt == 1 ? Outcome::Retry : Outcome::Done;
    };
    house.start();
    const auto id = house.promote("1.0.0");
    const auto made = house.hands.now();
    REQUIRE(house.soon([&] {
        const auto seen = house.journal->promotion(id);
        return seen->phase == Phase::Queued && seen->attempt == 1;
    }));
    const auto wait = house.journal->promotion(id)->not_before - made;
    CHECK(wait > std::chrono::minutes{10});
    CHECK(wait <= std::chrono::minutes{10} + std::chrono::seconds{1});
    house.pass(std::chrono::minutes{10});
    // Answered after the engine has looked at the clock.
    REQUIRE(house.send("1.0.0"));
    CHECK(house.carrier->promoted == 1);
    house.pass(std::chrono::seconds{1});
    CHECK(house.comes_to(id, Phase::Succeeded));
}

TEST_CASE("engine: a promotion waits while its Pipeline is gone, and goes on when it is back") {
    House house;
    house.manual = true;
    house.carrier->on_promote = [](std::uint32_t attempt) {
        return attempt == 1 ? Outcome::Retry : Outcome::Done;
    };
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.soon([&] { return house.journal->promotion(id)->attempt == 1; }));
    REQUIRE(house.comes_to(id, Phase::Queued));
    house.engine->set_pipelines({});
    house.pass(std::chrono::hours{1});
    const auto refused = house.send("2.0.0");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::NotFound);
    CHECK(house.phase(id) == Phase::Queued);
    CHECK(house.carrier->promoted == 1);
    house.engine->set_pipelines({{std::make_shared<model::Pipeline>(house.pipeline)}, {}});
    CHECK(house.comes_to(id, Phase::Succeeded));
}

TEST_CASE("engine: a Pipeline is held against its strategies once for each definition") {
    House house;
    house.carrier->served = false;
    house.start();
    const auto defined = std::make_shared<model::Pipeline>(house.pipeline);
    const auto other = std::make_shared<model::Pipeline>(house.pipeline);
    other->id.name = "other";
    house.engine->set_pipelines({{defined}, {}});
    const int before = house.carrier->checked;
    house.engine->set_pipelines({{defined, other}, {{{}, "a file is broken"}}});
    CHECK(house.carrier->checked == before + 1);
    CHECK(house.engine->snapshot()->problems.size() == 3);
    house.carrier->served = true;
    REQUIRE(house.send("1.0.0"));
    CHECK(house.carrier->checked == before + 1);
    CHECK(house.engine->view(defined->id).problems.size() == 1);
    house.engine->set_pipelines({{std::make_shared<model::Pipeline>(house.pipeline), other}, {}});
    CHECK(house.engine->view(defined->id).problems.empty());
    CHECK(house.engine->snapshot()->problems.size() == 1);
}

TEST_CASE("engine: gauges tell from the start what was loaded") {
    House house;
    house.carrier->on_promote = [](auto) { return Outcome::Rejected; };
    house.start();
    REQUIRE(house.comes_to(house.promote("1.0.0"), Phase::Failed));
    house.close();
    house.metrics = std::make_unique<Metrics>();
    house.open();
    const auto& failed = house.metrics->gauge("promotiond_promotions", "", {{"phase", "Failed"}});
    CHECK(failed.value() == 1);
}

namespace {

// An event of Flux, which tells whole seconds; its bytes are the name.
Result<Accepted> tell(House& house, const std::string& revision, const std::string& bytes,
                      const std::string& target = "dev") {
    auto event = House::event(revision, target);
    event.event.timestamp = WallTime{std::chrono::seconds{1'770'000'000}};
    event.body = event.digest = bytes;
    Awaited<Accepted> answer;
    house.engine->submit(event, answer.callback());
    return answer.get();
}

}  // namespace

TEST_CASE(
    "engine: a replay of an older event leads to nothing, even within the newer one's second") {
    House house;
    house.manual = true;  // nor within its millisecond
    house.start();
    const auto older = tell(house, "1.0.0", "a");
    const auto newer = tell(house, "1.1.0", "b");
    const auto replayed = tell(house, "1.0.0", "a");
    REQUIRE(replayed);
    CHECK(replayed->verdict == decision::Verdict::Ignore);
    CHECK(replayed->promotions == older->promotions);
    REQUIRE(house.comes_to(newer->promotions.at(0), Phase::Succeeded));
    CHECK(tell(house, "1.0.0", "another event")->verdict == decision::Verdict::Promote);
}

TEST_CASE("engine: a replay of an older event does not hide what runs since") {
    House house;
    house.pipeline.environments[0].when = {model::When::Kind::All, 0};
    house.start();
    REQUIRE(tell(house, "1.0.0", "a")->verdict == decision::Verdict::Hold);
    REQUIRE(tell(house, "1.1.0", "b")->verdict == decision::Verdict::Hold);
    CHECK(tell(house, "1.0.0", "a")->verdict == decision::Verdict::Ignore);
    CHECK(tell(house, "1.1.0", "c", "lab")->verdict == decision::Verdict::Promote);
}
