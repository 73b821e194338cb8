#include "platform/pipeline_conditions.hpp"

#include <optional>
#include <set>

#include "platform/known_state.hpp"

namespace promotiond::platform {
namespace {

using model::Environment;
using model::Observation;
using model::Phase;
using model::Promotion;
using model::Sight;

// "GitopsCluster/ns/name", without the namespace where the Pipeline does not give one.
std::string text_of(const model::ClusterRef& cluster) {
    return "GitopsCluster/" + (cluster.ns.empty() ? "" : cluster.ns + "/") + cluster.name;
}

Condition ready(const PipelineState& state, const StatusView& view) {
    if (!state.unusable.empty()) return {"Ready", false, "StrategyNotUsable", state.unusable};
    for (const auto& environment : state.pipeline->environments) {
        for (const auto& target : environment.targets) {
            const Observation* seen = seen_of(state, environment, target);
            if (seen == nullptr || seen->sight == Sight::Clear) continue;
            if (view.applications) {
                return {"Ready", false, "TargetNotReadable",
                        "One or more targets was not reachable or not present"};
            }
            const std::string cluster = target.cluster ? text_of(*target.cluster) : "local";
            if (seen->sight == Sight::NoCluster) {
                return {"Ready", false, "TargetClusterNotFound",
                        "Target cluster '" + cluster + "' not found"};
            }
            return {"Ready", false, "TargetClusterNotReady",
                    "Target cluster '" + cluster + "' not ready"};
        }
    }
    return {"Ready", true, "ReconciliationSucceeded", "All clusters checked"};
}

// The first environment says which revision is on its way; until it agrees with itself there is
// none.
std::optional<Condition> pending(const PipelineState& state) {
    if (state.pipeline->environments.empty()) return std::nullopt;
    const Environment& first = state.pipeline->environments.front();
    std::set<std::string> revisions;
    bool all_ready = true;
    for (const auto& target : first.targets) {
        const Observation* seen = seen_of(state, first, target);
        revisions.insert(seen == nullptr ? "" : seen->revision);
        all_ready = all_ready && seen != nullptr && seen->ready;
    }
    const auto waiting = [](const char* message) {
        return Condition{"PromotionPending", true, "EnvironmentNotReady", message};
    };
    if (revisions.size() != 1 || revisions.begin()->empty()) {
        return waiting("Waiting for all targets to have the same revision");
    }
    if (!all_ready) return waiting("Waiting for all targets to be ready");
    return std::nullopt;
}

std::vector<Condition> progress(const PipelineState& state) {
    std::vector<Condition> conditions;
    // What waits for a strategy moves when somebody brings one, and not before.
    if (!state.unusable.empty()) return {{"Stalled", true, "StrategyNotUsable", state.unusable}};
    const auto add = [&](const char* type, const char* reason, Phase a, Phase b) {
        for (const auto& environment : state.pipeline->environments) {
            const Promotion* promotion = newest(
                state, environment.name,
                [a, b](const Promotion& each) { return each.phase == a || each.phase == b; });
            if (promotion == nullptr) continue;
            conditions.push_back(
                {type, true, reason,
                 promotion->revision + " into " + environment.name + ": " + promotion->reason});
            return;
        }
    };
    add("AwaitingApproval", "ManualPromotion", Phase::AwaitingApproval, Phase::AwaitingApproval);
    add("Reconciling", "Progressing", Phase::Queued, Phase::Running);
    add("Stalled", "PromotionFailed", Phase::Failed, Phase::Failed);
    return conditions;
}

}  // namespace

std::vector<Condition> conditions_of(const PipelineState& state, const StatusView& view) {
    std::vector<Condition> conditions{ready(state, view)};
    if (view.applications) {
        if (auto waits = pending(state)) conditions.push_back(std::move(*waits));
    }
    for (auto& each : progress(state)) conditions.push_back(std::move(each));
    return conditions;
}

}  // namespace promotiond::platform
