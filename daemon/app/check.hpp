// --check and --check-config: what a start or a reload would try, tried without effects and without
// disturbing a daemon that runs on the same configuration.
#pragma once

#include <string>
#include <vector>

#include "app/config.hpp"

namespace promotiond::app {

struct Findings {
    // What keeps the daemon from starting or a Pipeline from being carried out: one line each,
    // "file:line:column: what; what to do" as far as there is a place.
    std::vector<std::string> problems;
    // What may come later, but is missing now.
    std::vector<std::string> warnings;
    // What may be as it should.
    std::vector<std::string> notes;
};

// Strategies are loaded, which runs their code as a start does; everything else is only looked at.
[[nodiscard]] Findings check(const Config& config);
// --check-config: only what a reload takes, and what keeps it from being taken. What was read of
// the configuration is right already.
[[nodiscard]] Findings check_config(const Config& config);

}  // namespace promotiond::app
