// What becomes of a promotion when a newer revision comes to its scope. What was not begun gives
// way at once, and a call that runs is stopped: what it comes to is not known before it returns.
// What is open at the forge can still be merged, so it is watched until the newer one has been
// carried out and has taken it over, or until the forge says what became of it.
#include <algorithm>

#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using model::Phase;
using model::Promotion;

// Updated in place: the elder's pull request shows the newer revision now. Numbers are of one
// repository, and the Pipeline may name another one since.
bool took_over(const Promotion& newer, const Promotion& elder) {
    return newer.external_id == elder.external_id && newer.location == elder.location;
}

bool let_go(const Promotion& promotion) {
    return model::unfinished(promotion.phase) && promotion.phase != Phase::AwaitingApproval;
}

void supersede(Stage& stage, Promotion elder, const Promotion& by, std::string reason,
               const std::string& actor) {
    elder.phase = Phase::Superseded;
    elder.reason = std::move(reason) + "revision " + by.revision + " takes its place, as " + by.id;
    elder.updated = by.updated;
    stage.move(std::move(elder), actor);
}

}  // namespace

void Engine::State::overtake(Turn& turn, const Promotion& newer,
                             const std::vector<model::PromotionId>& elders) {
    for (const auto& id : elders) {
        const auto* elder = turn.stage.find(newer.scope, id);
        if (elder == nullptr) continue;
        if (elder->phase == Phase::AwaitingApproval) {
            supersede(turn.stage, *elder, newer, "", newer.actor);
        } else if (newer.phase == Phase::AwaitingApproval) {
            continue;  // was let go, and nobody has let the newer one go yet
        } else if (elder->phase == Phase::Queued) {
            give_way(turn, *elder, newer, newer.actor);
        } else if (elder->phase == Phase::Running) {
            turn.overtaken.push_back(id);
        }
    }
}

// Overtaken by no newer promotion, but by whoever brought the revision there.
void Engine::State::settle_arrival(Turn& turn, const model::PipelineName& pipeline,
                                   const decision::Arrival& arrival) {
    for (const auto& [place, promotions] : turn.stage.history(pipeline).promotions) {
        const auto* waiting = turn.stage.find({pipeline, place.first, place.second}, arrival.id);
        if (waiting == nullptr || waiting->phase != Phase::AwaitingApproval) continue;
        Promotion settled = *waiting;
        settled.phase = Phase::Superseded;
        settled.reason = arrival.reason;
        settled.updated = clock.now();
        return turn.stage.move(std::move(settled), "daemon");
    }
}

// Nothing runs for it. It may have been carried out before, and wait to be carried out anew.
void Engine::State::give_way(Turn& turn, Promotion elder, const Promotion& newer,
                             const std::string& actor) {
    if (elder.external_id.empty() && elder.location.empty()) {
        return supersede(turn.stage, std::move(elder), newer, "", actor);
    }
    elder.phase = Phase::Pending;
    elder.reason = "revision " + newer.revision + " goes first, as " + newer.id +
                   "; what is open is watched until it is taken over";
    elder.updated = elder.not_before = newer.updated;
    turn.stage.move(std::move(elder), actor);
}

// Of one that is Queued again: a newer one that has been let go meanwhile goes first.
void Engine::State::yield(Turn& turn, const Promotion& queued) {
    const auto& scopes = turn.stage.history(queued.scope.pipeline).promotions;
    const auto found = scopes.find({queued.scope.environment, queued.scope.target});
    if (found == scopes.end()) return;
    for (auto other = found->second.rbegin(); other != found->second.rend(); ++other) {
        if (other->id == queued.id) return;
        if (!let_go(*other)) continue;
        const Promotion newer = *other;
        return give_way(turn, queued, newer, "daemon");
    }
}

std::vector<model::PromotionId> Engine::State::elders_of(const Stage& stage,
                                                         const Promotion& newer) const {
    std::vector<model::PromotionId> elders;
    const auto& scopes = stage.history(newer.scope.pipeline).promotions;
    const auto found = scopes.find({newer.scope.environment, newer.scope.target});
    if (found == scopes.end()) return elders;
    for (const auto& other : found->second) {
        if (other.id == newer.id) break;
        if (unfinished(other.phase)) elders.push_back(other.id);
    }
    return elders;
}

// The newer one is where it was to go. A pull request that it did not find open any more may have
// been merged meanwhile, and is looked at once more.
void Engine::State::stage_taken_over(Turn& turn, const Promotion& newer, bool can_observe) {
    for (const auto& id : elders_of(turn.stage, newer)) {
        const auto* elder = turn.stage.find(newer.scope, id);
        if (elder->phase != Phase::Pending) continue;
        if (took_over(newer, *elder)) {
            supersede(turn.stage, *elder, newer, "", "strategy");
        } else if (!can_observe) {
            // The Pipeline's strategy is another one now, and knows nothing of what that one
            // opened.
            supersede(turn.stage, *elder, newer,
                      elder->location.empty()
                          ? ""
                          : elder->location +
                                " is left as it is, and not watched any more, since "
                                "another strategy carries revisions now; ",
                      "strategy");
        } else {
            turn.again.push_back({{elder->scope, id, Work::Observe, options.observe_every}, {}});
        }
    }
}

// True if a newer promotion of the scope was carried out: the closed one was none of its own.
bool Engine::State::stage_overtaken(Turn& turn, const Promotion& closed) {
    const auto* latest = turn.stage.history(closed.scope.pipeline)
                             .latest(closed.scope.environment, closed.scope.target);
    if (latest == nullptr || latest->id == closed.id) return false;
    if (latest->phase != Phase::Pending && latest->phase != Phase::Succeeded) return false;
    Promotion elder = closed;
    const Promotion by = *latest;
    supersede(turn.stage, std::move(elder), by, closed.reason + "; ", "strategy");
    return true;
}

}  // namespace promotiond::engine
