// The table of configuration keys: where each stands, what shape it has and what it sets. Internal
// to app.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "model/yaml_document.hpp"

namespace promotiond::app {

enum class Shape { Scalar, List, Map };

// What a key writes to, and the directory that relative paths start from.
struct Target {
    Config& config;
    std::filesystem::path directory;
};

struct Key {
    std::string path;
    Shape shape = Shape::Scalar;
    // Invalid: a line for each mistake.
    std::function<Result<void>(const model::YamlNode&, Target&)> apply;
};

[[nodiscard]] const std::vector<Key>& keys();

// "server.rateLimit.requests" -> "PROMOTIOND_SERVER_RATE_LIMIT_REQUESTS".
[[nodiscard]] std::string variable_of(std::string_view path);

}  // namespace promotiond::app
