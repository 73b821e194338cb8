#include "engine/reasons.hpp"

#include <string_view>

namespace promotiond::engine {
namespace {

void append_text(std::string& out, std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

}  // namespace

std::string reasons_json(const std::vector<decision::Reason>& reasons) {
    std::string out = "[";
    for (const auto& reason : reasons) {
        if (out.size() > 1) out += ',';
        out += "{\"code\":";
        append_text(out, reason.code);
        out += ",\"text\":";
        append_text(out, reason.text);
        out += '}';
    }
    return out + "]";
}

}  // namespace promotiond::engine
