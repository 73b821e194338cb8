// The engine's thread: what it goes on from, when it sleeps and wakes, and what it does when nobody
// waits.
#include <pthread.h>

#include "base/log.hpp"
#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStuckTurn{30'000};
constexpr milliseconds kStuckCall{60'000};  // beyond its deadlines
// No sleep is longer while something is owed: the age of the oldest promotion is told anew.
constexpr milliseconds kLookAround{60'000};
constexpr std::size_t kSweptAtOnce = 200;
constexpr milliseconds kSweepPause{1'000};
constexpr milliseconds kSweepEvery{3'600'000};
constexpr int kLastTries = 3;  // commits that may fail while stopping

}  // namespace

Error stopping_error() {
    return {.kind = ErrorKind::Transient, .message = "the daemon is stopping; try again soon"};
}

Engine::State::State(Options chosen, journal::Journal& durable, std::shared_ptr<Carrier> by,
                     const Clock& time, Metrics& registry, platform::StatusSink* sink)
    : options(chosen),
      journal(durable),
      carrier(std::move(by)),
      clock(time),
      metrics(registry),
      status(sink),
      unannounced_(registry, chosen.event_expected),
      renewals_(chosen.renewed_every),
      random_(chosen.jitter_seed.value_or(std::random_device{}())),
      meters_(registry),
      workers_(chosen.workers) {}

Result<void> Engine::State::load() {
    auto loaded = journal.load();
    if (!loaded) return loaded.error();
    std::map<model::PipelineName, std::shared_ptr<model::History>> all;
    for (auto& [name, history] : *loaded) {
        for (auto& [place, list] : history.promotions) {
            for (auto& promotion : list) {
                if (promotion.phase == model::Phase::Failed && promotion.id == list.back().id) {
                    renewals_.rejected(promotion, secrets_in(promotion.details),
                                       clock.steady_now());
                }
                slim(promotion);
                meters_.enter(promotion, std::nullopt);
            }
        }
        all[name] = std::make_shared<model::History>(std::move(history));
    }
    views.publish(all);
    Turn turn(views);
    for (const auto& [name, history] : all) {
        for (const auto& [place, list] : history->promotions) {
            for (model::Promotion promotion : list) {
                if (promotion.phase != model::Phase::Running) {
                    plan(promotion);
                    continue;
                }
                promotion.phase = model::Phase::Queued;
                // That try counts: what ends the daemon each time must not be tried for ever. One
                // that an orderly stop cut off is no longer Running.
                promotion.reason = "the daemon ended while it ran";
                promotion.updated = promotion.not_before = clock.now();
                turn.stage.move(promotion, "daemon");
                yield(turn, promotion);
            }
        }
    }
    if (auto written = journal.commit(turn.stage.batch()); !written) return written;
    settle(turn);
    meters_.look_at(clock.now());
    if (options.retention.count() > 0) sweep_ = clock.steady_now() + kSweepPause;
    return {};
}

std::optional<Error> Engine::State::post(Signal signal, bool bounded) {
    const std::lock_guard held(mutex);
    if (bounded && stopping) return stopping_error();
    if (bounded && inbox.size() >= options.queue_limit) {
        return Error{.kind = ErrorKind::Throttled,
                     .message = "too many signals wait to be decided; come back in a second",
                     .retry_after = milliseconds{1'000}};
    }
    inbox.push_back(std::move(signal));
    changed.notify_one();
    return std::nullopt;
}

std::optional<SteadyTime> Engine::State::next_wake() const {
    std::optional<SteadyTime> next;
    const auto sooner = [&next](std::optional<SteadyTime> time) {
        if (time && (!next || *time < *next)) next = time;
    };
    if (calls_.size() < options.workers) sooner(schedule_.next_timer());
    sooner(retry_commit_);
    if (meters_.any_unfinished()) sooner(clock.steady_now() + kLookAround);
    sooner(checkpoint_);
    sooner(sweep_);
    sooner(unannounced_.next());
    sooner(renewals_.next());
    if (!calls_cancelled_) sooner(cancel_calls_);
    for (const auto& waiter : waiters_) sooner(waiter.deadline);
    return next;
}

std::optional<std::string> Engine::State::stuck() const {
    const auto now = clock.steady_now();
    if (turn_began != SteadyTime{} && now - turn_began > kStuckTurn) {
        return "the engine has not moved for 30 seconds; the disk may hang";
    }
    // A call waits for an instance as long as it may run, and a plugin that is late is given up:
    // one that is older has stopped in the daemon itself, and its lane with it.
    if (oldest_call && now - *oldest_call > 2 * options.call_deadline + kStuckCall) {
        return "a call of a strategy was not given up in time, and its lane stands still";
    }
    return std::nullopt;
}

// Sleeps until there is something to do; false at the end.
bool Engine::State::wait(std::deque<Signal>& taken) {
    const auto next = next_wake();
    std::unique_lock held(mutex);
    turn_began = {};
    oldest_call.reset();
    for (const auto& [number, call] : calls_) {
        if (!oldest_call || call.started < *oldest_call) oldest_call = call.started;
    }
    const auto ready = [this] { return !inbox.empty() || poked || (stopping && !cancel_calls_); };
    if (next) {
        const auto left = std::min<SteadyTime::duration>(*next - clock.steady_now(), kLookAround);
        if (left.count() > 0) changed.wait_for(held, left, ready);
    } else {
        changed.wait(held, ready);
    }
    poked = false;
    if (stopping && !cancel_calls_) cancel_calls_ = clock.steady_now() + grace;
    while (!inbox.empty() && taken.size() < options.batch_limit) {
        taken.push_back(std::move(inbox.front()));
        inbox.pop_front();
    }
    meters_.depth.set(static_cast<double>(inbox.size()));
    turn_began = clock.steady_now();
    return !taken.empty() || !stopping || !drained();
}

// While stopping: true when nothing is owed any more.
bool Engine::State::drained() {
    if (!calls_.empty()) return false;
    return unwritten_.empty() || last_tries_ >= kLastTries;
}

void Engine::State::run() {
    pthread_setname_np(pthread_self(), "engine");
    std::deque<Signal> taken;
    while (wait(taken)) {
        const SteadyTime now = clock.steady_now();
        if (cancel_calls_ && *cancel_calls_ <= now && !calls_cancelled_) {
            for (auto& [number, call] : calls_) call.stop.request_stop();
            calls_cancelled_ = true;
        }
        take_turn(std::exchange(taken, {}));
        if (checkpoint_ && *checkpoint_ <= now) idle();
        if (sweep_ && *sweep_ <= now) sweep();
    }
    workers_.join();
    answer_waiters(SteadyTime::max());
}

void Engine::State::turn_away() {
    std::deque<Signal> late;
    {
        const std::lock_guard held(mutex);
        late.swap(inbox);
    }
    for (auto& signal : late) {
        std::visit(
            [](auto& kind) {
                if constexpr (requires { kind.done; }) {
                    if (kind.done) kind.done(stopping_error());
                }
            },
            signal);
    }
}

void Engine::State::idle() {
    {
        const std::lock_guard held(mutex);
        if (!inbox.empty()) return;
    }
    checkpoint_.reset();
    if (auto moved = journal.checkpoint(); !moved) {
        log::warn("PROMO-2004", "the journal's log could not be moved into the main file",
                  {{"err", moved.error().message}});
    }
}

// Retention, a little at a time and only when nobody waits.
void Engine::State::sweep() {
    {
        const std::lock_guard held(mutex);
        if (!inbox.empty() || stopping) return;
    }
    const SteadyTime now = clock.steady_now();
    auto swept = journal.sweep(clock.now() - options.retention, swept_, kSweptAtOnce);
    if (!swept) {
        sweep_ = now + kSweepEvery;
        log::warn("PROMO-2007", "old promotions could not be removed from the journal",
                  {{"err", swept.error().message}});
        return;
    }
    swept_ = swept->done ? 0 : swept->after;
    sweep_ = now + (swept->done ? kSweepEvery : kSweepPause);
    if (swept->removed > 0) checkpoint_ = now + kSweepPause;
    log::debug("PROMO-2008", "old promotions and events were removed from the journal",
               {{"rows", std::to_string(swept->removed)}});
}

}  // namespace promotiond::engine
