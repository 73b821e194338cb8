#include "decision/reach.hpp"

#include <algorithm>

namespace promotiond::decision {

std::size_t needed_targets(const model::Environment& environment) {
    std::size_t needed = 1;
    switch (environment.when.kind) {
        case model::When::Kind::Any: break;
        case model::When::Kind::All: needed = environment.targets.size(); break;
        case model::When::Kind::Count: needed = environment.when.count; break;
    }
    return std::max<std::size_t>(1, needed);
}

Reach reach_of(const model::Environment& environment, const model::History& history,
               const std::string& revision) {
    Reach reach;
    reach.revision = revision;
    for (const model::Target& target : environment.targets) {
        const auto held = history.running.find({environment.name, target.text()});
        const bool runs = held != history.running.end() && held->second.revision == revision;
        (runs ? reach.running : reach.missing).push_back(target.text());
    }
    reach.needed = needed_targets(environment);
    return reach;
}

model::History known_with(const model::Environment& environment, const model::History& history,
                          const std::vector<model::Evidence>& news) {
    model::History known;
    for (auto held = history.running.lower_bound({environment.name, ""});
         held != history.running.end() && held->first.first == environment.name; ++held) {
        known.running.insert(known.running.end(), *held);
    }
    for (const auto& each : news) known.running[{each.environment, each.target}] = each;
    return known;
}

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
        out += names[i];
    }
    return out;
}

std::string waiting_text(const model::Environment& environment, const Reach& reach) {
    return reach.revision + " runs in " + std::to_string(reach.running.size()) + " of " +
           std::to_string(environment.targets.size()) + " targets of " + environment.name + ", " +
           std::to_string(reach.needed) + " are needed; waiting for " + joined(reach.missing);
}

std::optional<std::string> missing_strategy(const model::Pipeline& pipeline,
                                            const model::Environment& into) {
    const model::PromotionPolicy* policy = pipeline.policy_for(into);
    if (policy != nullptr && policy->strategy) return std::nullopt;
    return "environment " + into.name +
           " has no promotion strategy: set spec.promotion of Pipeline " + pipeline.id.text() +
           ", or the environment's own promotion";
}

}  // namespace promotiond::decision
