// Reading typed values out of a YamlNode. What is wrong is kept, with its path and position, and
// reads as empty, so that readers need not check at every step.
//
// Not thread-safe: one reader a document.
#pragma once

#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/yaml_document.hpp"

namespace promotiond::model {

// What a name must look like.
enum class NameRule {
    Label,        // RFC 1123 label: namespaces
    Subdomain,    // RFC 1123 subdomain: names of Kubernetes objects
    Environment,  // any visible text without '/', ':' and white space
    Text,         // any visible text
};

// What is wrong with the name, and how it should be; nullopt if nothing is.
[[nodiscard]] std::optional<std::string> complaint_about(std::string_view name, NameRule rule);

class NodeReader {
public:
    [[nodiscard]] bool failed() const { return mistakes() > 0; }
    [[nodiscard]] std::size_t mistakes() const { return places_.size(); }
    // Invalid, with a line for each mistake; only if failed().
    [[nodiscard]] Error take_error() { return {ErrorKind::Invalid, std::move(text_)}; }

    // "<path>: <message>" at the position. Of one position only the first is kept, since what comes
    // after it follows from it; so JSON, which has no positions, tells one mistake.
    void fail(const Position& where, const std::string& path, const std::string& message);

    // The member, or null if it is missing or null.
    [[nodiscard]] static const YamlNode* present(const YamlNode& mapping, std::string_view key);
    // As present(), but its absence is an error.
    const YamlNode* required(const YamlNode& mapping, std::string_view key,
                             const std::string& path);
    bool is_mapping(const YamlNode& node, const std::string& path);
    // Errors for all keys that are not known, with the nearest name.
    void only(const YamlNode& mapping, const std::string& path,
              const std::vector<std::string>& known);

    // Scalars are taken as they are written, whatever YAML would make of them: `no` is "no".
    std::string text(const YamlNode& node, const std::string& path, NameRule rule);
    std::string required_text(const YamlNode& mapping, std::string_view key,
                              const std::string& path, NameRule rule);
    // Empty if missing or empty.
    std::string optional_text(const YamlNode& mapping, std::string_view key,
                              const std::string& path, NameRule rule);
    bool truth(const YamlNode& node, const std::string& path);
    // A reference to a secret of the same namespace: `name` or `{name: name}`; nullopt if it is
    // missing or its name is empty.
    std::optional<std::string> secret_name(const YamlNode& mapping, std::string_view key,
                                           const std::string& path);

private:
    std::string text_;
    std::set<std::pair<int, int>> places_;  // line and column
};

}  // namespace promotiond::model
