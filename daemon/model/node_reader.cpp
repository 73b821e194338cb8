#include "model/node_reader.hpp"

#include <algorithm>

#include "model/text_check.hpp"

namespace promotiond::model {

namespace {

constexpr std::size_t kMostMistakes = 50;

bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_label(std::string_view text) {
    if (text.empty() || text.size() > 63) return false;
    if (!lower_or_digit(text.front()) || !lower_or_digit(text.back())) return false;
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return lower_or_digit(c) || c == '-'; });
}

// Labels of a subdomain may be longer than 63 in Kubernetes; only the whole is limited.
bool is_subdomain(std::string_view text) {
    if (text.empty() || text.size() > 253) return false;
    char before = '.';
    for (const char c : text) {
        if (!lower_or_digit(c) && c != '-' && c != '.') return false;
        if ((before == '.' || before == '-') && c == '.') return false;
        if (before == '.' && c == '-') return false;
        before = c;
    }
    return lower_or_digit(before);
}

std::string list_of(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
    return out;
}

}  // namespace

std::optional<std::string> complaint_about(std::string_view name, NameRule rule) {
    const std::string quoted = "\"" + shown(name) + "\" ";
    if (name.empty()) return "must not be empty";
    if (const auto found = deceiving_character(name)) {
        return quoted + "holds the control or invisible character " + *found + "; remove it";
    }
    switch (rule) {
        case NameRule::Label:
            if (is_label(name)) return std::nullopt;
            return quoted +
                   "is not a namespace: at most 63 of a-z, 0-9 and '-', with a letter or "
                   "digit at both ends";
        case NameRule::Subdomain:
            if (is_subdomain(name)) return std::nullopt;
            return quoted +
                   "is not a name: at most 253 of a-z, 0-9, '-' and '.', with a letter or "
                   "digit at both ends";
        case NameRule::Environment:
            if (name.size() <= 253 && name != "." && name != ".." &&
                name.find_first_of("/: ") == std::string_view::npos) {
                return std::nullopt;
            }
            return quoted +
                   "is not a name for an environment: at most 253 bytes without '/', ':' "
                   "and spaces";
        case NameRule::Text:
            if (name.size() <= 2048) return std::nullopt;
            return "must not be longer than 2048 bytes";
    }
    return std::nullopt;
}

void NodeReader::fail(const Position& where, const std::string& path, const std::string& message) {
    if (places_.size() >= kMostMistakes) return;
    if (!places_.emplace(where.line, where.column).second) return;
    text_ += (text_.empty() ? "" : "\n") +
             yaml_error(where, path.empty() ? message : path + ": " + message).message;
}

const YamlNode* NodeReader::present(const YamlNode& mapping, std::string_view key) {
    const YamlNode* node = mapping.member(key);
    return node == nullptr || node->kind == YamlNode::Kind::Null ? nullptr : node;
}

const YamlNode* NodeReader::required(const YamlNode& mapping, std::string_view key,
                                     const std::string& path) {
    const YamlNode* node = mapping.member(key);
    if (node == nullptr) {
        fail(mapping.where, path + std::string(key), "is missing; add it");
        return nullptr;
    }
    if (node->kind == YamlNode::Kind::Null) {
        fail(node->where, path + std::string(key), "is empty; give it a value");
        return nullptr;
    }
    return node;
}

bool NodeReader::is_mapping(const YamlNode& node, const std::string& path) {
    if (node.kind == YamlNode::Kind::Mapping) return true;
    fail(node.where, path, "must be a mapping (key: value)");
    return false;
}

void NodeReader::only(const YamlNode& mapping, const std::string& path,
                      const std::vector<std::string>& known) {
    for (std::size_t i = 0; i < mapping.members.size(); ++i) {
        const std::string& key = mapping.members[i].first;
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        const auto near = nearest(key, known);
        fail(mapping.key_positions[i], path + shown(key),
             near ? "unknown key; did you mean \"" + *near + "\"?"
                  : "unknown key; known here: " + list_of(known));
    }
}

std::string NodeReader::text(const YamlNode& node, const std::string& path, NameRule rule) {
    if (node.kind != YamlNode::Kind::Scalar) {
        fail(node.where, path,
             node.kind == YamlNode::Kind::Null ? "is empty; give it a value" : "must be text");
        return {};
    }
    if (const auto complaint = complaint_about(node.scalar, rule)) {
        fail(node.where, path, *complaint);
        return {};
    }
    return node.scalar;
}

std::string NodeReader::required_text(const YamlNode& mapping, std::string_view key,
                                      const std::string& path, NameRule rule) {
    const YamlNode* node = required(mapping, key, path);
    return node == nullptr ? std::string() : text(*node, path + std::string(key), rule);
}

std::string NodeReader::optional_text(const YamlNode& mapping, std::string_view key,
                                      const std::string& path, NameRule rule) {
    const YamlNode* node = present(mapping, key);
    if (node == nullptr) return {};
    if (node->kind == YamlNode::Kind::Scalar && node->scalar.empty()) return {};
    return text(*node, path + std::string(key), rule);
}

bool NodeReader::truth(const YamlNode& node, const std::string& path) {
    if (node.kind == YamlNode::Kind::Scalar && !node.quoted) {
        if (node.scalar == "true") return true;
        if (node.scalar == "false") return false;
    }
    fail(node.where, path, "must be true or false");
    return false;
}

std::optional<std::string> NodeReader::secret_name(const YamlNode& mapping, std::string_view key,
                                                   const std::string& path) {
    const YamlNode* node = present(mapping, key);
    if (node == nullptr) return std::nullopt;
    const std::string here = path + std::string(key);
    std::string name;
    if (node->kind == YamlNode::Kind::Mapping) {
        only(*node, here + ".", {"name"});
        name = optional_text(*node, "name", here + ".", NameRule::Subdomain);
    } else {
        name = optional_text(mapping, key, path, NameRule::Subdomain);
    }
    if (name.empty()) return std::nullopt;
    return name;
}

}  // namespace promotiond::model
