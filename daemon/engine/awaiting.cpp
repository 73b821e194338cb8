// A secret that is not there yet loses no promotion, costs it no try and moves it no more than
// once: while it is absent it is asked for without a step, and what waits for it is promoted when
// it has come.
#include <algorithm>

#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using model::Phase;

// Only the strategy knows whether it can do without; so it is asked again some day.
constexpr std::chrono::hours kTryAnyway{1};
// Whoever makes the secret watches what becomes of it.
constexpr std::chrono::milliseconds kLongestPause{30'000};

}  // namespace

void Engine::State::wait_for_secret(Turn& turn, model::Promotion promotion,
                                    const strategy::Answer& answer) {
    const auto wait = options.backoff_first;
    if (promotion.attempt > 0) promotion.attempt -= 1;
    promotion.phase = Phase::Queued;
    // A plugin hears only that the store says nothing.
    const auto& why = answer.absent.front().why;
    if (!why.empty()) promotion.reason += (promotion.reason.empty() ? "" : ": ") + why;
    promotion.not_before = promotion.updated + wait;
    const auto anyway = clock.steady_now() + kTryAnyway;
    turn.again.push_back(
        {{promotion.scope, promotion.id, Work::Await, wait, answer.absent, anyway}, wait});
    turn.stage.move(std::move(promotion), "strategy");
}

void Engine::State::stage_look(Turn& turn, Slot slot, const model::Promotion& promotion) {
    turn.launches.push_back(
        {{std::move(slot), {}, std::stop_source{}, {}, {}}, nullptr, {}, promotion});
}

// Changes nothing durable, and so is planned at once.
void Engine::State::stage_looked(const Turn& turn, const Returned& returned) {
    Slot slot = returned.slot;
    const auto* current = turn.stage.find(slot.scope, slot.id);
    const bool waits = current != nullptr && current->phase == Phase::Queued;
    // Its Pipeline may have changed meanwhile, and another secret be what it needs.
    if (!waits || schedule_.holds(slot.scope, slot.id)) return;
    const auto now = clock.steady_now();
    if (returned.answer.outcome == strategy::Outcome::Done) {
        schedule_.plan({slot.scope, slot.id, Work::Promote}, now);
        return;
    }
    slot.interval = std::min({slot.interval * 2, options.backoff_most, kLongestPause});
    const auto wait = slot.interval;
    schedule_.plan(std::move(slot), now + wait);
}

}  // namespace promotiond::engine
