// What the engine does when the journal refuses, the queue is full, the past is long, or it ends.
#include <promotiond/strategy.hpp>

#include "engine/schedule.hpp"
#include "unit/engine_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

namespace {

// 1.0.0 and then more revisions than are kept in memory, all carried out.
struct LongPast : House {
    LongPast() {
        manual = true;
        start();
        first = carried_out("1.0.0");
        for (int i = 1; i <= 40; ++i) {
            pass(std::chrono::seconds{1});
            last = carried_out("2.0." + std::to_string(i));
        }
        pass(std::chrono::seconds{1});
    }
    std::string carried_out(const std::string& revision) {
        const auto id = promote(revision);
        REQUIRE(comes_to(id, Phase::Succeeded));
        return id;
    }
    std::string first;
    std::string last;
};

// The journal refuses the step, as it would refuse a bug.
std::string refusing(const std::string& when, const std::string& what) {
    return "CREATE TRIGGER refusing BEFORE " + what + " ON promotion WHEN " + when +
           " BEGIN SELECT RAISE(ABORT, 'refused by the test'); END";
}

// Ignores that it is asked to stop until the test lets go.
std::atomic<bool> stubborn{false};
std::atomic<int> inside{0};
class Stubborn : public sdk::Strategy {
public:
    sdk::Outcome promote(const sdk::Promotion&, sdk::Call&) override {
        ++inside;
        stubborn.wait(true);
        --inside;
        return sdk::Outcome::done();
    }
};
constexpr auto kStubborn = sdk::detail::plugin_of<Stubborn>(
    {.name = "stubborn", .key = "fake", .version = "1.0.0", .summary = "does not stop"});

}  // namespace

TEST_CASE("engine: going back to a revision of long ago is a promotion with an id of its own") {
    LongPast house;
    const auto again = house.send("1.0.0");
    REQUIRE(again);
    REQUIRE(again->promotions.size() == 1);
    CHECK(again->promotions[0] != house.first);
    CHECK(house.journal->promotion(again->promotions[0])->ordinal == 1);
    CHECK(house.comes_to(again->promotions[0], Phase::Succeeded));
}

TEST_CASE("engine: going back to a revision that retention removed still gets an id of its own") {
    House house;
    house.manual = true;
    house.start();
    const auto first = house.promote("0.0.0");
    for (int i = 1; i <= 40; ++i) {
        REQUIRE(house.comes_to(house.promote("1.0." + std::to_string(i)), Phase::Succeeded));
    }
    house.hands.advance(std::chrono::hours{24 * 91});
    REQUIRE(house.soon([&] {
        house.pass(std::chrono::seconds{1});
        return house.journal->removed(first).value();
    }));
    CHECK(house.journal->promotion(first).error().kind == ErrorKind::NotFound);
    const auto again = house.promote("0.0.0");
    CHECK(again != first);
    CHECK(house.journal->promotion(again)->ordinal == 1);
}

TEST_CASE("engine: a target that is far behind does not bring a revision of long ago back") {
    LongPast house;
    const auto behind = house.send("1.0.0", "lab");
    REQUIRE(behind);
    CHECK(behind->verdict == decision::Verdict::Hold);
    CHECK(behind->promotions.empty());
}

TEST_CASE("engine: an event that the journal refuses harms no other of its batch") {
    House house;
    house.open();
    house.sql(refusing("NEW.revision='6.6.6'", "INSERT"));
    auto before = house.post("1.0.0");
    auto bad = house.post("6.6.6");
    auto after = house.post("1.1.0");
    house.start();
    REQUIRE(before.get());
    const auto refused = bad.get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Internal);
    const auto accepted = after.get();
    REQUIRE(accepted);
    CHECK(house.comes_to(accepted->promotions.at(0), Phase::Succeeded));
    CHECK(house.journal->events(house.pipeline.id, 10)->size() == 2);
    CHECK(house.engine->ready());
    const auto& counted =
        house.metrics->counter("promotiond_events_total", "", {{"verdict", "Promote"}});
    CHECK(counted.value() == 2);
}

TEST_CASE(
    "engine: an outcome or a begin that the journal refuses is given up, not tried for ever") {
    House house;
    const std::string step = GENERATE("Succeeded", "Running");
    house.open();
    house.sql(refusing("NEW.phase='" + step + "'", "UPDATE"));
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.comes_to(id, Phase::Failed));
    CHECK(house.journal->promotion(id)->reason.find("refused by the test") != std::string::npos);
    CHECK(house.carrier->promoted == (step == "Succeeded" ? 1 : 0));
    house.sql("DROP TRIGGER refusing");
    CHECK(house.comes_to(house.promote("1.1.0"), Phase::Succeeded));
}

TEST_CASE("engine: a promotion that somebody moved in the journal's file is believed from there") {
    House house;
    house.carrier->hold = true;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.carrier->was_called(1));
    house.sql("UPDATE promotion SET phase='Cancelled'");
    house.carrier->let_go();
    const auto phase_seen = [&house] {
        const auto view = house.engine->snapshot()->pipelines.at(house.pipeline.id);
        return view.history->latest("prod", "")->phase;
    };
    CHECK(house.soon([&] { return phase_seen() == Phase::Cancelled; }));
    CHECK(house.carrier->promoted == 1);
    CHECK(house.comes_to(house.promote("1.1.0"), Phase::Succeeded));
}

TEST_CASE("engine: beyond the queue's limit a signal is told to come back, and when") {
    House house;
    house.options.queue_limit = 2;
    house.open();
    auto first = house.post("1.0.0");
    auto second = house.post("1.1.0");
    const auto refused = house.send("1.2.0");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Throttled);
    CHECK(refused.error().retry_after == milliseconds{1'000});
    house.start();
    CHECK(first.get());
    CHECK(second.get());
    CHECK(house.send("1.2.0"));
}

TEST_CASE("engine: its end leaves no signal and nobody who waits without an answer") {
    House house;
    SECTION("before it began") {
        house.open();
        auto unheard = house.post("1.0.0");
        house.engine->stop(milliseconds{0});
        CHECK(unheard.get().error().kind == ErrorKind::Transient);
    }
    SECTION("while somebody waits for a promotion") {
        house.carrier->hold = true;
        house.start();
        const auto id = house.promote("1.0.0");
        REQUIRE(house.carrier->was_called(1));
        Awaited<std::vector<model::Promotion>> waiting;
        house.engine->when_settled({id}, SteadyTime::max(), waiting.callback());
        house.engine->stop(milliseconds{0});
        CHECK(waiting.get()->at(0).phase == Phase::Queued);
    }
    CHECK(house.send("2.0.0").error().kind == ErrorKind::Transient);
}

TEST_CASE("engine: a strategy that ignores its cancellation does not hold up the end") {
    House house;
    strategy::HostServices services;
    services.clock = &house.real;
    services.metrics = house.metrics.get();
    strategy::LoadOptions options;
    options.instances = 1;
    options.grace = milliseconds{10};
    options.in_memory = {&kStubborn};
    auto strategies = strategy::Strategies::load(options, services);
    REQUIRE(strategies);
    stubborn = true;
    house.open();
    house.engine.reset();
    auto engine = Engine::open(house.options, *house.journal, **strategies, house.real,
                               *house.metrics, nullptr);
    REQUIRE(engine);
    house.engine = std::move(*engine);
    house.engine->set_pipelines({{std::make_shared<model::Pipeline>(house.pipeline)}, {}});
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.soon([] { return inside == 1; }));
    house.engine->stop(milliseconds{0});
    CHECK(inside == 1);
    CHECK(house.phase(id) == Phase::Queued);
    stubborn = false;
    stubborn.notify_all();
    // Its one instance takes a call again, so nothing of it is left behind.
    const auto& by = (*strategies)->descriptions().front();
    strategy::Request request;
    request.promotion_id = id;
    request.config = request.event = "{}";
    request.targets = R"({"environment":"prod","targets":[]})";
    CHECK((*strategies)->promote(by, request, {}).outcome == Outcome::Done);
}

TEST_CASE(
    "engine: a lane whose call is never given up is told to the watchdog, a slow one is not") {
    House house;
    house.manual = true;
    house.carrier->hold = true;
    house.start();
    const auto id = house.promote("6.0.0");
    REQUIRE(house.carrier->was_called(1));
    house.pass(house.options.call_deadline * 2);  // waited for an instance, and ran its time
    // The turn that was under way saw the hands jump; the next one is on time.
    CHECK(House::soon([&] { return house.engine->moves(); }));
    house.pass(std::chrono::minutes{2});
    CHECK(House::soon([&] {
        const auto ready = house.engine->ready();
        return !ready && ready.error().message.find("lane stands still") != std::string::npos;
    }));
    CHECK_FALSE(house.engine->moves());
    house.carrier->let_go();
    CHECK(house.comes_to(id, Phase::Succeeded));
    CHECK(House::soon([&] { return house.engine->moves(); }));
}

TEST_CASE("engine: a promotion that no strategy serves waits for one, and loses no try") {
    House house;
    house.manual = true;
    house.carrier->served = false;
    house.start();
    const auto id = house.promote("1.0.0");
    const auto reason = [&] { return house.journal->promotion(id)->reason; };
    REQUIRE(house.soon([&] { return reason() == "nothing serves it; served are: pullRequest"; }));
    for (int look = 0; look < 5; ++look) {
        house.pass(house.options.backoff_most);
        REQUIRE(house.send("1.0.0"));
    }
    CHECK(house.phase(id) == Phase::Queued);
    CHECK(house.journal->promotion(id)->attempt == 0);
    const auto why = house.engine->why(house.pipeline.id).at(1);
    CHECK(why.headline.find("served are: pullRequest") != std::string::npos);
    Awaited<std::vector<model::Promotion>> waiting;
    house.engine->when_settled({id}, SteadyTime::max(), waiting.callback());
    CHECK(waiting.get().error().kind == ErrorKind::Invalid);
    house.carrier->served = true;
    SECTION("it goes on when its time has come") { house.pass(house.options.backoff_most); }
    SECTION("it goes on when its Pipeline changes") {
        house.engine->set_pipelines({{std::make_shared<model::Pipeline>(house.pipeline)}, {}});
    }
    SECTION("it goes on when the daemon starts with the strategy") {
        house.close();
        house.start();
    }
    CHECK(house.comes_to(id, Phase::Succeeded));
}

TEST_CASE("engine: two daemons do not try again in step, and a test can make them") {
    const auto waits = [](std::optional<std::uint32_t> seed) {
        House house;
        house.manual = true;
        house.options.jitter_seed = seed;
        house.options.backoff_first = house.options.backoff_most = std::chrono::hours{1000};
        house.carrier->on_promote = [](auto) { return Outcome::Retry; };
        house.start();
        const auto id = house.promote("1.0.0");
        const auto is_back = [&] {
            const auto seen = house.journal->promotion(id);
            return seen->phase == Phase::Queued && seen->attempt == 1;
        };
        REQUIRE(house.soon(is_back));
        return house.journal->promotion(id)->not_before - house.hands.now();
    };
    CHECK(waits(7) == waits(7));
    // Thrice the same of 3.6 billion waits.
    CHECK((waits({}) != waits({}) || waits({}) != waits({}) || waits({}) != waits({})));
}

TEST_CASE("schedule: Pipelines take turns, however many promotions one of them has") {
    engine::Schedule schedule;
    const SteadyTime now{};
    for (const char* environment : {"a", "b", "c", "d"}) {
        schedule.plan({{{"apps", "busy"}, environment, ""}, "p-busy", engine::Work::Promote}, now);
    }
    schedule.plan({{{"apps", "calm"}, "a", ""}, "p-calm", engine::Work::Promote}, now);
    schedule.advance(now);
    std::vector<std::string> order;
    while (const auto slot = schedule.take()) order.push_back(slot->id);
    CHECK(order == std::vector<std::string>{"p-busy", "p-calm", "p-busy", "p-busy", "p-busy"});
}

TEST_CASE("schedule: what waits for a busy lane comes when that lane is free, and not before") {
    engine::Schedule schedule;
    const engine::Slot slot{{{"apps", "shop"}, "prod", ""}, "p-1", engine::Work::Promote};
    schedule.occupy({"one", "two"});
    REQUIRE(schedule.park_if_busy(slot, {"three", "two"}));
    CHECK(schedule.holds(slot.scope, slot.id));
    schedule.release({"one"});
    CHECK_FALSE(schedule.take());
    schedule.release({"two"});
    CHECK(schedule.take()->id == "p-1");
    CHECK_FALSE(schedule.park_if_busy(slot, {"three", "two"}));
}
