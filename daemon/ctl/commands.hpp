// commands: what each word of promotionctl does. Internal to ctl.
#pragma once

#include <string>

#include "ctl/arguments.hpp"
#include "ctl/client.hpp"
#include "ctl/ctl.hpp"

namespace promotiond::ctl {

struct Session {
    const Arguments& arguments;
    const Surroundings& surroundings;
    Client& client;
    bool json = false;  // --output json: the server's document as it is
};

// Each prints its answer; errors as Client's, Invalid for wrong operands.
[[nodiscard]] Result<void> run_command(const Session& session);

// Offline: reads files as the daemon does. The exit code.
[[nodiscard]] int validate(const Arguments& arguments, const Surroundings& surroundings);

// Invalid: it cannot be read, or is longer than 16 MiB.
[[nodiscard]] Result<std::string> read_file(const std::string& path);

[[nodiscard]] std::string help_text();

}  // namespace promotiond::ctl
