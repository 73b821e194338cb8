#include "platform/known_state.hpp"

#include <algorithm>

namespace promotiond::platform {
namespace {

using model::Environment;
using model::Observation;
using model::Pipeline;
using model::Promotion;
using model::Target;

// What a change of `per` or of the targets has left behind says nothing of today.
bool is_scope(const Pipeline& pipeline, const std::string& environment, const std::string& target) {
    const auto index = pipeline.index_of(environment);
    if (index == Pipeline::npos) return false;
    const Environment& into = pipeline.environments[index];
    if (pipeline.per_for(into) == model::Per::Environment) return target.empty();
    return std::any_of(into.targets.begin(), into.targets.end(),
                       [&target](const Target& each) { return each.text() == target; });
}

}  // namespace

const Observation* seen_of(const PipelineState& state, const Environment& environment,
                           const Target& target) {
    if (state.observed == nullptr) return nullptr;
    const auto found = state.observed->find({environment.name, target.text()});
    return found == state.observed->end() ? nullptr : &found->second;
}

bool all_seen(const PipelineState& state) {
    for (const auto& environment : state.pipeline->environments) {
        for (const auto& target : environment.targets) {
            if (seen_of(state, environment, target) == nullptr) return false;
        }
    }
    return true;
}

const Promotion* newest(const PipelineState& state, const std::string& environment,
                        const std::function<bool(const Promotion&)>& fits) {
    const Promotion* found = nullptr;
    if (state.history == nullptr) return nullptr;
    for (const auto& [place, promotions] : state.history->promotions) {
        if (place.first != environment || promotions.empty()) continue;
        if (!is_scope(*state.pipeline, environment, place.second)) continue;
        const Promotion& last = promotions.back();
        if (fits(last) && (found == nullptr || last.created > found->created)) found = &last;
    }
    return found;
}

}  // namespace promotiond::platform
