// Checks on text from outside: encoding, and characters that would deceive a reader of a log, a
// branch name or a pull request.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace promotiond::model {

// Offset of the first byte that is not part of well-formed UTF-8 (RFC 3629: no surrogates, no
// overlong forms, at most U+10FFFF).
[[nodiscard]] std::optional<std::size_t> first_invalid_utf8(std::string_view text);

// A control character (C0, DEL, C1), line or paragraph separator, bidirectional control (Unicode
// UAX 9), zero-width or otherwise invisible format character; nullopt if there is none. The answer
// is its code point as "U+202E". The text must be valid UTF-8.
[[nodiscard]] std::optional<std::string> deceiving_character(std::string_view text);

// The text for use inside of a message: such characters become \u{...}, and it is cut after 80
// bytes.
[[nodiscard]] std::string shown(std::string_view text);

// The text as a JSON string with its quotes.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace promotiond::model
