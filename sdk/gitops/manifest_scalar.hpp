// How a string is written as a YAML scalar so that every reader, of YAML 1.1 or 1.2, reads the
// same string back. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace promotiond::sdk::inline v1::gitops {

enum class Quotes { None, Single, Double };

// True if the text, written without quotes, is a string to YAML 1.1 and 1.2 and stands on its own
// in block and flow context: not a number, boolean, null or date, no indicator that would begin
// something else, no ": ", " #" or control character.
[[nodiscard]] bool plain_is_safe(std::string_view text);

// The scalar with its quotes. Plain becomes double-quoted where it is not safe, single-quoted
// becomes double-quoted where an escape is needed.
[[nodiscard]] std::string write_scalar(std::string_view text, Quotes quotes);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace promotiond::sdk::inline v1::gitops
