// --check: everything that a start would try, tried without effects and without disturbing a daemon
// that runs on the same configuration.
#pragma once

#include <string>
#include <vector>

#include "app/config.hpp"

namespace promotiond::app {

struct Findings {
    // What keeps the daemon from starting or a Pipeline from being carried out: one line each,
    // "file:line:column: what; what to do" as far as there is a place.
    std::vector<std::string> problems;
    // What may be as it should.
    std::vector<std::string> notes;
};

// Strategies are loaded, which runs their code as a start does; everything else is only looked at.
[[nodiscard]] Findings check(const Config& config);

}  // namespace promotiond::app
