// The conditions of a Pipeline object, made from what is known of it.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "platform/platform.hpp"

namespace promotiond::platform {

struct StatusView {
    // The targets' applications are watched: `targets` and TargetNotReadable are told. Without it
    // only clusters are, with reasons of their own.
    bool applications = true;
};

struct Condition {
    std::string type;
    bool holds = true;
    std::string reason;
    std::string message;
};

// All that are to stand there; what is absent goes. The Pipeline is there and all its targets were
// looked at.
[[nodiscard]] std::vector<Condition> conditions_of(const PipelineState& state,
                                                   const StatusView& view);

}  // namespace promotiond::platform
