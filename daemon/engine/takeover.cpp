// What the leader before told of its promotions, put beside what this journal knows.
//
// No times are compared. The id says which of the two is ahead: one that this journal has not heard
// of was decided after this replica last led; one that it knows, and that is not its newest, was
// told before this replica's own last decisions.
#include "base/log.hpp"
#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using model::Phase;
using model::Promotion;

constexpr const char* kTakenOver = "taken over from the replica that led before";
constexpr std::uint32_t kMostOrdinals = 64;  // returns to one revision that are looked for

// The scope and ordinal that make this id; the status has neither.
std::optional<Promotion> identified(const model::Pipeline& pipeline,
                                    const platform::ToldPromotion& told) {
    const auto index = pipeline.index_of(told.environment);
    if (index == model::Pipeline::npos) return std::nullopt;
    std::vector<std::string> targets{""};
    for (const auto& target : pipeline.environments[index].targets) {
        targets.push_back(target.text());
    }
    for (const auto& target : targets) {
        Promotion promotion;
        promotion.scope = {told.pipeline, told.environment, target};
        promotion.revision = told.revision;
        promotion.id = told.id;
        for (; promotion.ordinal < kMostOrdinals; ++promotion.ordinal) {
            const auto id = model::promotion_id(promotion.scope, told.revision, promotion.ordinal);
            if (id == told.id) return promotion;
        }
    }
    return std::nullopt;
}

// Where a promotion of this journal is to go that the leader before told to be in `told`. What was
// with a forge is carried out again, which finds the same pull request.
Phase goal_of(Phase told) {
    const bool carried = told == Phase::Running || told == Phase::Pending;
    return carried ? Phase::Queued : told;
}

// The reason of a phase that is taken over as it is stays the one that was told.
std::string reason_of(const platform::ToldPromotion& told) {
    return told.reason.empty() || goal_of(told.phase) != told.phase ? kTakenOver : told.reason;
}

// What this journal still had to do for the environment when it last led. Another has decided
// since, be it for another target: an older revision must not come after a newer one. What is open
// at the forge stays watched as long as the newer one has not taken it over, as always.
std::vector<Promotion> left_behind(const model::History& history, const Promotion& newer,
                                   const platform::ToldPromotion& told) {
    std::vector<Promotion> old;
    for (const auto& [place, promotions] : history.promotions) {
        if (place.first != newer.scope.environment || promotions.empty()) continue;
        const bool here = place.second == newer.scope.target;
        if (!here && promotions.back().revision == newer.revision) continue;  // of the same wave
        for (const auto& each : promotions) {
            const bool taken = here && (told.phase == Phase::Succeeded ||
                                        (!told.location.empty() && told.location == each.location));
            const bool open = each.phase == Phase::Pending && !taken;
            if (each.id != newer.id && model::unfinished(each.phase) && !open) old.push_back(each);
        }
    }
    return old;
}

}  // namespace

// Through the phases between, for only legal steps are ever written.
void Engine::State::lead_to(Turn& turn, Promotion promotion, Phase goal,
                            const std::string& reason) {
    promotion.updated = promotion.not_before = clock.now();
    while (promotion.phase != goal) {
        const Phase from = promotion.phase;
        if (model::may_follow(from, goal)) {
            promotion.phase = goal;
        } else if (from == Phase::AwaitingApproval) {
            promotion.phase = Phase::Queued;
        } else if (from == Phase::Queued) {
            promotion.phase = Phase::Running;
        } else {
            return;
        }
        promotion.reason = promotion.phase == goal ? reason : kTakenOver;
        turn.stage.move(promotion, "takeover");
    }
}

void Engine::State::leave_behind(Turn& turn, const Promotion& newer,
                                 const platform::ToldPromotion& told) {
    for (auto& old : left_behind(turn.stage.history(newer.scope.pipeline), newer, told)) {
        lead_to(turn, std::move(old), Phase::Superseded,
                "the replica that led meanwhile carried " + newer.revision);
    }
}

void Engine::State::take_over_unknown(Turn& turn, const model::Pipeline& pipeline,
                                      Promotion promotion, const platform::ToldPromotion& told) {
    const auto& scope = promotion.scope;
    const auto& history = turn.stage.history(scope.pipeline);
    if (const auto* mine = history.latest(scope.environment, scope.target)) {
        if (mine->phase == Phase::Succeeded) promotion.previous_revision = mine->revision;
    }
    leave_behind(turn, promotion, told);
    const auto* policy =
        pipeline.policy_for(pipeline.environments[pipeline.index_of(scope.environment)]);
    if (policy != nullptr && policy->strategy) promotion.strategy = policy->strategy->key;
    // Beyond AwaitingApproval somebody has approved it, if that was asked for.
    const bool waits = told.phase == Phase::AwaitingApproval;
    promotion.actor = waits ? "event:takeover" : "takeover";
    promotion.event = "{}";
    promotion.reason = waits ? reason_of(told) : kTakenOver;
    promotion.location = told.location;
    promotion.created = promotion.updated = promotion.not_before = clock.now();
    promotion.phase = waits ? told.phase : Phase::Queued;
    turn.stage.insert(promotion);
    lead_to(turn, std::move(promotion), goal_of(told.phase), reason_of(told));
}

void Engine::State::take_over(Turn& turn, const platform::ToldPromotion& told) {
    const auto* pipeline = turn.stage.pipeline(told.pipeline);
    if (pipeline == nullptr) return;
    auto promotion = identified(*pipeline, told);
    if (!promotion) {
        log::warn("PROMO-3007", "a promotion in a Pipeline's status is no promotion of it",
                  {{"pipeline", told.pipeline.text()}, {"promotion", told.id}});
        return;
    }
    const auto& scope = promotion->scope;
    const auto* mine = turn.stage.find(scope, told.id);
    if (mine == nullptr && !journal.promotion(told.id)) {
        return take_over_unknown(turn, *pipeline, std::move(*promotion), told);
    }
    const auto* latest = turn.stage.history(scope.pipeline).latest(scope.environment, scope.target);
    if (mine == nullptr || latest == nullptr || latest->id != told.id) return;
    const bool further = model::unfinished(mine->phase) && !model::unfinished(told.phase);
    const bool again = !model::unfinished(mine->phase) && model::unfinished(told.phase);
    const bool approved = mine->phase == Phase::AwaitingApproval && told.phase != mine->phase;
    if (!further && !again && !approved) return;
    Promotion promoted = *mine;
    leave_behind(turn, promoted, told);
    lead_to(turn, std::move(promoted), goal_of(told.phase), reason_of(told));
}

Result<void> Engine::State::take_over(const std::vector<platform::ToldPromotion>& told) {
    Turn turn(views);
    for (const auto& each : told) take_over(turn, each);
    if (auto written = journal.commit(turn.stage.batch()); !written) return written;
    settle(turn);
    return {};
}

Result<void> Engine::take_over(const std::vector<platform::ToldPromotion>& told) {
    return state_->take_over(told);
}

}  // namespace promotiond::engine
