#include "manifest_scalar.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace promotiond::sdk::inline v1::gitops {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes a run of the allowed characters off the front; its length.
std::size_t take(std::string_view& text, std::string_view allowed) {
    const auto end = std::min(text.find_first_not_of(allowed), text.size());
    text.remove_prefix(end);
    return end;
}

bool is_prefixed_integer(std::string_view text) {
    if (text.size() < 3 || text[0] != '0') return false;
    const char base = static_cast<char>(text[1] | 0x20);
    text.remove_prefix(2);
    if (base == 'x') return take(text, "0123456789abcdefABCDEF_") > 0 && text.empty();
    if (base == 'o') return take(text, "01234567_") > 0 && text.empty();
    if (base == 'b') return take(text, "01_") > 0 && text.empty();
    return false;
}

// YAML 1.1's base 60: 12:30, 12:30:45.5.
bool is_sexagesimal(std::string_view text) {
    if (take(text, "0123456789_") == 0) return false;
    int groups = 0;
    while (text.starts_with(':')) {
        text.remove_prefix(1);
        const auto digits = take(text, "0123456789");
        if (digits == 0 || digits > 2) return false;
        ++groups;
    }
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        take(text, "0123456789_");
    }
    return groups > 0 && text.empty();
}

bool is_decimal(std::string_view text) {
    std::size_t digits = take(text, "0123456789_");
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        digits += take(text, "0123456789_");
    }
    if (digits == 0) return false;
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
        if (take(text, "0123456789_") == 0) return false;
    }
    return text.empty();
}

bool is_number(std::string_view text) {
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (text.empty()) return false;
    return is_decimal(text) || is_prefixed_integer(text) || is_sexagesimal(text);
}

// 2026-11-21, also with a time behind it.
bool is_date(std::string_view text) {
    if (take(text, "0123456789") != 4 || !text.starts_with('-')) return false;
    for (int part = 0; part < 2; ++part) {
        if (!text.starts_with('-')) return false;
        text.remove_prefix(1);
        const auto digits = take(text, "0123456789");
        if (digits == 0 || digits > 2) return false;
    }
    return text.empty() || std::string_view("Tt \t").find(text[0]) != std::string_view::npos;
}

// Words that YAML 1.1 or 1.2 readers take for something else, in whatever case.
bool is_reserved_word(std::string_view text) {
    static constexpr std::array<std::string_view, 18> kWords{
        "~",     "null", "y", "n",    "yes",  "no",    "on",    "off", "true",
        "false", "<<",   "=", ".inf", ".nan", "+.inf", "-.inf", "nan", "inf"};
    if (text.size() > 5) return false;
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

// One UTF-8 sequence off the front; nothing if it is not well-formed (RFC 3629).
struct CodePoint {
    std::uint32_t code = 0;
    std::size_t length = 0;  // 0 = malformed
};
CodePoint first_code_point(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {};
    std::uint32_t code = lead & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0u) != 0x80u) return {};
        code = code << 6 | (byte(i) & 0x3Fu);
    }
    constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
    return {code, length};
}

// Characters that may stand in any scalar as they are: what YAML calls printable, without line
// breaks, tabs and the byte order mark.
bool stands_as_is(std::uint32_t code) {
    if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
    if (code == 0x2028 || code == 0x2029 || code == 0xFEFF) return false;
    return code != 0xFFFE && code != 0xFFFF;
}

bool all_stand_as_is(std::string_view text) {
    while (!text.empty()) {
        const auto point = first_code_point(text);
        if (point.length == 0 || !stands_as_is(point.code)) return false;
        text.remove_prefix(point.length);
    }
    return true;
}

std::string double_quoted(std::string_view text) {
    static constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out = "\"";
    while (!text.empty()) {
        const auto point = first_code_point(text);
        const auto length = std::max<std::size_t>(point.length, 1);
        if (point.code == '"' || point.code == '\\') {
            out += '\\';
            out += text[0];
        } else if (stands_as_is(point.code)) {
            out += text.substr(0, length);
        } else {
            out += "\\u";
            for (int shift = 12; shift >= 0; shift -= 4) out += kHex[point.code >> shift & 0xFu];
        }
        text.remove_prefix(length);
    }
    return out + '"';
}

}  // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const auto length = first_code_point(text).length;
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

bool plain_is_safe(std::string_view text) {
    if (text.empty() || !all_stand_as_is(text)) return false;
    if (text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
    if (std::string_view("-?:,[]{}#&*!|>'\"%@`").find(text.front()) != std::string_view::npos) {
        return false;
    }
    if (text.find_first_of(",[]{}") != std::string_view::npos) return false;
    if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos) {
        return false;
    }
    if (text.starts_with("...")) return false;
    return !is_reserved_word(text) && !is_number(text) && !(is_digit(text[0]) && is_date(text));
}

std::string write_scalar(std::string_view text, Quotes quotes) {
    if (quotes == Quotes::None && plain_is_safe(text)) return std::string(text);
    if (quotes != Quotes::Single || !all_stand_as_is(text)) return double_quoted(text);
    std::string out = "'";
    for (const char c : text) {
        out += c;
        if (c == '\'') out += c;
    }
    return out + '\'';
}

}  // namespace promotiond::sdk::inline v1::gitops
