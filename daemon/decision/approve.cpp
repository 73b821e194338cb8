// An approval: which promotions it lets go.
#include "decision/arrival.hpp"
#include "decision/decide.hpp"

namespace promotiond::decision {

namespace {

using model::Phase;
using model::Promotion;

// The approval came a second time, by an impatient finger or a sender that retries. Only for what
// is current in its scope and was not given up since.
bool was_let_go(const std::vector<Promotion>& promotions, const std::string& revision) {
    const Promotion& last = promotions.back();
    return last.revision == revision && model::approved(last) && last.phase != Phase::Cancelled;
}

// The revision came there by other means while it waited.
bool is_there(const model::Pipeline& pipeline, const model::History& history, const Promotion& last,
              const std::string& revision) {
    const auto index = pipeline.index_of(last.scope.environment);
    return index != model::Pipeline::npos && last.revision == revision &&
           last.phase == Phase::Superseded &&
           runs_in(pipeline.environments[index], last.scope.target, history, revision);
}

}  // namespace

Result<void> check_target(const model::Environment& environment, const std::string& target) {
    if (target.empty()) return {};
    std::string names;
    for (const model::Target& each : environment.targets) {
        if (each.text() == target) return {};
        names += (names.empty() ? "" : ", ") + each.text();
    }
    return Error{ErrorKind::Invalid,
                 "environment " + environment.name + " has no target " + target +
                     (names.empty() ? "; it has none" : "; its targets are: " + names)};
}

Result<Approved> decide(const model::Pipeline& pipeline, const model::History& history,
                        const Approval& approval) {
    Approved approved;
    bool there = false;
    for (const auto& [place, promotions] : history.promotions) {
        const auto& [environment, target] = place;
        if (environment != approval.environment || promotions.empty()) continue;
        if (!approval.target.empty() && target != approval.target) continue;
        for (const Promotion& promotion : promotions) {
            if (promotion.phase != Phase::AwaitingApproval) continue;
            if (promotion.revision != approval.revision) continue;
            approved.promotions.push_back(promotion.id);
        }
        if (was_let_go(promotions, approval.revision)) {
            approved.existing.push_back(promotions.back().id);
        } else if (is_there(pipeline, history, promotions.back(), approval.revision)) {
            approved.existing.push_back(promotions.back().id);
            there = true;
        }
    }
    if (approved.promotions.empty() && approved.existing.empty()) {
        const auto index = pipeline.index_of(approval.environment);
        if (index != model::Pipeline::npos) {
            const auto known = check_target(pipeline.environments[index], approval.target);
            if (!known) return known.error();
        }
        return Error{ErrorKind::Invalid, "failed approving promotion"};
    }
    if (pipeline.index_of(approval.environment) == model::Pipeline::npos) {
        return Error{ErrorKind::Invalid, "app " + pipeline.id.text() + " has no environment " +
                                             approval.environment + " defined"};
    }
    const std::string what = approval.revision + " was approved for " + approval.environment;
    if (approved.promotions.empty() && there) {
        approved.reasons.push_back({"already-there", approval.revision + " runs in " +
                                                         approval.environment +
                                                         " already; nothing is left to approve"});
    } else if (approved.promotions.empty()) {
        approved.reasons.push_back({"already-approved", what + " before"});
    } else {
        approved.reasons.push_back(
            {"approved", what + (approval.actor.empty() ? "" : " by ") + approval.actor});
    }
    return approved;
}

}  // namespace promotiond::decision
