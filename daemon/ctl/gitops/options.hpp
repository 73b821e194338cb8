// options: the command line of new, promote, status, feature and feature-stale, read as
// gitops-promotion's own (pflag) is: unknown flags are passed over with their value, but not in
// silence.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace promotiond::ctl::gitops {

struct Options {
    std::string provider = "azdo";
    Secret token;
    std::string token_file;
    std::string directory = ".";  // --sourcedir
    std::string group;
    std::string app;
    std::string tag;
    std::string feature;
    std::chrono::milliseconds max_age{std::chrono::hours{168}};
    std::string ca_file;
    std::string api_url;
    bool help = false;
};

struct ParsedOptions {
    Options options;
    std::vector<std::string> ignored;  // words, as they were given
};

// `words` follow the command. Invalid: a flag without its value, or with one that it cannot have.
[[nodiscard]] Result<ParsedOptions> parse_options(const std::vector<std::string>& words);

// Of what new and feature are about. Invalid: the flag that is missing.
[[nodiscard]] Result<void> check_names(const Options& options);

[[nodiscard]] const std::vector<std::string_view>& commands();
[[nodiscard]] bool is_command(std::string_view word);
[[nodiscard]] std::string help_text(std::string_view command);

}  // namespace promotiond::ctl::gitops
