// What of a Pipeline cannot be carried out with the strategies that are loaded: keys that nothing
// serves, configurations that do not fit their strategy's schema. Pure.
#pragma once

#include <vector>

#include "model/pipeline.hpp"
#include "platform/platform.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::engine {

// Each message begins with "file:line:column: ".
[[nodiscard]] std::vector<platform::Problem> problems_of(const model::Pipeline& pipeline,
                                                         const strategy::Strategies& strategies);

}  // namespace promotiond::engine
