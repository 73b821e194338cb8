// One turn of the engine's thread: stage what came in and what is due, write it down in one commit,
// and only then make it the state, answer and begin work.
#include <algorithm>
#include <type_traits>

#include "base/log.hpp"
#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using model::Phase;
using std::chrono::milliseconds;

constexpr milliseconds kCommitRetryFirst{200};
constexpr milliseconds kCheckpointAfter{1'000};

// Signals that change nothing durable by themselves are dealt with when they are taken.
template <class Kind>
constexpr bool kStagedAnew =
    std::is_same_v<Kind, EventSignal> || std::is_same_v<Kind, ApprovalSignal> ||
    std::is_same_v<Kind, CommandSignal>;

}  // namespace

void Engine::State::take_turn(std::deque<Signal> signals) {
    Turn turn(views);
    for (auto& returned : std::exchange(unwritten_, {})) {
        turn.returned.push_back(std::move(returned));
        stage_returned(turn, turn.returned.back());
    }
    if (!unheeded_.empty()) handle(turn, ObservationSignal{std::exchange(unheeded_, {})});
    for (auto& signal : signals) {
        std::visit([&](auto& kind) { handle(turn, kind); }, signal);
    }
    stage_due(turn);
    if (auto written = write(turn); written) {
        settle(turn);
    } else if (written.error().kind == ErrorKind::Internal) {
        one_by_one(turn, signals);
    } else {
        failed(turn, written.error());
    }
    if (!waiters_.empty()) answer_waiters(clock.steady_now());
    meters_.look_at(clock.now());
    unannounced_.look_at(clock.steady_now());
    look_for_renewals();
}

Result<void> Engine::State::write(const Turn& turn) {
    const auto& batch = turn.stage.batch();
    const bool probing = retry_commit_ && batch.empty() && *retry_commit_ <= clock.steady_now();
    if (batch.empty() && !probing) return {};
    const auto began = std::chrono::steady_clock::now();
    if (auto written = probing ? journal.probe() : journal.commit(batch); !written) return written;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    meters_.commit.observe(took.count());
    checkpoint_ = clock.steady_now() + kCheckpointAfter;
    if (!retry_commit_) return {};
    log::info("PROMO-2003", "the journal takes writes again");
    retry_commit_.reset();
    const std::lock_guard held(mutex);
    failing.reset();
    return {};
}

// The batch is durable: make it the state, answer, and begin what was staged.
void Engine::State::settle(Turn& turn) {
    views.publish(turn.stage.changed());
    for (const auto& step : turn.stage.batch().steps) {
        const auto& promotion = step.promotion;
        tell(step.transition, promotion);
        if (promotion.phase == Phase::Superseded || promotion.phase == Phase::Cancelled) {
            schedule_.drop(promotion.scope, promotion.id);
            for (auto& [number, call] : calls_) {
                if (call.slot.id == promotion.id) call.stop.request_stop();
            }
        }
        const auto* last = turn.stage.find(promotion.scope, promotion.id);
        if (last != nullptr && last->phase == promotion.phase) plan(promotion);
        if (status != nullptr) status->stepped(promotion, step.transition);
    }
    for (auto& [number, call] : calls_) {
        const auto& ids = turn.overtaken;
        if (std::find(ids.begin(), ids.end(), call.slot.id) != ids.end()) call.stop.request_stop();
    }
    for (const auto& [name, history] : turn.stage.changed()) turn.touched.insert(name);
    tell_status(turn.touched);
    for (auto& [slot, wait] : turn.again) {
        const auto* current = turn.stage.find(slot.scope, slot.id);
        const Phase wanted = slot.work == Work::Observe ? Phase::Pending : Phase::Queued;
        const SteadyTime due = clock.steady_now() + wait;
        // Somebody may have asked for a look meanwhile, which is sooner.
        const bool sooner =
            slot.work == Work::Observe && schedule_.holds_by(slot.scope, slot.id, due);
        if (current != nullptr && current->phase == wanted && !sooner) {
            schedule_.plan(std::move(slot), due);
        }
    }
    for (auto& answer : turn.answers) answer(nullptr);
    for (auto& staged : turn.launches) launch(std::move(staged));
}

// Nothing of the batch happened. What strategies said is kept and staged again; what was to begin
// waits for the journal.
void Engine::State::failed(Turn& turn, const Error& error) {
    meters_.errors.add();
    if (cancel_calls_) ++last_tries_;
    if (!retry_commit_) {
        log::error("PROMO-2001", "the journal cannot be written; signals are refused until it can",
                   {{"err", error.message}});
    }
    retry_commit_ = clock.steady_now() + kCommitRetryFirst;
    {
        const std::lock_guard held(mutex);
        failing = error;
    }
    for (auto& answer : turn.answers) answer(&error);
    put_back(turn, kCommitRetryFirst);
    std::move(turn.returned.begin(), turn.returned.end(), std::back_inserter(unwritten_));
    std::move(turn.seen.begin(), turn.seen.end(), std::back_inserter(unheeded_));
}

// What was taken from the schedule for a batch that did not come about.
void Engine::State::put_back(const Turn& turn, milliseconds pause) {
    for (const auto& staged : turn.launches) {
        schedule_.release(staged.call.lanes);
        schedule_.plan(staged.call.slot, clock.steady_now() + pause);
    }
    // A promotion that was to fail, or to wait for its strategy, was taken as well.
    const Stage unchanged(views);
    const auto plan_again = [&](const model::Promotion& staged) {
        const auto* kept = unchanged.find(staged.scope, staged.id);
        if (kept != nullptr) plan(*kept);
    };
    for (const auto& step : turn.stage.batch().steps) plan_again(step.promotion);
    for (const auto& promotion : turn.stage.batch().amended) plan_again(promotion);
}

// The journal refused the batch for what is in it: a bug, or somebody else wrote to the file. Each
// change is written alone, so that only the bad one is lost.
void Engine::State::one_by_one(const Turn& whole, std::deque<Signal>& signals) {
    put_back(whole, milliseconds{0});
    for (const auto& returned : whole.returned) {
        Turn turn(views);
        turn.returned.push_back(returned);
        stage_returned(turn, returned);
        conclude(turn);
    }
    for (const auto& seen : whole.seen) {
        Turn turn(views);
        handle(turn, ObservationSignal{{seen}});
        conclude(turn);
    }
    for (auto& signal : signals) {
        std::visit(
            [this](auto& kind) {
                if constexpr (kStagedAnew<std::decay_t<decltype(kind)>>) {
                    Turn turn(views);
                    handle(turn, kind);
                    conclude(turn);
                }
            },
            signal);
    }
    while (auto slot = next_due(0)) {
        Turn turn(views);
        stage_slot(turn, std::move(*slot));
        conclude(turn);
    }
}

void Engine::State::conclude(Turn& turn) {
    const auto written = write(turn);
    if (written) return settle(turn);
    if (written.error().kind != ErrorKind::Internal) return failed(turn, written.error());
    refuse(turn, written.error());
}

void Engine::State::refuse(Turn& turn, const Error& error) {
    meters_.errors.add();
    log::error("PROMO-2005", "the journal refused a change; it alone is dropped",
               {{"err", error.message}});
    for (auto& answer : turn.answers) answer(&error);
    for (const auto& staged : turn.launches) schedule_.release(staged.call.lanes);
    const auto& batch = turn.stage.batch();
    for (const auto& step : batch.steps) set_right(step.promotion, error);
    for (const auto& promotion : batch.amended) set_right(promotion, error);
}

// After a refused change the journal is believed. What nobody works on any more is given up, rather
// than tried for ever; a person can retry it.
// Invariant: what is Running has a call, what is Queued or Pending has a place in the schedule.
void Engine::State::set_right(const model::Promotion& touched, const Error& refusal) {
    if (!believe_journal(touched)) return;
    Turn turn(views);
    const auto* kept = turn.stage.find(touched.scope, touched.id);
    if (kept == nullptr || schedule_.holds(kept->scope, kept->id)) return;
    if (kept->phase == Phase::Pending) return plan(*kept, options.observe_at_most);
    const bool called = std::any_of(calls_.begin(), calls_.end(), [kept](const auto& entry) {
        return entry.second.slot.id == kept->id;
    });
    if (called || (kept->phase != Phase::Running && kept->phase != Phase::Queued)) return;
    model::Promotion given_up = *kept;
    given_up.phase = Phase::Failed;
    given_up.reason = "the journal refused what came of it: " + refusal.message;
    given_up.updated = clock.now();
    turn.stage.move(std::move(given_up), "daemon");
    if (const auto written = write(turn); written) return settle(turn);
    log::error("PROMO-2006", "a promotion stays as it is until the next start",
               {{"promotion", touched.id}});
}

// False if the journal has no such promotion, or cannot be asked.
bool Engine::State::believe_journal(const model::Promotion& touched) {
    auto written = journal.promotion(touched.id);
    if (!written) return false;
    Stage stage(views);
    const auto* kept = stage.find(touched.scope, touched.id);
    if (kept == nullptr || kept->phase == written->phase) return kept != nullptr;
    meters_.enter(*written, kept->phase);
    stage.correct(std::move(*written));
    views.publish(stage.changed());
    return true;
}

// Counts and logs a step that is durable.
void Engine::State::tell(const model::Transition& transition, const model::Promotion& promotion) {
    meters_.enter(promotion, transition.from);
    const bool failed = transition.to == Phase::Failed;
    const auto level = failed ? log::Level::Warn : log::Level::Info;
    if (failed || transition.to == Phase::Succeeded) {
        const std::chrono::duration<double> took = promotion.updated - promotion.created;
        meters_.seconds.observe(took.count());
    }
    if (!log::enabled(level)) return;
    log::write(level, transition.from ? "PROMO-3001" : "PROMO-1001",
               transition.from ? "promotion moved" : "promotion decided",
               {{"promotion", promotion.id},
                {"pipeline", promotion.scope.pipeline.text()},
                {"environment", promotion.scope.environment},
                {"revision", promotion.revision},
                {"phase", std::string(name_of(transition.to))},
                {"attempt", std::to_string(promotion.attempt)},
                {"reason", transition.reason}});
}

}  // namespace promotiond::engine
