// What the engine makes of what the platform sees.
#include <signal.h>
#include <sys/resource.h>

#include "unit/engine_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

namespace {

model::Observation seen(const std::string& environment, const std::string& target,
                        const std::string& revision) {
    return {{"apps", "shop"},
            environment,
            target,
            {"helm.toolkit.fluxcd.io/v2", "HelmRelease", target, "shop"},
            true,
            revision,
            "",
            {}};
}

std::string only_promotion(const House& house) {
    const auto page = house.journal->promotions({});
    return page && page->promotions.size() == 1 ? page->promotions[0].id : "";
}

std::uint64_t missed(House& house) {
    return house.metrics
        ->counter("promotiond_events_missed_total",
                  "Changes that were seen at a target and that no event told of.",
                  {{"cluster", "local"}})
        .value();
}

// No file of this process grows meanwhile.
class NoSpace {
public:
    NoSpace() {
        ::signal(SIGXFSZ, SIG_IGN);
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &usual_) == 0);
        rlimit tight = usual_;
        tight.rlim_cur = 0;
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    }
    NoSpace(const NoSpace&) = delete;
    NoSpace& operator=(const NoSpace&) = delete;
    ~NoSpace() { ::setrlimit(RLIMIT_FSIZE, &usual_); }

private:
    rlimit usual_{};
};

class Sink final : public platform::StatusSink {
public:
    void stepped(const model::Promotion& promotion, const model::Transition& step) override {
        const std::lock_guard held(mutex_);
        steps_.push_back(promotion.id + " " + std::string(name_of(step.to)));
    }
    void stands(const platform::PipelineState& state) override {
        const std::lock_guard held(mutex_);
        states_.push_back(state);
    }
    std::vector<std::string> steps() {
        const std::lock_guard held(mutex_);
        return steps_;
    }
    std::optional<platform::PipelineState> last() {
        const std::lock_guard held(mutex_);
        if (states_.empty()) return std::nullopt;
        return states_.back();
    }

private:
    std::mutex mutex_;
    std::vector<std::string> steps_;
    std::vector<platform::PipelineState> states_;
};

}  // namespace

TEST_CASE("engine: who says that a pull request has changed makes it be looked at at once") {
    House house;
    house.manual = true;
    house.options.observe_every = house.options.observe_at_most = std::chrono::hours{1};
    house.carrier->on_promote = [](auto) { return Outcome::Pending; };
    house.start();
    const std::string id = house.promote("2.0.0");
    REQUIRE(house.comes_to(id, Phase::Pending));
    house.engine->look({"https://forge/2"}, "");
    house.engine->look({"/2", ""}, "");
    house.engine->look({"HTTPS://Forge/1"}, "");
    REQUIRE(house.soon([&] { return house.carrier->observed == 1; }));
    house.carrier->merged = true;
    house.engine->look({"/1"}, "");
    CHECK(house.comes_to(id, Phase::Succeeded));
    CHECK(house.carrier->observed == 2);
}

TEST_CASE("engine: who waits for a commit is looked at when something becomes known of it") {
    House house;
    house.manual = true;
    house.options.observe_every = std::chrono::hours{1};
    house.carrier->on_promote = [](auto) { return Outcome::Pending; };
    house.carrier->details = R"({"commit":"abc","number":1})";
    house.start();
    const std::string id = house.promote("2.0.0");
    REQUIRE(house.comes_to(id, Phase::Pending));
    house.carrier->merged = true;
    house.engine->look({}, "ab");
    house.engine->look({}, "abc");
    CHECK(house.comes_to(id, Phase::Succeeded));
    CHECK(house.carrier->observed == 1);
    house.engine->look({}, "abc");
    CHECK(house.send("3.0.0"));
    CHECK(house.carrier->observed == 1);
}

TEST_CASE("engine: a revision that is seen to run is promoted without any event") {
    House house;
    house.start();
    house.engine->observe({seen("dev", "dev", "2.0.0")});
    REQUIRE(house.soon([&] { return !only_promotion(house).empty(); }));
    CHECK(house.comes_to(only_promotion(house), Phase::Succeeded));
}

TEST_CASE("engine: a first look at all targets promotes nothing that runs there already") {
    House house;
    house.open();
    house.engine->observe({seen("dev", "dev", "1.0.0"), seen("prod", "prod", "1.0.0")});
    house.engine->observe({seen("dev", "lab", "2.0.0")});
    house.start();
    REQUIRE(house.soon([&] { return !only_promotion(house).empty(); }));
    CHECK(house.journal->promotion(only_promotion(house))->revision == "2.0.0");
}

TEST_CASE("engine: what was seen before a restart and is seen again writes nothing") {
    House house;
    house.start();
    house.engine->observe({seen("dev", "dev", "2.0.0")});
    REQUIRE(house.soon([&] { return !only_promotion(house).empty(); }));
    const auto id = only_promotion(house);
    REQUIRE(house.comes_to(id, Phase::Succeeded));
    house.close();
    house.start();
    house.engine->observe({seen("dev", "dev", "2.0.0")});
    REQUIRE(house.send("2.0.0"));  // answered after what came before it
    CHECK(only_promotion(house) == id);
    CHECK(house.carrier->promoted == 1);
}

TEST_CASE("engine: a change that no event tells of in time is counted as missed, once") {
    House house;
    house.manual = true;
    house.start();
    house.engine->observe({seen("dev", "dev", "1.0.0"), seen("prod", "prod", "1.0.0")});
    house.engine->observe({seen("dev", "dev", "2.0.0")});
    house.engine->observe({seen("dev", "dev", "3.0.0")});
    REQUIRE(house.send("3.0.0"));
    house.pass(house.options.event_expected);
    CHECK(house.soon([&] { return missed(house) == 1; }));
    house.pass(house.options.event_expected);
    REQUIRE(house.send("3.0.0"));
    CHECK(missed(house) == 1);
}

TEST_CASE("engine: what is seen while the disk takes no writes counts once it does") {
    House house;
    house.start();
    {
        const NoSpace none;
        house.engine->observe({seen("dev", "dev", "2.0.0")});
        REQUIRE(house.soon([&] { return !house.engine->ready(); }));
    }
    CHECK(house.soon([&] { return !only_promotion(house).empty(); }));
}

TEST_CASE("engine: a status sink hears each step, and how the Pipeline stands with what was seen") {
    Sink sink;
    House house;
    house.sink = &sink;
    house.start();
    REQUIRE(house.soon([&] { return sink.last().has_value(); }));
    CHECK(sink.last()->pipeline != nullptr);
    CHECK(sink.last()->unusable.empty());
    house.engine->observe({seen("dev", "dev", "2.0.0")});
    REQUIRE(house.soon([&] { return !only_promotion(house).empty(); }));
    const auto id = only_promotion(house);
    REQUIRE(house.comes_to(id, Phase::Succeeded));
    REQUIRE(house.soon([&] { return sink.steps().size() == 3; }));
    CHECK(sink.steps() == std::vector{id + " Queued", id + " Running", id + " Succeeded"});
    REQUIRE(house.soon([&] {
        const auto* latest = sink.last()->history->latest("prod", "");
        return latest != nullptr && latest->phase == Phase::Succeeded;
    }));
    CHECK(sink.last()->observed->at({"dev", "dev"}).revision == "2.0.0");
    house.carrier->served = false;
    house.engine->set_pipelines({{std::make_shared<model::Pipeline>(house.pipeline)}, {}});
    CHECK(house.soon([&] { return sink.last()->unusable == "nothing serves it"; }));
    house.engine->set_pipelines({});
    CHECK(house.soon([&] { return sink.last()->pipeline == nullptr; }));
}
