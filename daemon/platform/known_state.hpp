// What a PipelineState knows of one target or one environment.
//
// Thread-safety: pure functions. Lifetime: what they point to is the state's.
#pragma once

#include <functional>
#include <string>

#include "platform/platform.hpp"

namespace promotiond::platform {

// What was seen of the target last; null: nobody has looked yet.
[[nodiscard]] const model::Observation* seen_of(const PipelineState& state,
                                                const model::Environment& environment,
                                                const model::Target& target);
[[nodiscard]] bool all_seen(const PipelineState& state);

// The newest promotion into an environment that fits, of all its scopes; null: there is none.
[[nodiscard]] const model::Promotion* newest(
    const PipelineState& state, const std::string& environment,
    const std::function<bool(const model::Promotion&)>& fits);

}  // namespace promotiond::platform
