// Observation: what we saw a target run by looking at its application object ourselves. Events are
// hints, observations are facts: each says exactly which target it is about.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "model/event.hpp"

namespace promotiond::model {

enum class Sight {
    Clear,            // it was read
    NoCluster,        // the target's GitopsCluster does not exist
    ClusterNotReady,  // it exists, and says that it is not ready
    NoObject,         // the application object does not exist there
    Blind,            // it cannot be read: refused, unreachable, not what it should be
};

struct Observation {
    PipelineName pipeline;
    std::string environment;
    std::string target;     // Target::text()
    InvolvedObject object;  // as it was found; empty api_version if it was not
    bool ready = false;     // it runs `revision` successfully
    std::string revision;   // last applied; may be empty
    std::string error;      // why it cannot be read, or is odd; empty = all is well
    WallTime seen{};
    Sight sight = Sight::Clear;
};

// The newest of each target of a Pipeline, by environment and target.
using Observations = std::map<std::pair<std::string, std::string>, Observation>;

}  // namespace promotiond::model
