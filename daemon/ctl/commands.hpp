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

// Reads files as the daemon does; if a server is named, also asks it which strategies it has. The
// exit code.
[[nodiscard]] int validate(const Arguments& arguments, const Surroundings& surroundings,
                           Client& client);

// True if the person named a server, by option or variable.
[[nodiscard]] bool names_server(const Arguments& arguments, const Surroundings& surroundings);

// What the kind of an error means to a script.
[[nodiscard]] int exit_code(ErrorKind kind);

// Says why on err; the code.
int fail(const Surroundings& surroundings, const std::string& message, int code);

// Invalid: it cannot be read, or is longer than 16 MiB.
[[nodiscard]] Result<std::string> read_file(const std::string& path);

[[nodiscard]] std::string help_text();

}  // namespace promotiond::ctl
