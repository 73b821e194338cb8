// The common end of every decide(): what follows for the next environment from evidence. Pure.
#pragma once

#include <string>
#include <vector>

#include "decision/decide.hpp"

namespace promotiond::decision {

// What brought the question up: a revision that runs in an environment, and who said so.
struct Cause {
    std::string environment;
    std::string revision;
    std::string actor;  // as in model::Promotion
    std::string event;  // JSON of the event, or of what was seen
};

// The decision on new evidence, which may be empty: far enough for the next environment or not, and
// for each scope of it a promotion, one that exists already, or nothing. moved: the evidence says
// something that was not known.
[[nodiscard]] Decision conclude(const model::Pipeline& pipeline, const model::Environment& from,
                                const model::Environment& next, const model::History& history,
                                std::vector<model::Evidence> evidence, bool moved,
                                const Cause& cause, WallTime now);

}  // namespace promotiond::decision
