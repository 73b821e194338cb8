// Strict YAML reading for configuration and Pipelines: bounded, without anchors, aliases, tags or
// duplicate keys, each node with its position. yaml-cpp is behind it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/pipeline.hpp"

namespace promotiond::model {

struct YamlLimits {
    std::size_t bytes = 1u << 20;
    std::size_t depth = 32;
    std::size_t nodes = 100'000;
};

// A node of a document. Scalars are kept as text with a note whether they were quoted; types are
// the reader's business.
class YamlNode {
public:
    enum class Kind { Null, Scalar, Sequence, Mapping };
    Kind kind = Kind::Null;
    Position where;
    std::string scalar;
    bool quoted = false;
    std::vector<YamlNode> items;                            // Sequence
    std::vector<std::pair<std::string, YamlNode>> members;  // Mapping, in order; keys are unique
    std::vector<Position> key_positions;                    // of members, same order

    [[nodiscard]] const YamlNode* member(std::string_view key) const;
};

// "file:line:column: message".
[[nodiscard]] Error yaml_error(const Position& where, std::string_view message);

// Every document of the text; empty documents are left out.
[[nodiscard]] Result<std::vector<YamlNode>> yaml_documents(std::string_view text,
                                                           const std::string& file,
                                                           const YamlLimits& limits = {});

// The node as JSON text; plain scalars resolve by YAML 1.2's core schema (true/false, integers,
// floats, null; all else text).
[[nodiscard]] std::string yaml_to_json(const YamlNode& node);

// The name nearest to what was typed, if it is near enough to suggest.
[[nodiscard]] std::optional<std::string> nearest(std::string_view typed,
                                                 const std::vector<std::string>& known);

}  // namespace promotiond::model
