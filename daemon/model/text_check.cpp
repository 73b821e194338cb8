#include "model/text_check.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace promotiond::model {

namespace {

struct Decoded {
    std::uint32_t point = 0;
    std::size_t size = 0;  // bytes; 0 = not well-formed
};

struct Lead {
    std::size_t size = 0;
    std::uint32_t bits = 0;
    std::uint32_t least = 0;  // smaller values are overlong forms
};

Lead lead_of(unsigned char byte) {
    if (byte >= 0xC2 && byte <= 0xDF) return {2, byte & 0x1Fu, 0x80};
    if (byte >= 0xE0 && byte <= 0xEF) return {3, byte & 0x0Fu, 0x800};
    if (byte >= 0xF0 && byte <= 0xF4) return {4, byte & 0x07u, 0x10000};
    return {};
}

Decoded decode(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    if (first < 0x80) return {first, 1};
    const Lead lead = lead_of(first);
    if (lead.size == 0 || text.size() < lead.size) return {};
    std::uint32_t point = lead.bits;
    for (std::size_t i = 1; i < lead.size; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte & 0xC0) != 0x80) return {};
        point = (point << 6) | (byte & 0x3Fu);
    }
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (point < lead.least || point > 0x10FFFF || surrogate) return {};
    return {point, lead.size};
}

struct Range {
    std::uint32_t from;
    std::uint32_t to;
};
// General categories Cc, Cf, Zl and Zp of Unicode 15, as far as they are invisible or reorder text.
constexpr std::array kDeceiving{
    Range{0x00, 0x1F},     Range{0x7F, 0x9F},     Range{0xAD, 0xAD},       Range{0x061C, 0x061C},
    Range{0x180E, 0x180E}, Range{0x200B, 0x200F}, Range{0x2028, 0x202E},   Range{0x2060, 0x206F},
    Range{0xFEFF, 0xFEFF}, Range{0xFFF9, 0xFFFB}, Range{0xE0000, 0xE007F},
};

bool deceiving(std::uint32_t point) {
    return std::any_of(kDeceiving.begin(), kDeceiving.end(), [point](const Range& range) {
        return point >= range.from && point <= range.to;
    });
}

std::string hexadecimal(std::uint32_t point, const char* format) {
    std::array<char, 16> text{};
    const int size = std::snprintf(text.data(), text.size(), format, point);
    return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const Decoded decoded = decode(text.substr(at));
        if (decoded.size == 0) return at;
        at += decoded.size;
    }
    return std::nullopt;
}

std::optional<std::string> deceiving_character(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] >= 0x20 && text[at] < 0x7F) {  // nearly all there is
            ++at;
            continue;
        }
        const Decoded decoded = decode(text.substr(at));
        if (decoded.size == 0) return "a broken byte";
        if (deceiving(decoded.point)) return hexadecimal(decoded.point, "U+%04X");
        at += decoded.size;
    }
    return std::nullopt;
}

std::string shown(std::string_view text) {
    constexpr std::size_t kMost = 80;
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        if (out.size() >= kMost) return out + "...";
        const Decoded decoded = decode(text.substr(at));
        if (decoded.size == 0) {
            out += hexadecimal(static_cast<unsigned char>(text[at]), "\\x%02X");
            ++at;
            continue;
        }
        if (deceiving(decoded.point)) {
            out += hexadecimal(decoded.point, "\\u{%X}");
        } else {
            out += text.substr(at, decoded.size);
        }
        at += decoded.size;
    }
    return out;
}

std::string json_string(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    out += '"';
    for (const char c : text) {
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
                    out += hexadecimal(static_cast<unsigned char>(c), "\\u%04x");
                } else {
                    out += c;
                }
        }
    }
    return out + '"';
}

}  // namespace promotiond::model
