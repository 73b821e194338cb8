// What becomes of a promotion when a newer revision comes to its scope. What was not begun gives
// way at once. What is open at the forge can still be merged, so it is watched until the newer one
// has been carried out and has taken it over, or until the forge says what became of it.
#include <algorithm>

#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using model::Phase;
using model::Promotion;

bool gives_way(const Promotion& elder, const Promotion& newer) {
    switch (elder.phase) {
        case Phase::AwaitingApproval: return true;
        // Was let go, and nobody has let the newer one go yet.
        case Phase::Queued:
        case Phase::Running: return newer.phase != Phase::AwaitingApproval;
        default: return false;
    }
}

// Updated in place: the elder's pull request shows the newer revision now.
bool took_over(const Promotion& newer, const Promotion& elder) {
    if (!newer.external_id.empty()) return newer.external_id == elder.external_id;
    return newer.location == elder.location;
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
        if (elder != nullptr && gives_way(*elder, newer)) {
            supersede(turn.stage, *elder, newer, "", newer.actor);
        }
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
        if (!can_observe || took_over(newer, *elder)) {
            supersede(turn.stage, *elder, newer, "", "strategy");
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
