#include "http/json_text.hpp"

#include <array>
#include <cstdio>

namespace promotiond::http {
namespace {

// Length of the well-formed UTF-8 sequence (RFC 3629) at the front of the text, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                               : lead >= 0xe0 && lead <= 0xef ? 3
                               : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                              : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    const unsigned char next = byte(1);
    const bool overlong = (lead == 0xe0 && next < 0xa0) || (lead == 0xf0 && next < 0x90);
    const bool beyond = (lead == 0xed && next > 0x9f) || (lead == 0xf4 && next > 0x8f);
    return overlong || beyond ? 0 : length;
}

}  // namespace

void JsonText::separate() {
    if (!fresh_) text_.push_back(',');
    fresh_ = false;
}

void JsonText::quote(std::string_view text) {
    text_.push_back('"');
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        const char c = text.front();
        if (length == 0) {
            text_.append("\\ufffd");
        } else if (c == '"' || c == '\\') {
            text_.push_back('\\');
            text_.push_back(c);
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            std::array<char, 8> escaped{};
            std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c));
            text_.append(escaped.data());
        } else {
            text_.append(text.substr(0, length));
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    text_.push_back('"');
}

JsonText& JsonText::open(char bracket) {
    separate();
    text_.push_back(bracket);
    fresh_ = true;
    return *this;
}

JsonText& JsonText::close(char bracket) {
    text_.push_back(bracket);
    fresh_ = false;
    return *this;
}

JsonText& JsonText::key(std::string_view name) {
    separate();
    quote(name);
    text_.push_back(':');
    fresh_ = true;
    return *this;
}

JsonText& JsonText::value(std::string_view text) {
    separate();
    quote(text);
    return *this;
}

JsonText& JsonText::value(std::int64_t number) { return raw(std::to_string(number)); }
JsonText& JsonText::value(bool truth) { return raw(truth ? "true" : "false"); }
JsonText& JsonText::null() { return raw("null"); }

JsonText& JsonText::raw(std::string_view json) {
    separate();
    text_.append(json);
    return *this;
}

}  // namespace promotiond::http
