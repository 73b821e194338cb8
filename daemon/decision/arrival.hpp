// What is where a promotion would bring it already, or came there by other means while the
// promotion waited for its approval. Pure.
#pragma once

#include <string>

#include "decision/decide.hpp"

namespace promotiond::decision {

// True if all targets of the scope (empty target = all of the environment) run the revision.
[[nodiscard]] bool runs_in(const model::Environment& environment, const std::string& target,
                           const model::History& history, const std::string& revision);

// True if the whole environment runs the revision, and nothing else was promoted there since that
// is, or will be, there in its place.
[[nodiscard]] bool runs_to_stay(const model::Environment& environment,
                                const model::History& history, const std::string& revision);

// Adds to the decision, which has evidence of this environment, what has arrived there.
void add_arrivals(const model::Environment& environment, const model::History& history,
                  Decision& decision);

}  // namespace promotiond::decision
