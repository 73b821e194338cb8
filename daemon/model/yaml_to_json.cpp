// YAML scalars as JSON, by the core schema of YAML 1.2 (yaml.org/spec/1.2.2, 10.3.2).
#include <algorithm>
#include <charconv>

#include "model/text_check.hpp"
#include "model/yaml_document.hpp"

namespace promotiond::model {

namespace {

bool all_of(std::string_view text, std::string_view allowed) {
    return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}
constexpr std::string_view kDigits = "0123456789";

std::string without_leading_zeros(std::string_view digits) {
    const auto first = digits.find_first_not_of('0');
    return first == std::string_view::npos ? "0" : std::string(digits.substr(first));
}

std::optional<std::string> based_number(std::string_view text) {
    if (text.size() < 3 || text[0] != '0' || (text[1] != 'o' && text[1] != 'x')) return {};
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + 2, end, value, text[1] == 'o' ? 8 : 16);
    if (read.ec != std::errc() || read.ptr != end) return {};
    return std::to_string(value);
}

// JSON wants a digit before the point and after it, and no plus sign or zeros in front.
std::optional<std::string> decimal_number(std::string_view text) {
    std::string out;
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
        if (text[0] == '-') out += '-';
        text.remove_prefix(1);
    }
    const auto exponent_at = text.find_first_of("eE");
    std::string_view exponent;
    if (exponent_at != std::string_view::npos) {
        exponent = text.substr(exponent_at + 1);
        text = text.substr(0, exponent_at);
        std::string_view digits = exponent;
        if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
        // A larger exponent is a number to nobody.
        if (!all_of(digits, kDigits) || digits.size() > 3) return {};
    }
    const auto point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    const std::string_view part =
        point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    if (whole.empty() && part.empty()) return {};
    if (!whole.empty() && !all_of(whole, kDigits)) return {};
    if (!part.empty() && !all_of(part, kDigits)) return {};
    out += without_leading_zeros(whole);
    if (!part.empty()) out += "." + std::string(part);
    if (!exponent.empty()) out += "e" + std::string(exponent);
    return out;
}

std::string scalar_to_json(const YamlNode& node) {
    if (node.quoted) return json_string(node.scalar);
    const std::string& text = node.scalar;
    if (text == "true" || text == "True" || text == "TRUE") return "true";
    if (text == "false" || text == "False" || text == "FALSE") return "false";
    if (auto number = based_number(text)) return *number;
    if (auto number = decimal_number(text)) return *number;
    return json_string(text);
}

void append(std::string& out, const YamlNode& node) {
    switch (node.kind) {
        case YamlNode::Kind::Null: out += "null"; return;
        case YamlNode::Kind::Scalar: out += scalar_to_json(node); return;
        case YamlNode::Kind::Sequence: {
            out += '[';
            for (std::size_t i = 0; i < node.items.size(); ++i) {
                if (i > 0) out += ',';
                append(out, node.items[i]);
            }
            out += ']';
            return;
        }
        case YamlNode::Kind::Mapping: {
            out += '{';
            for (std::size_t i = 0; i < node.members.size(); ++i) {
                if (i > 0) out += ',';
                out += json_string(node.members[i].first) + ":";
                append(out, node.members[i].second);
            }
            out += '}';
            return;
        }
    }
}

}  // namespace

std::string yaml_to_json(const YamlNode& node) {
    std::string out;
    append(out, node);
    return out;
}

}  // namespace promotiond::model
