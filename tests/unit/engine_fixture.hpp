// What the tests of daemon/engine share: a carrier that answers what the test says, and an engine
// over a journal in a temporary folder.
#pragma once

#include <sqlite3.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "catch.hpp"
#include "engine/carrier.hpp"
#include "engine/engine.hpp"

namespace promotiond::test {

using engine::Accepted;
using engine::Engine;
using model::Phase;
using std::chrono::milliseconds;
using strategy::Outcome;

// A wait that is longer has failed; it is used up by nothing else.
constexpr std::chrono::seconds kPatience{60};

// Counts, and can hold calls until it is told to let go or they are asked to stop.
class FakeCarrier final : public engine::Carrier {
public:
    FakeCarrier() {
        description_.name = description_.key = "fake";
        description_.can_observe = description_.can_plan = true;
    }
    Result<const strategy::Description*> route(const model::StrategyCall&) const override {
        if (!served) return Error{ErrorKind::Invalid, "nothing serves it; served are: pullRequest"};
        return &description_;
    }
    std::vector<platform::Problem> problems(const model::Pipeline&) const override {
        ++checked;
        if (served) return {};
        return {{{}, "nothing serves it"}};
    }
    strategy::Answer promote(const strategy::Description&, const strategy::Request& request,
                             const strategy::CallOptions& options) override {
        const int now = ++running_;
        int most = most_running;
        while (now > most && !most_running.compare_exchange_weak(most, now)) {
        }
        strategy::Answer answer;
        {
            std::unique_lock held(mutex_);
            targets_.push_back(request.target);
            ++promoted;
            changed_.notify_all();
            const std::stop_token stop = hears_no_stop ? std::stop_token{} : options.stop;
            if (hold && !changed_.wait(held, stop, [this] { return !hold; })) {
                answer.outcome = Outcome::Cancelled;
                --running_;
                return answer;
            }
        }
        answer.outcome =
            promote_revision ? promote_revision(request.revision) : on_promote(request.attempt);
        answer.retry_after = retry_after;
        if (answer.outcome == Outcome::Retry) answer.absent = absent;
        answer.summary = "from " + request.previous_revision;
        if (answer.outcome == Outcome::Pending) answer.location = "https://forge/1";
        if (answer.outcome == Outcome::Pending && own_pull_requests) {
            answer.external_id = request.revision;
        }
        answer.details = details;
        answer.secrets = secrets;
        --running_;
        return answer;
    }
    strategy::Answer observe(const strategy::Description&, const strategy::Request& request,
                             const model::Promotion&, const strategy::CallOptions&) override {
        strategy::Answer answer;
        answer.outcome = merged ? Outcome::Done : Outcome::Pending;
        if (on_observe) answer.outcome = on_observe(request.revision);
        ++observed;  // what it saw is settled when it counts
        return answer;
    }
    strategy::Answer plan(const strategy::Description&, const strategy::Request& request,
                          const strategy::CallOptions&) override {
        strategy::Answer answer;
        answer.outcome = Outcome::Done;
        answer.summary = request.previous_revision + " to " + request.revision;
        return answer;
    }
    bool renewed(const std::vector<strategy::GivenSecret>& given) const override {
        const bool other = !given.empty() && given.front().value != secret_now;
        ++looked_for_renewals;
        return other;
    }
    std::string lane(const strategy::Description&, const strategy::Request& request) override {
        return one_lane ? "one" : request.target;
    }

    bool has_come(const std::string&, const std::vector<strategy::AbsentSecret>&) const override {
        const bool here = come;
        const std::lock_guard held(mutex_);
        ++looked_for;
        changed_.notify_all();
        return here;
    }

    void let_go() {
        const std::lock_guard held(mutex_);
        hold = false;
        changed_.notify_all();
    }
    bool was_called(int times) {
        std::unique_lock held(mutex_);
        return changed_.wait_for(held, kPatience, [&] { return promoted >= times; });
    }
    bool was_looked_for(int times, milliseconds patience = kPatience) {
        std::unique_lock held(mutex_);
        return changed_.wait_for(held, patience, [&] { return looked_for >= times; });
    }
    std::vector<std::string> targets() {
        const std::lock_guard held(mutex_);
        return targets_;
    }
    void cannot_plan() { description_.can_plan = false; }

    std::function<Outcome(std::uint32_t)> on_promote = [](auto) { return Outcome::Done; };
    // By revision, instead of the above; set before the engine starts, like them.
    std::function<Outcome(const std::string&)> promote_revision;
    std::function<Outcome(const std::string&)> on_observe;
    std::optional<milliseconds> retry_after;
    std::atomic<bool> own_pull_requests{false};  // one for each revision
    std::string details;
    std::vector<strategy::GivenSecret> secrets;
    std::atomic<std::size_t> secret_now{0};
    mutable std::atomic<int> looked_for_renewals{0};
    std::atomic<bool> one_lane{true};
    std::atomic<bool> served{true};
    mutable std::atomic<int> checked{0};  // Pipelines, for what no strategy serves
    std::atomic<bool> hold{false};
    std::atomic<bool> hears_no_stop{false};
    std::atomic<bool> merged{false};
    std::vector<strategy::AbsentSecret> absent;  // with Retry
    std::atomic<bool> come{false};               // what was absent
    mutable std::atomic<int> looked_for{0};
    std::atomic<int> promoted{0};
    std::atomic<int> observed{0};
    std::atomic<int> most_running{0};

private:
    mutable std::mutex mutex_;
    mutable std::condition_variable_any changed_;
    std::vector<std::string> targets_;
    std::atomic<int> running_{0};
    strategy::Description description_;
};

// An answer of the engine, as a future.
template <class T>
struct Awaited {
    std::shared_ptr<std::promise<Result<T>>> promise = std::make_shared<std::promise<Result<T>>>();
    std::future<Result<T>> future = promise->get_future();
    [[nodiscard]] auto callback() const {
        return [kept = promise](Result<T> result) { kept->set_value(std::move(result)); };
    }
    Result<T> get() { return future.get(); }
};

struct House {
    House() {
        std::string name = "/tmp/engine-test-XXXXXX";
        folder = ::mkdtemp(name.data());
        options.backoff_first = options.observe_every = milliseconds{1};
        options.backoff_most = options.observe_at_most = milliseconds{5};
        options.attempts = 3;
        pipeline.id = {"apps", "shop"};
        pipeline.app = {"helm.toolkit.fluxcd.io/v2", "HelmRelease", "shop"};
        pipeline.environments = {{"dev", {{"dev", {}}, {"lab", {}}}, {}, {}, {}},
                                 {"prod", {{"prod", {}}}, {}, {}, {}}};
        pipeline.promotion =
            model::PromotionPolicy{false, model::StrategyCall{"fake", "{}", "", "", {}}, {}, {}};
    }
    House(const House&) = delete;
    House& operator=(const House&) = delete;
    ~House() {
        close();
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    // Opens journal and engine; what is sent before start() is decided in one batch.
    void open() {
        auto opened = journal::Journal::open({folder / "journal.db"});
        REQUIRE(opened);
        journal = std::move(*opened);
        const Clock& clock = manual ? static_cast<const Clock&>(hands) : real;
        auto made = Engine::open_with(options, *journal, carrier, clock, *metrics, sink);
        REQUIRE(made);
        engine = std::move(*made);
        engine->set_pipelines({{std::make_shared<model::Pipeline>(pipeline)}, {}});
    }
    House& start() {
        if (engine == nullptr) open();
        engine->start();
        return *this;
    }
    void close() {
        engine.reset();
        journal.reset();
    }
    static model::ReceivedEvent event(const std::string& revision, const std::string& target) {
        model::ReceivedEvent event;
        event.pipeline = {"apps", "shop"};
        event.environment = "dev";
        event.event.object = {"helm.toolkit.fluxcd.io/v2", "HelmRelease", target, "shop"};
        event.event.severity = "info";
        event.event.reason = "UpgradeSucceeded";
        event.event.revision = revision;
        event.body = "{}";
        return event;
    }
    Awaited<Accepted> post(const std::string& revision, const std::string& target = "dev") {
        Awaited<Accepted> answer;
        engine->submit(event(revision, target), answer.callback());
        return answer;
    }
    Result<Accepted> send(const std::string& revision, const std::string& target = "dev") {
        return post(revision, target).get();
    }
    // The one promotion that the revision made due.
    std::string promote(const std::string& revision) {
        const auto accepted = send(revision);
        REQUIRE(accepted);
        REQUIRE(accepted->promotions.size() == 1);
        return accepted->promotions[0];
    }
    // Moves the hands of the manual clock.
    void pass(milliseconds time) {
        hands.advance(time);
        engine->wake();
    }
    Phase phase(const std::string& id) const { return journal->promotion(id)->phase; }
    static bool soon(const std::function<bool()>& holds) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::yield();
        }
        return true;
    }
    bool comes_to(const std::string& id, Phase wanted) const {
        return soon([&] { return phase(id) == wanted; });
    }
    // Meddles with the journal's file, as another program could.
    void sql(const std::string& text) const {
        sqlite3* database = nullptr;
        REQUIRE(sqlite3_open((folder / "journal.db").c_str(), &database) == SQLITE_OK);
        sqlite3_busy_timeout(database, static_cast<int>(milliseconds{kPatience}.count()));
        const int code = sqlite3_exec(database, text.c_str(), nullptr, nullptr, nullptr);
        sqlite3_close(database);
        REQUIRE(code == SQLITE_OK);
    }

    std::filesystem::path folder;
    bool manual = false;
    engine::Options options;
    model::Pipeline pipeline;
    SystemClock real;
    ManualClock hands;
    platform::StatusSink* sink = nullptr;
    std::unique_ptr<Metrics> metrics = std::make_unique<Metrics>();
    std::shared_ptr<FakeCarrier> carrier = std::make_shared<FakeCarrier>();
    std::unique_ptr<journal::Journal> journal;
    std::unique_ptr<Engine> engine;
};

}  // namespace promotiond::test
