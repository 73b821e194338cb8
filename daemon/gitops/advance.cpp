#include "gitops/advance.hpp"

#include "model/release.hpp"

namespace promotiond::gitops {

std::vector<model::Observation> merged(const platform::PipelineState& state, WallTime now) {
    std::vector<model::Observation> seen;
    if (state.pipeline == nullptr || !model::takes_releases(*state.pipeline)) return seen;
    for (const auto& environment : state.pipeline->environments) {
        const auto* promotion = state.history->latest(environment.name, "");
        if (promotion == nullptr || promotion->phase != model::Phase::Succeeded) continue;
        const std::string target = environment.targets.front().text();
        const auto known = state.history->running.find({environment.name, target});
        if (known != state.history->running.end() && known->second.revision == promotion->revision)
            continue;
        model::Observation one;
        one.pipeline = state.name;
        one.environment = environment.name;
        one.target = target;
        one.object = {state.pipeline->app.api_version, state.pipeline->app.kind,
                      environment.targets.front().ns, state.pipeline->app.name};
        one.ready = true;
        one.revision = promotion->revision;
        one.seen = now;
        seen.push_back(std::move(one));
    }
    return seen;
}

void Advance::stepped(const model::Promotion& promotion, const model::Transition& step) {
    if (next_ != nullptr) next_->stepped(promotion, step);
}

void Advance::stands(const platform::PipelineState& state) {
    auto seen = merged(state, clock_.now());
    if (!seen.empty()) observe_(std::move(seen));
    // No object of the platform's has this status.
    if (state.pipeline != nullptr && model::takes_releases(*state.pipeline)) return;
    if (next_ != nullptr) next_->stands(state);
}

}  // namespace promotiond::gitops
