#include <algorithm>

#include "base/log.hpp"
#include "engine/reasons.hpp"
#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using model::Phase;

Error no_pipeline(const model::PipelineName& name) {
    return {.kind = ErrorKind::NotFound, .message = "there is no Pipeline " + name.text()};
}

Error wrong_phase(const model::Promotion& promotion, const std::string& wanted) {
    return {.kind = ErrorKind::Conflict,
            .message = "cannot " + wanted + " promotion " + promotion.id + ": it is " +
                       std::string(name_of(promotion.phase))};
}

Error overtaken(const model::Promotion& promotion, const model::Promotion& latest) {
    return {.kind = ErrorKind::Conflict,
            .message = "cannot retry promotion " + promotion.id + ": " + latest.id +
                       " came after it (" + latest.revision +
                       "); promote that, or send the event of the older revision again"};
}

// Answered with the batch, which may be staged a second time before.
template <class Done>
void refuse_with(Turn& turn, const Done& done, Error why) {
    turn.answers.push_back([done, why = std::move(why)](const Error*) {
        if (done) done(why);
    });
}

template <class Done, class Value>
std::function<void(const Error*)> answer_with(Done done, Value value) {
    return [done = std::move(done), value = std::move(value)](const Error* error) {
        if (!done) return;
        if (error != nullptr) return done(*error);
        done(value);
    };
}

// What memory does not hold any more has settled long ago.
bool settled(const Stage& stage, const Waiter& waiter) {
    return std::all_of(
        waiter.promotions.begin(), waiter.promotions.end(), [&stage](const auto& waited) {
            const auto* current = stage.find(waited.first, waited.second);
            return current == nullptr || !current->location.empty() ||
                   (current->phase != Phase::Queued && current->phase != Phase::Running);
        });
}

}  // namespace

void Engine::State::handle(Turn& turn, const EventSignal& signal) {
    Stage& stage = turn.stage;
    const auto& event = signal.event;
    const auto* pipeline = stage.pipeline(event.pipeline);
    if (pipeline == nullptr) return refuse_with(turn, signal.done, no_pipeline(event.pipeline));
    auto decided = decide(stage, *pipeline, event.environment, event.event.revision,
                          [&](const model::History& history) {
                              return decision::decide(*pipeline, history, event, clock.now());
                          });
    if (decided) decided = unless_repeated(stage, event, *std::move(decided));
    if (!decided) return refuse_with(turn, signal.done, decided.error());
    Accepted accepted{decided->verdict, decided->reasons, decided->existing, !decided->due.empty()};
    for (const auto& evidence : decided->evidence) stage.add_evidence(event.pipeline, evidence);
    unannounced_.told(event.pipeline, event.environment, event.event.revision);
    for (const auto& arrival : decided->arrived) settle_arrival(turn, event.pipeline, arrival);
    for (const auto& due : decided->due) {
        add_due(turn, due);
        accepted.promotions.push_back(due.promotion.id);
        if (due.promotion.phase != Phase::AwaitingApproval) accepted.awaiting_approval = false;
    }
    stage.add_event({0, event.pipeline, event.environment, event.digest, event.peer, event.body,
                     clock.now(), std::string(name_of(decided->verdict)),
                     reasons_json(decided->reasons), accepted.promotions});
    turn.answers.push_back([this, verdict = decided->verdict](const Error* error) {
        if (error == nullptr) meters_.verdict(verdict).add();
    });
    turn.answers.push_back(answer_with(signal.done, std::move(accepted)));
}

void Engine::State::add_due(Turn& turn, const decision::Due& due) {
    overtake(turn, due.promotion, due.supersedes);
    turn.stage.insert(due.promotion);
}

void Engine::State::handle(Turn& turn, const ApprovalSignal& signal) {
    Stage& stage = turn.stage;
    const auto* pipeline = stage.pipeline(signal.pipeline);
    if (pipeline == nullptr) return refuse_with(turn, signal.done, no_pipeline(signal.pipeline));
    auto approved = decision::decide(*pipeline, stage.history(signal.pipeline), signal.approval);
    if (!approved) return refuse_with(turn, signal.done, approved.error());
    const bool again = approved->promotions.empty();
    Accepted accepted{again ? decision::Verdict::Ignore : decision::Verdict::Promote,
                      approved->reasons, approved->promotions, false};
    accepted.promotions.insert(accepted.promotions.end(), approved->existing.begin(),
                               approved->existing.end());
    std::vector<model::Promotion> moved;
    for (const auto& [place, list] : stage.history(signal.pipeline).promotions) {
        for (const auto& promotion : list) {
            const auto& ids = approved->promotions;
            if (std::find(ids.begin(), ids.end(), promotion.id) != ids.end()) {
                moved.push_back(promotion);
            }
        }
    }
    for (auto& promotion : moved) {
        promotion.phase = Phase::Queued;
        promotion.reason = "approved by " + signal.approval.actor;
        promotion.actor = signal.approval.actor;
        promotion.updated = promotion.not_before = clock.now();
        overtake(turn, promotion, elders_of(stage, promotion));
        stage.move(std::move(promotion), signal.approval.actor);
    }
    turn.answers.push_back(answer_with(signal.done, std::move(accepted)));
}

Result<model::Promotion> Engine::State::known(const Stage& stage,
                                              const model::PromotionId& id) const {
    auto written = journal.promotion(id);
    if (!written) return written;
    const auto* current = stage.find(written->scope, id);
    if (current == nullptr) return written;
    model::Promotion promotion = *current;
    // Not kept in memory once it is finished.
    promotion.event = std::move(written->event);
    if (promotion.details.empty()) promotion.details = std::move(written->details);
    return promotion;
}

// True if the last that happened to the promotion took it away from its approval.
Result<bool> Engine::State::left_unapproved(const Stage& stage,
                                            const model::PromotionId& id) const {
    const auto& steps = stage.batch().steps;
    const auto staged = std::find_if(steps.rbegin(), steps.rend(),
                                     [&id](const auto& step) { return step.transition.id == id; });
    if (staged != steps.rend()) return staged->transition.from == Phase::AwaitingApproval;
    auto written = journal.transitions(id);
    if (!written) return written.error();
    return !written->empty() && written->back().from == Phase::AwaitingApproval;
}

void Engine::State::handle(Turn& turn, const CommandSignal& signal) {
    auto found = known(turn.stage, signal.id);
    if (!found) return refuse_with(turn, signal.done, found.error());
    model::Promotion& promotion = *found;
    const bool retry = signal.command == Command::Retry;
    Phase to = retry ? Phase::Queued : Phase::Cancelled;
    const bool allowed = retry ? promotion.phase == Phase::Failed ||
                                     promotion.phase == Phase::Cancelled ||
                                     promotion.phase == Phase::Pending
                               : may_follow(promotion.phase, to);
    if (!allowed) {
        return refuse_with(turn, signal.done, wrong_phase(promotion, retry ? "retry" : "cancel"));
    }
    const auto* latest = turn.stage.history(promotion.scope.pipeline)
                             .latest(promotion.scope.environment, promotion.scope.target);
    if (retry && latest != nullptr && latest->id != promotion.id) {
        return refuse_with(turn, signal.done, overtaken(promotion, *latest));
    }
    if (retry && promotion.phase == Phase::Cancelled) {
        const auto unapproved = left_unapproved(turn.stage, promotion.id);
        if (!unapproved) return refuse_with(turn, signal.done, unapproved.error());
        if (*unapproved) to = Phase::AwaitingApproval;
    }
    promotion.phase = to;
    promotion.reason = signal.reason;
    if (promotion.reason.empty()) {
        promotion.reason = std::string(retry ? "retried" : "cancelled") + " by " + signal.actor;
    }
    if (to == Phase::AwaitingApproval) {
        promotion.reason += "; waits for an approval of " + promotion.revision;
    }
    promotion.updated = promotion.not_before = clock.now();
    if (retry) promotion.attempt = 0;
    turn.stage.move(promotion, signal.actor);
    turn.answers.push_back(answer_with(signal.done, std::move(promotion)));
}

void Engine::State::handle(Turn& turn, WaitSignal& signal) {
    Waiter waiter{{}, signal.deadline, std::move(signal.done)};
    for (auto& id : signal.ids) {
        auto found = known(turn.stage, id);
        if (!found) return waiter.done(found.error());
        waiter.promotions.emplace_back(std::move(found->scope), std::move(id));
    }
    waiters_.push_back(std::move(waiter));
}

void Engine::State::handle(Turn& turn, PipelinesSignal& signal) {
    auto anew = apply(std::move(signal.pipelines));
    // What was seen may mean something else to a Pipeline that has changed.
    ObservationSignal seen;
    for (const auto& name : anew) {
        const auto* view = views.find(name);
        if (view == nullptr || view->pipeline == nullptr) continue;
        for (const auto& [place, one] : *view->observed) seen.seen.push_back(one);
    }
    handle(turn, seen);
    turn.touched.merge(anew);
    signal.applied.set_value();
}

void Engine::State::handle(Turn& turn, OutcomeSignal& signal) {
    const auto call = calls_.find(signal.call);
    if (call == calls_.end()) return;
    schedule_.release(call->second.lanes);
    turn.returned.push_back(
        {std::move(call->second.slot), std::move(signal.answer), call->second.can_observe});
    calls_.erase(call);
    stage_returned(turn, turn.returned.back());
}

// A promotion that no strategy serves may stay Queued for days.
std::optional<Error> Engine::State::unserved(const Stage& stage, const Waiter& waiter) const {
    for (const auto& [scope, id] : waiter.promotions) {
        const auto* current = stage.find(scope, id);
        const auto* pipeline = stage.pipeline(scope.pipeline);
        if (current == nullptr || current->phase != Phase::Queued || pipeline == nullptr) continue;
        if (auto by = route(*pipeline, scope.environment); !by) return std::move(by).error();
    }
    return std::nullopt;
}

void Engine::State::answer_waiters(SteadyTime now) {
    const Stage stage(views);
    std::vector<Waiter> ready;
    std::vector<std::pair<Waiter, Error>> in_vain;
    std::erase_if(waiters_, [&](Waiter& waiter) {
        if (waiter.deadline > now && !settled(stage, waiter)) {
            auto missing = unserved(stage, waiter);
            if (missing) in_vain.emplace_back(std::move(waiter), std::move(*missing));
            return missing.has_value();
        }
        ready.push_back(std::move(waiter));
        return true;
    });
    for (auto& [waiter, missing] : in_vain) waiter.done(std::move(missing));
    for (auto& waiter : ready) {
        Result<std::vector<model::Promotion>> all{std::vector<model::Promotion>{}};
        for (const auto& [scope, id] : waiter.promotions) {
            auto found = known(stage, id);
            if (!found) {
                all = found.error();
                break;
            }
            all->push_back(std::move(*found));
        }
        waiter.done(std::move(all));
    }
}

// Whole new set: what is wrong with those that are new, and what waited for a Pipeline goes on.
std::set<model::PipelineName> Engine::State::apply(platform::Pipelines pipelines) {
    Views::Problems problems;
    for (const auto& pipeline : pipelines.all) {
        const auto* view = views.find(pipeline->id);
        const bool known = view != nullptr && view->pipeline == pipeline;
        problems[pipeline->id] = known ? view->problems : carrier->problems(*pipeline);
    }
    std::map<model::PipelineName, const model::Pipeline*> before;
    std::set<model::PipelineName> anew;
    for (const auto& [name, view] : views.all()) {
        before[name] = view.pipeline.get();
        if (view.pipeline != nullptr) anew.insert(name);  // gone, unless it comes below
    }
    views.set_pipelines(pipelines, std::move(problems));
    for (const auto& pipeline : pipelines.all) {
        const auto known_before = before.find(pipeline->id);
        if (known_before != before.end() && known_before->second == pipeline.get()) {
            anew.erase(pipeline->id);
            continue;
        }
        anew.insert(pipeline->id);
        for (const auto& [place, list] : views.find(pipeline->id)->history->promotions) {
            for (const auto& promotion : list) plan(promotion);
        }
    }
    return anew;
}

}  // namespace promotiond::engine
