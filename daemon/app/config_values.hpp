// Readers of single configuration values; each error names position, value and what is allowed.
// Internal to app.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "app/config_keys.hpp"
#include "model/yaml_document.hpp"

namespace promotiond::app {

[[nodiscard]] Result<std::string> text_from(const model::YamlNode& node);
// Absolute and normalised; relative ones start from the directory.
[[nodiscard]] Result<std::filesystem::path> path_from(const model::YamlNode& node,
                                                      const std::filesystem::path& directory);
[[nodiscard]] Result<std::chrono::milliseconds> duration_from(const model::YamlNode& node,
                                                              std::chrono::milliseconds least,
                                                              std::chrono::milliseconds most);
[[nodiscard]] Result<std::uint64_t> count_from(const model::YamlNode& node, std::uint64_t least,
                                               std::uint64_t most);
[[nodiscard]] Result<std::uint64_t> size_from(const model::YamlNode& node, std::uint64_t least,
                                              std::uint64_t most);
[[nodiscard]] Result<std::vector<std::string>> texts_from(const model::YamlNode& node);

template <class T>
[[nodiscard]] Result<T> choice_from(const model::YamlNode& node,
                                    const std::vector<std::pair<std::string, T>>& choices) {
    auto text = text_from(node);
    if (!text) return std::move(text).error();
    std::string allowed;
    for (const auto& [name, value] : choices) {
        if (name == *text) return value;
        allowed += (allowed.empty() ? "" : ", ") + name;
    }
    return model::yaml_error(node.where, "\"" + *text + "\" is not one of: " + allowed);
}

Result<void> tokens_into(const model::YamlNode& node, Target& target);
Result<void> repositories_into(const model::YamlNode& node, Target& target);
Result<void> images_into(const model::YamlNode& node, Target& target);
Result<void> settings_into(const model::YamlNode& node, Target& target);
Result<void> pins_into(const model::YamlNode& node, Target& target);
Result<void> proxy_into(const model::YamlNode& node, Target& target);
Result<void> authorities_into(const model::YamlNode& node, Target& target);

}  // namespace promotiond::app
