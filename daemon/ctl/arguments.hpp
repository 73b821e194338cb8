// arguments: the command line of promotionctl, parsed once into typed values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace promotiond::ctl {

struct Arguments {
    std::string command;                         // empty: none was given
    std::vector<std::string> operands;           // what follows the command
    std::map<std::string, std::string> options;  // without the dashes; a switch holds "true"

    [[nodiscard]] bool has(const std::string& option) const { return options.contains(option); }
    // The option's value, or `other`.
    [[nodiscard]] std::string value(const std::string& option, std::string other = {}) const;
};

// Options may stand anywhere, as --name value or --name=value; after -- all are operands. Invalid:
// an unknown option or command (with the likely one), a missing or unwanted value, an option given
// twice, one that the command does not take, too few or too many operands, a PIPELINE that is none.
[[nodiscard]] Result<Arguments> parse_arguments(const std::vector<std::string>& words);

// The PIPELINE that the first operand names. Invalid: it names none.
struct PipelineOperand {
    std::string ns;
    std::string name;
};
[[nodiscard]] Result<PipelineOperand> pipeline_named(const Arguments& arguments);

// The candidate that was probably meant, or empty.
[[nodiscard]] std::string closest(std::string_view word,
                                  const std::vector<std::string_view>& candidates);

// Also those of gitops.
[[nodiscard]] const std::vector<std::string_view>& commands();

}  // namespace promotiond::ctl
