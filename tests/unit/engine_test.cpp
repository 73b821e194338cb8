#include "engine/engine.hpp"

#include <stdlib.h>

#include <atomic>
#include <future>
#include <thread>

#include "catch.hpp"
#include "engine/carrier.hpp"

using namespace promotiond;
using engine::Accepted;
using engine::Engine;
using model::Phase;
using std::chrono::milliseconds;
using strategy::Outcome;

namespace {

// Answers what the test says; counts, and can hold a call until it is asked to stop.
class FakeCarrier final : public engine::Carrier {
public:
    Result<const strategy::Description*> route(const model::StrategyCall&) const override {
        return &description_;
    }
    std::vector<platform::Problem> problems(const model::Pipeline&) const override { return {}; }
    strategy::Answer promote(const strategy::Description&, const strategy::Request& request,
                             const strategy::CallOptions& options) override {
        const int now = ++running_;
        int most = most_running;
        while (now > most && !most_running.compare_exchange_weak(most, now)) {
        }
        ++promoted;
        strategy::Answer answer;
        answer.outcome = on_promote(request.attempt);
        while (hold && !options.stop.stop_requested()) std::this_thread::yield();
        if (hold) answer.outcome = Outcome::Cancelled;
        if (answer.outcome == Outcome::Pending) answer.location = "https://forge/1";
        --running_;
        return answer;
    }
    strategy::Answer observe(const strategy::Description&, const strategy::Request&,
                             const model::Promotion&, const strategy::CallOptions&) override {
        strategy::Answer answer;
        answer.outcome = merged ? Outcome::Done : Outcome::Pending;
        return answer;
    }
    strategy::Answer plan(const strategy::Description&, const strategy::Request&,
                          const strategy::CallOptions&) override {
        return {};
    }
    std::string lane(const strategy::Description&, const strategy::Request&) override {
        return "one";
    }

    std::function<Outcome(std::uint32_t)> on_promote = [](auto) { return Outcome::Done; };
    std::atomic<bool> hold{false};
    std::atomic<bool> merged{false};
    std::atomic<int> promoted{0};
    std::atomic<int> most_running{0};

private:
    std::atomic<int> running_{0};
    strategy::Description description_ = [] {
        strategy::Description made;
        made.name = made.key = "fake";
        made.can_observe = true;
        return made;
    }();
};

struct House {
    House() {
        std::string name = "/tmp/engine-test-XXXXXX";
        folder = ::mkdtemp(name.data());
        open();
    }
    House(const House&) = delete;
    House& operator=(const House&) = delete;
    ~House() {
        close();
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    void open() {
        auto opened = journal::Journal::open({folder / "journal.db"});
        REQUIRE(opened);
        journal = std::move(*opened);
        engine::Options options;
        options.backoff_first = options.observe_every = milliseconds{1};
        options.backoff_most = options.observe_at_most = milliseconds{5};
        options.attempts = 3;
        auto made = Engine::open_with(options, *journal, carrier, clock, metrics, nullptr);
        REQUIRE(made);
        engine = std::move(*made);
        auto pipeline = std::make_shared<model::Pipeline>();
        pipeline->id = {"apps", "shop"};
        pipeline->app = {"helm.toolkit.fluxcd.io/v2", "HelmRelease", "shop"};
        pipeline->environments = {{"dev", {{"dev", {}}}, {}, {}, {}},
                                  {"prod", {{"prod", {}}}, {}, {}, {}}};
        pipeline->promotion =
            model::PromotionPolicy{manual, model::StrategyCall{"fake", "{}", "", "", {}}, {}, {}};
        engine->set_pipelines({{pipeline}, {}});
        engine->start();
    }
    void close() {
        engine.reset();
        journal.reset();
    }
    Result<Accepted> send(const std::string& revision) {
        model::ReceivedEvent event;
        event.pipeline = {"apps", "shop"};
        event.environment = "dev";
        event.event.object = {"helm.toolkit.fluxcd.io/v2", "HelmRelease", "dev", "shop"};
        event.event.severity = "info";
        event.event.reason = "UpgradeSucceeded";
        event.event.revision = revision;
        event.body = "{}";
        auto answer = std::make_shared<std::promise<Result<Accepted>>>();
        auto future = answer->get_future();
        engine->submit(event, [answer](Result<Accepted> result) { answer->set_value(result); });
        return future.get();
    }
    Phase phase(const std::string& id) { return journal->promotion(id)->phase; }
    // Waits for the phase, at most ten seconds.
    bool comes_to(const std::string& id, Phase wanted) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (phase(id) != wanted) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::yield();
        }
        return true;
    }

    bool manual = false;
    std::filesystem::path folder;
    SystemClock clock;
    Metrics metrics;
    std::shared_ptr<FakeCarrier> carrier = std::make_shared<FakeCarrier>();
    std::unique_ptr<journal::Journal> journal;
    std::unique_ptr<Engine> engine;
};

}  // namespace

TEST_CASE("engine: an event becomes a promotion that waits at the forge until it is merged") {
    House house;
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
    house.carrier->on_promote = [](auto) { return Outcome::Rejected; };
    const auto accepted = house.send("1.0.0");
    CHECK(house.comes_to(accepted->promotions[0], Phase::Failed));
    CHECK(house.carrier->promoted == 1);
}

TEST_CASE("engine: a newer revision stops the running call, and lanes never run in parallel") {
    House house;
    house.carrier->hold = true;
    const auto old = house.send("1.0.0");
    REQUIRE(house.comes_to(old->promotions[0], Phase::Running));
    const auto next = house.send("1.1.0");
    CHECK(house.phase(old->promotions[0]) == Phase::Superseded);
    REQUIRE(house.comes_to(next->promotions[0], Phase::Running));
    CHECK(house.carrier->most_running == 1);
    CHECK(house.phase(old->promotions[0]) == Phase::Superseded);
}

TEST_CASE("engine: what a stop cut off goes on after the next start") {
    House house;
    house.carrier->hold = true;
    const auto accepted = house.send("1.0.0");
    REQUIRE(house.comes_to(accepted->promotions[0], Phase::Running));
    house.close();
    house.carrier->hold = false;
    house.open();
    CHECK(house.comes_to(accepted->promotions[0], Phase::Succeeded));
}
