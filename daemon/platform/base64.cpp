#include "platform/base64.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace promotiond::platform {
namespace {

int sextet(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

std::optional<Secret> base64_decoded(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t bits = 0;
    std::size_t characters = 0;
    std::size_t padding = 0;
    bool good = true;
    for (const char c : text) {
        if (is_blank(c)) continue;
        ++characters;
        if (c == '=') {
            ++padding;
            continue;
        }
        const int value = sextet(c);
        good = good && value >= 0 && padding == 0;
        bits = (bits << 6) | static_cast<std::uint32_t>(value & 63);
        if (characters % 4 == 1) continue;
        const auto spare = 6 - 2 * ((characters - 1) % 4);  // bits that belong to the next byte
        bytes += static_cast<char>((bits >> spare) & 0xFF);
    }
    good = good && characters % 4 == 0 && padding <= 2;
    std::optional<Secret> decoded;
    if (good) decoded.emplace(bytes);
    std::fill(bytes.begin(), bytes.end(), '\0');
    return decoded;
}

}  // namespace promotiond::platform
