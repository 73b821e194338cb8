#include <algorithm>
#include <exception>

#include "base/log.hpp"
#include "engine/state.hpp"
#include "model/codec.hpp"

namespace promotiond::engine {
namespace {

using model::Phase;
using std::chrono::milliseconds;
using strategy::Outcome;

// The strategy's words, where it gave any.
void take_answer(model::Promotion& promotion, const strategy::Answer& answer) {
    if (!answer.summary.empty()) promotion.summary = answer.summary;
    if (!answer.location.empty()) promotion.location = answer.location;
    if (!answer.external_id.empty()) promotion.external_id = answer.external_id;
    if (!answer.details.empty()) promotion.details = answer.details;
}

bool same_answer(const model::Promotion& a, const model::Promotion& b) {
    return a.summary == b.summary && a.location == b.location && a.external_id == b.external_id &&
           a.details == b.details;
}

}  // namespace

Result<const strategy::Description*> Engine::State::route(const model::Pipeline& pipeline,
                                                          const std::string& environment) const {
    const auto index = pipeline.index_of(environment);
    if (index == model::Pipeline::npos) {
        return Error{.kind = ErrorKind::Invalid,
                     .message = "app " + pipeline.id.text() + " has no environment " + environment +
                                " defined"};
    }
    const auto* policy = pipeline.policy_for(pipeline.environments[index]);
    if (policy == nullptr || !policy->strategy) {
        return Error{.kind = ErrorKind::Invalid,
                     .message = "Pipeline " + pipeline.id.text() + " names no strategy for " +
                                environment + "; add one under spec.promotion"};
    }
    return carrier->route(*policy->strategy);
}

Result<strategy::Request> Engine::State::request_for(const model::Pipeline& pipeline,
                                                     const model::Promotion& promotion) const {
    const auto index = pipeline.index_of(promotion.scope.environment);
    if (index == model::Pipeline::npos) {
        return Error{.kind = ErrorKind::Invalid,
                     .message = "Pipeline " + pipeline.id.text() + " has no environment " +
                                promotion.scope.environment};
    }
    const auto& environment = pipeline.environments[index];
    const auto* policy = pipeline.policy_for(environment);
    strategy::Request request;
    request.promotion_id = promotion.id;
    request.pipeline_namespace = pipeline.id.ns;
    request.pipeline_name = pipeline.id.name;
    request.environment = environment.name;
    request.target = promotion.scope.target;
    request.revision = promotion.revision;
    request.previous_revision = promotion.previous_revision;
    request.actor = promotion.actor;
    request.config = policy != nullptr && policy->strategy ? policy->strategy->config : "{}";
    request.targets = model::targets_to_json(environment, promotion.scope.target);
    request.event = promotion.event;
    request.attempt = std::max<std::uint32_t>(1, promotion.attempt);
    return request;
}

// When the promotion is to be worked on next, if at all. Times of the record are turned into steady
// ones here, so that a jump of the wall clock later fires nothing.
void Engine::State::plan(const model::Promotion& promotion, milliseconds interval) {
    const bool queued = promotion.phase == Phase::Queued;
    if (!queued && promotion.phase != Phase::Pending) return;
    // What was never tried waited for its strategy at most, which may be there now. The longest
    // wait that backoff() gives; longer is a wall clock that jumped.
    const auto most = queued && promotion.attempt == 0
                          ? milliseconds{0}
                          : options.retry_after_most + options.backoff_first;
    const auto ahead =
        std::clamp<milliseconds>(promotion.not_before - clock.now(), milliseconds{0}, most);
    if (queued) {
        schedule_.plan({promotion.scope, promotion.id, Work::Promote}, clock.steady_now() + ahead);
        return;
    }
    const auto pause = interval.count() > 0 ? interval : options.observe_every;
    const auto wait = interval.count() > 0 ? interval : ahead;
    schedule_.plan({promotion.scope, promotion.id, Work::Observe, pause},
                   clock.steady_now() + wait);
}

void Engine::State::stage_due(Turn& turn) {
    while (auto slot = next_due(turn.launches.size())) stage_slot(turn, std::move(*slot));
}

// Nothing while the engine stops, the journal fails, or every worker has a call.
std::optional<Slot> Engine::State::next_due(std::size_t launching) {
    const bool unwritable = retry_commit_ && *retry_commit_ > clock.steady_now();
    if (cancel_calls_ || unwritable) return std::nullopt;
    if (calls_.size() + launching >= options.workers) return std::nullopt;
    schedule_.advance(clock.steady_now());
    return schedule_.take();
}

void Engine::State::stage_slot(Turn& turn, Slot slot) {
    const auto* found = turn.stage.find(slot.scope, slot.id);
    const Phase wanted = slot.work == Work::Observe ? Phase::Pending : Phase::Queued;
    if (found == nullptr || found->phase != wanted) return;
    // Planned anew when the Pipeline comes back.
    const auto* pipeline = turn.stage.pipeline(slot.scope.pipeline);
    if (pipeline == nullptr) return;
    if (slot.work == Work::Await && slot.try_anyway > clock.steady_now()) {
        return stage_look(turn, std::move(slot), *found);
    }
    if (slot.work == Work::Await) slot = {slot.scope, slot.id, Work::Promote};
    model::Promotion promotion = *found;
    const auto give_up = [&](const std::string& why) {
        promotion.phase = Phase::Failed;
        promotion.reason = why;
        promotion.updated = clock.now();
        turn.stage.move(promotion, "daemon");
    };
    const auto& environment = slot.scope.environment;
    auto by = route(*pipeline, environment);
    if (!by && wanted == Phase::Pending) return;
    if (!by && pipeline->index_of(environment) == model::Pipeline::npos) {
        return give_up(by.error().message);
    }
    if (!by) return wait_for_strategy(turn, std::move(promotion), by.error());
    if (slot.work == Work::Observe && !(*by)->can_observe) return;
    if (wanted == Phase::Queued && promotion.attempt >= options.attempts) {
        return give_up("gave up after " + std::to_string(promotion.attempt) +
                       " tries: " + promotion.reason);
    }
    if (wanted == Phase::Queued) {
        promotion.attempt += 1;
        const auto& past = turn.stage.history(pipeline->id).promotions;
        promotion.previous_revision =
            model::last_promoted(past.at({slot.scope.environment, slot.scope.target}));
    }
    auto request = request_for(*pipeline, promotion);
    if (!request) return give_up(request.error().message);
    std::vector<std::string> lanes{"scope " + slot.scope.pipeline.text() + "/" +
                                   slot.scope.environment + "/" + slot.scope.target};
    if (slot.work == Work::Promote) lanes.push_back("lane " + carrier->lane(**by, *request));
    if (schedule_.park_if_busy(slot, lanes)) return;
    schedule_.occupy(lanes);
    if (slot.work == Work::Promote) {
        promotion.phase = Phase::Running;
        promotion.reason = "try " + std::to_string(promotion.attempt) + " has begun";
        promotion.updated = clock.now();
        turn.stage.move(promotion, "daemon");
    }
    turn.launches.push_back({{std::move(slot), std::move(lanes), std::stop_source{}, {}, {}},
                             *by,
                             std::move(*request),
                             std::move(promotion)});
}

// A plugin that is not installed yet, or a key that is mistyped, loses no promotion and costs it no
// try. It goes on at once when its Pipeline changes and when the daemon starts with the plugin.
void Engine::State::wait_for_strategy(Turn& turn, model::Promotion promotion,
                                      const Error& missing) {
    if (promotion.reason != missing.message) {
        log::warn("PROMO-3002", "a promotion waits for a strategy that serves it",
                  {{"promotion", promotion.id},
                   {"pipeline", promotion.scope.pipeline.text()},
                   {"environment", promotion.scope.environment},
                   {"reason", missing.message}});
    }
    promotion.reason = missing.message;
    promotion.not_before = clock.now() + options.backoff_most;
    turn.again.push_back({{promotion.scope, promotion.id, Work::Promote}, options.backoff_most});
    turn.stage.amend(std::move(promotion));
}

void Engine::State::launch(Launch launch) {
    const CallNumber number = ++last_call_;
    launch.call.started = clock.steady_now();
    launch.call.can_observe = launch.by != nullptr && launch.by->can_observe;
    strategy::CallOptions call{options.call_deadline, launch.call.stop.get_token(), {}};
    const Work work = launch.call.slot.work;
    auto absent = launch.call.slot.absent;
    calls_.emplace(number, std::move(launch.call));
    workers_.run([this, number, work, call = std::move(call), by = launch.by,
                  request = std::move(launch.request), promotion = std::move(launch.promotion),
                  absent = std::move(absent)] {
        strategy::Answer answer;
        try {
            switch (work) {
                case Work::Promote: answer = carrier->promote(*by, request, call); break;
                case Work::Observe: answer = carrier->observe(*by, request, promotion, call); break;
                case Work::Await:
                    const bool come = carrier->has_come(promotion.scope.pipeline.ns, absent);
                    answer.outcome = come ? Outcome::Done : Outcome::Retry;
                    break;
            }
        } catch (const std::exception& thrown) {
            // Strategies contain their plugins; this is memory running out or a bug of ours.
            answer = {};
            answer.outcome = Outcome::Retry;
            answer.message = std::string("the call failed inside the daemon: ") + thrown.what();
        }
        if (by != nullptr) {
            metrics
                .counter(
                    "promotiond_strategy_calls_total", "Verbs of strategies that returned",
                    {{"strategy", by->name}, {"outcome", std::string(name_of(answer.outcome))}})
                .add();
        }
        (void)post(OutcomeSignal{number, std::move(answer)}, false);
    });
}

void Engine::State::stage_returned(Turn& turn, const Returned& returned) {
    if (returned.slot.work == Work::Await) return stage_looked(turn, returned);
    const auto* found = turn.stage.find(returned.slot.scope, returned.slot.id);
    const bool promoted = returned.slot.work == Work::Promote;
    if (found == nullptr || found->phase != (promoted ? Phase::Running : Phase::Pending)) {
        log::debug("PROMO-3004", "the outcome came too late and changes nothing",
                   {{"promotion", returned.slot.id}});
        return;
    }
    model::Promotion promotion = *found;
    promotion.updated = clock.now();
    if (!promoted) return stage_observed(turn, std::move(promotion), returned);
    stage_promoted(turn, std::move(promotion), returned.answer);
    const model::Promotion carried_out = *turn.stage.find(returned.slot.scope, returned.slot.id);
    if (carried_out.phase == Phase::Pending || carried_out.phase == Phase::Succeeded) {
        stage_taken_over(turn, carried_out, returned.can_observe);
    } else if (carried_out.phase == Phase::Queued) {
        yield(turn, carried_out);
    }
}

void Engine::State::stage_promoted(Turn& turn, model::Promotion promotion,
                                   const strategy::Answer& answer) {
    take_answer(promotion, answer);
    promotion.reason = answer.message;
    switch (answer.outcome) {
        case Outcome::Done:
            promotion.phase = Phase::Succeeded;
            if (promotion.reason.empty()) promotion.reason = "the strategy carried it out";
            break;
        case Outcome::Pending:
            promotion.phase = Phase::Pending;
            if (promotion.reason.empty()) promotion.reason = "waits for someone else to act";
            promotion.not_before = promotion.updated + options.observe_every;
            break;
        case Outcome::Retry:
            if (!answer.absent.empty()) return wait_for_secret(turn, std::move(promotion), answer);
            promotion.phase = promotion.attempt >= options.attempts ? Phase::Failed : Phase::Queued;
            if (promotion.phase == Phase::Failed) {
                promotion.reason = "gave up after " + std::to_string(promotion.attempt) +
                                   " tries: " + answer.message;
            }
            promotion.not_before = promotion.updated + backoff(promotion.attempt, answer);
            break;
        case Outcome::Rejected:
            promotion.phase = Phase::Failed;
            promotion.details = with_secrets(promotion.details, answer.secrets);
            renewals_.rejected(promotion, answer.secrets, clock.steady_now());
            break;
        case Outcome::Cancelled:
            promotion.phase = Phase::Queued;
            promotion.reason = "the call was cancelled: " + answer.message;
            promotion.not_before = promotion.updated;
            if (!cancel_calls_) {
                promotion.not_before += backoff(promotion.attempt, answer);
            } else if (promotion.attempt > 0) {
                promotion.attempt -= 1;  // a stop of the daemon is not the promotion's failure
            }
            break;
    }
    turn.stage.move(std::move(promotion), "strategy");
}

void Engine::State::stage_observed(Turn& turn, model::Promotion promotion,
                                   const Returned& returned) {
    const strategy::Answer& answer = returned.answer;
    const model::Promotion before = promotion;
    if (answer.outcome == Outcome::Done || answer.outcome == Outcome::Rejected) {
        take_answer(promotion, answer);
        const bool done = answer.outcome == Outcome::Done;
        promotion.reason = answer.message;
        if (promotion.reason.empty()) promotion.reason = done ? "merged" : "closed without a merge";
        if (!done && stage_overtaken(turn, promotion)) return;
        promotion.phase = done ? Phase::Succeeded : Phase::Failed;
        return turn.stage.move(std::move(promotion), "strategy");
    }
    Slot again = returned.slot;
    if (answer.outcome == Outcome::Pending) {
        take_answer(promotion, answer);
        if (!same_answer(before, promotion)) turn.stage.amend(std::move(promotion));
        again.interval = std::min(again.interval * 3 / 2, options.observe_at_most);
    }
    if (answer.retry_after) {
        again.interval =
            std::max(again.interval, std::min(*answer.retry_after, options.retry_after_most));
    }
    const auto wait = again.interval;
    turn.again.push_back({std::move(again), wait});
}

milliseconds Engine::State::backoff(std::uint32_t attempt, const strategy::Answer& answer) {
    const auto spread = [this](milliseconds most) {
        std::uniform_int_distribution<milliseconds::rep> pick(
            1, std::max<milliseconds::rep>(1, most.count()));
        return milliseconds{pick(random_)};
    };
    // Never before the other side's own word, and not all at the same moment after it.
    if (answer.retry_after) {
        return std::min(*answer.retry_after, options.retry_after_most) +
               spread(options.backoff_first);
    }
    auto most = options.backoff_first;
    for (std::uint32_t i = 1; i < attempt && most < options.backoff_most; ++i) most *= 2;
    return spread(std::min(most, options.backoff_most));
}

}  // namespace promotiond::engine
