// The `.status` of a Pipeline object, made from what is known of it. Pure.
//
// Fields, conditions, reasons and messages as pipeline-controller wrote them, so that `kubectl`,
// Weave GitOps and scripts read them as before; on top of that Reconciling and Stalled for kstatus
// (kubernetes-sigs/cli-utils pkg/kstatus README, read 2026-11), AwaitingApproval, and each
// environment's last promotion.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "platform/pipeline_conditions.hpp"
#include "platform/platform.hpp"

namespace promotiond::platform {

// JSON object. `current` is the status that the object has now (or nothing): a condition that does
// not change keeps its lastTransitionTime. Empty: nothing can be said yet, since not all targets
// were looked at.
[[nodiscard]] std::string pipeline_status(const PipelineState& state, std::string_view current,
                                          const StatusView& view, WallTime now);

// Of an object that cannot be read as a Pipeline, for this reason: Ready and Stalled say so. What
// its last good version was told of stays beside it.
[[nodiscard]] std::string faulty_status(const std::string& fault, std::int64_t generation,
                                        std::string_view current, WallTime now);

}  // namespace promotiond::platform
