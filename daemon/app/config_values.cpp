#include "app/config_values.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>

#include "app/mistakes.hpp"

namespace promotiond::app {
namespace {

using model::yaml_error;
using model::YamlNode;
using std::chrono::milliseconds;

struct Amount {
    std::uint64_t number = 0;
    std::string_view unit;
};

// A whole number and the unit behind it; none if the text does not begin with a digit or the number
// is too large.
std::optional<Amount> amount_from(std::string_view text) {
    Amount amount;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), amount.number);
    if (error != std::errc{}) return std::nullopt;
    amount.unit = text.substr(static_cast<std::size_t>(end - text.data()));
    return amount;
}

Result<std::uint64_t> scaled(const Amount& amount, std::uint64_t factor, std::string_view text) {
    if (amount.number >
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
        return Error{ErrorKind::Invalid, "\"" + std::string(text) + "\" is too large"};
    }
    return amount.number * factor;
}

Result<std::string> contents_of(const std::filesystem::path& file, const YamlNode& node) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return yaml_error(node.where, "cannot read " + file.string());
    std::ostringstream text;
    text << in.rdbuf();
    return std::move(text).str();
}

std::string spelled(milliseconds time) {
    if (time.count() % 1000 != 0 || time.count() == 0) return std::to_string(time.count()) + "ms";
    return std::to_string(time.count() / 1000) + "s";
}

Result<const YamlNode*> mapping(const YamlNode& node, const char* what) {
    if (node.kind != YamlNode::Kind::Mapping)
        return yaml_error(node.where, std::string("expected a mapping of ") + what);
    return &node;
}

Result<std::string> certificates_from(const YamlNode& node,
                                      const std::filesystem::path& directory) {
    const auto file = path_from(node, directory);
    if (!file) return file.error();
    auto pem = contents_of(*file, node);
    if (!pem) return std::move(pem).error();
    if (pem->find("-----BEGIN CERTIFICATE-----") == std::string::npos)
        return yaml_error(node.where, file->string() + " holds no PEM certificate");
    return pem;
}

}  // namespace

Result<milliseconds> duration_from_text(std::string_view text) {
    const auto amount = amount_from(text);
    std::uint64_t factor = 0;
    if (amount && amount->unit == "ms") factor = 1;
    if (amount && amount->unit == "s") factor = 1000;
    if (amount && amount->unit == "m") factor = 60'000;
    if (amount && amount->unit == "h") factor = 3'600'000;
    if (factor == 0) {
        return Error{
            ErrorKind::Invalid,
            "\"" + std::string(text) +
                "\" is not a duration; write a number with its unit: 500ms, 20s, 5m or 2h"};
    }
    auto value = scaled(*amount, factor, text);
    if (!value) return std::move(value).error();
    return milliseconds{*value};
}

Result<std::uint64_t> size_from_text(std::string_view text) {
    const auto amount = amount_from(text);
    std::uint64_t factor = 0;
    if (amount && (amount->unit.empty() || amount->unit == "B")) factor = 1;
    if (amount && amount->unit == "KiB") factor = 1u << 10;
    if (amount && amount->unit == "MiB") factor = 1u << 20;
    if (amount && amount->unit == "GiB") factor = 1u << 30;
    if (factor == 0) {
        return Error{ErrorKind::Invalid, "\"" + std::string(text) +
                                             "\" is not a size; write bytes, or 64KiB, 1MiB, 1GiB"};
    }
    return scaled(*amount, factor, text);
}

Result<std::string> text_from(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::Scalar)
        return yaml_error(node.where, "expected a single value");
    return node.scalar;
}

Result<std::filesystem::path> path_from(const YamlNode& node,
                                        const std::filesystem::path& directory) {
    auto text = text_from(node);
    if (!text) return std::move(text).error();
    if (text->empty()) return yaml_error(node.where, "expected a path");
    return (directory / *text).lexically_normal();
}

Result<milliseconds> duration_from(const YamlNode& node, milliseconds least, milliseconds most) {
    auto text = text_from(node);
    if (!text) return std::move(text).error();
    auto value = duration_from_text(*text);
    if (!value) return yaml_error(node.where, value.error().message);
    if (*value < least || *value > most) {
        return yaml_error(node.where, "\"" + *text + "\" is out of range: " + spelled(least) +
                                          " to " + spelled(most));
    }
    return *value;
}

Result<std::uint64_t> count_from(const YamlNode& node, std::uint64_t least, std::uint64_t most) {
    auto text = text_from(node);
    if (!text) return std::move(text).error();
    const auto amount = amount_from(*text);
    if (!amount || !amount->unit.empty() || amount->number < least || amount->number > most) {
        return yaml_error(node.where, "\"" + *text + "\" is not a whole number from " +
                                          std::to_string(least) + " to " + std::to_string(most));
    }
    return amount->number;
}

Result<std::uint64_t> size_from(const YamlNode& node, std::uint64_t least, std::uint64_t most) {
    auto text = text_from(node);
    if (!text) return std::move(text).error();
    auto value = size_from_text(*text);
    if (!value) return yaml_error(node.where, value.error().message);
    if (*value < least || *value > most) {
        return yaml_error(node.where, "\"" + *text +
                                          "\" is out of range: " + std::to_string(least) + " to " +
                                          std::to_string(most) + " bytes");
    }
    return *value;
}

Result<std::vector<std::string>> texts_from(const YamlNode& node) {
    std::vector<std::string> values;
    if (node.kind == YamlNode::Kind::Null) return values;
    if (node.kind != YamlNode::Kind::Sequence)
        return yaml_error(node.where, "expected a list, such as [a, b]");
    Mistakes mistakes;
    for (const YamlNode& item : node.items) {
        auto text = text_from(item);
        if (!mistakes.found_in(text)) values.push_back(std::move(*text));
    }
    if (auto right = mistakes.told(); !right) return std::move(right).error();
    return values;
}

Result<void> settings_into(const YamlNode& node, Target& target) {
    if (node.kind == YamlNode::Kind::Null) return {};
    if (auto is = mapping(node, "strategy names to their settings"); !is)
        return std::move(is).error();
    Mistakes mistakes;
    for (const auto& [name, value] : node.members) {
        if (mistakes.found_in(mapping(value, "settings"))) continue;
        target.config.strategies.settings[name] = model::yaml_to_json(value);
    }
    return mistakes.told();
}

Result<void> pins_into(const YamlNode& node, Target& target) {
    if (node.kind == YamlNode::Kind::Null) return {};
    if (auto is = mapping(node, "file names to SHA-256 digests"); !is) return std::move(is).error();
    Mistakes mistakes;
    for (const auto& [name, value] : node.members) {
        const bool hex = value.kind == YamlNode::Kind::Scalar && value.scalar.size() == 64 &&
                         value.scalar.find_first_not_of("0123456789abcdef") == std::string::npos;
        if (hex) {
            target.config.strategies.sha256[name] = value.scalar;
        } else {
            mistakes.add(yaml_error(
                value.where,
                "a digest is 64 lower-case hexadecimal digits (sha256sum FILE prints it)"));
        }
    }
    return mistakes.told();
}

Result<void> proxy_into(const YamlNode& node, Target& target) {
    auto file = path_from(node, target.directory);
    if (!file) return std::move(file).error();
    auto text = contents_of(*file, node);
    if (!text) return std::move(text).error();
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    target.config.outbound.proxy = std::move(*text);
    return {};
}

Result<void> authorities_into(const YamlNode& node, Target& target) {
    if (node.kind == YamlNode::Kind::Null) return {};
    if (auto is = mapping(node, "hosts to files of PEM certificates"); !is)
        return std::move(is).error();
    target.config.outbound.ca_by_host.clear();
    Mistakes mistakes;
    for (const auto& [host, value] : node.members) {
        auto pem = certificates_from(value, target.directory);
        if (!mistakes.found_in(pem))
            target.config.outbound.ca_by_host.emplace_back(host, std::move(*pem));
    }
    return mistakes.told();
}

}  // namespace promotiond::app
