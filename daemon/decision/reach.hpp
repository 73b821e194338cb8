// How far a revision has come in an environment, and whether that is far enough for the next one.
// Shared by decide() and why(); pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/history.hpp"
#include "model/pipeline.hpp"

namespace promotiond::decision {

struct Reach {
    std::string revision;
    std::vector<std::string> running;  // targets that run it
    std::vector<std::string> missing;  // targets that do not
    std::size_t needed = 1;            // by the environment's `when`
    [[nodiscard]] bool enough() const { return running.size() >= needed; }
};

// How many targets must run a revision, by the environment's `when`; at least 1.
[[nodiscard]] std::size_t needed_targets(const model::Environment& environment);
// What to do where events leave open which of several clusters they are of.
inline constexpr const char* kNameTheCluster =
    "add eventMetadata: {cluster: NAME} to each cluster's Alert";
[[nodiscard]] Reach reach_of(const model::Environment& environment, const model::History& history,
                             const std::string& revision);
// What runs in the environment, with the news, and nothing else of the history: the rest is much.
[[nodiscard]] model::History known_with(const model::Environment& environment,
                                        const model::History& history,
                                        const std::vector<model::Evidence>& news);
// "5.0.0 runs in 1 of 3 targets of dev, 2 are needed; waiting for eu/app, us/app".
[[nodiscard]] std::string waiting_text(const model::Environment& environment, const Reach& reach);
// "a, b and c".
[[nodiscard]] std::string joined(const std::vector<std::string>& names);
// What is missing for promotions into the environment; nullopt if a strategy is named.
[[nodiscard]] std::optional<std::string> missing_strategy(const model::Pipeline& pipeline,
                                                          const model::Environment& into);

}  // namespace promotiond::decision
