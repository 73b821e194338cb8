// What is where a promotion would bring it already, or came there by other means while the
// promotion waited for its approval. Pure.
#pragma once

#include <string>

#include "decision/decide.hpp"

namespace promotiond::decision {

// True if all targets of the scope (empty target = all of the environment) run the revision.
[[nodiscard]] bool runs_in(const model::Environment& environment, const std::string& target,
                           const model::History& history, const std::string& revision);

// True if they do, and did before that time: those that were never seen to run anything else may
// have run it for long before they were looked at.
[[nodiscard]] bool ran_in(const model::Environment& environment, const std::string& target,
                          const model::History& history, const std::string& revision,
                          WallTime before);

// True if they do, and nothing else is on its way there, or was merged since and is to be seen
// there yet: nothing has to be promoted for it.
[[nodiscard]] bool runs_to_stay(const model::Environment& environment, const std::string& target,
                                const model::History& history, const std::string& revision);

// Adds to the decision, which has evidence of this environment, what has arrived there.
void add_arrivals(const model::Environment& environment, const model::History& history,
                  Decision& decision);

}  // namespace promotiond::decision
