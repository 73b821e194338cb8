// The core's values as the API's JSON. Field names are camelCase, times RFC 3339 in UTC; what is
// unknown or empty is left out. openapi.yaml is the contract.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "http/core.hpp"

namespace promotiond::http {

[[nodiscard]] std::string accepted_json(const engine::Accepted& accepted);
// Of these namespaces; nothing = all.
[[nodiscard]] std::string pipelines_json(const engine::Snapshot& snapshot,
                                         const std::optional<std::set<std::string>>& namespaces);
[[nodiscard]] std::string pipeline_json(const engine::Snapshot& snapshot,
                                        const model::PipelineName& name,
                                        const std::vector<decision::Why>& why);
[[nodiscard]] std::string why_json(const std::vector<decision::Why>& why);
[[nodiscard]] std::string promotions_json(const journal::Page& page);
// With history if there is any.
[[nodiscard]] std::string promotion_json(const model::Promotion& promotion,
                                         const std::vector<model::Transition>& history);
[[nodiscard]] std::string events_json(const std::vector<journal::EventRecord>& events);
[[nodiscard]] std::string strategies_json(const std::vector<strategy::Description>& strategies,
                                          const std::vector<strategy::Refusal>& refusals);
[[nodiscard]] std::string plan_json(const strategy::Answer& answer);

}  // namespace promotiond::http
