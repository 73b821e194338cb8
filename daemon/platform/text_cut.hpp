// Cutting text that an API server takes only so much of.
//
// Thread-safety: a pure function.
#pragma once

#include <string>

namespace promotiond::platform {

// At most `most` bytes (at least 3), ending in "..." if something was cut; never within a UTF-8
// character.
[[nodiscard]] inline std::string cut(std::string text, std::size_t most) {
    if (text.size() <= most) return text;
    std::size_t end = most - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return text.substr(0, end) + "...";
}

}  // namespace promotiond::platform
