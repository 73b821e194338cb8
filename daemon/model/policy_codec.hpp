// spec.promotion in all its spellings -> PromotionPolicy. Part of codec; nobody else includes it.
#pragma once

#include "model/node_reader.hpp"
#include "model/pipeline.hpp"

namespace promotiond::model {

// The node is the mapping under `promotion`; path ends in a dot.
[[nodiscard]] PromotionPolicy read_policy(NodeReader& reader, const YamlNode& node,
                                          const std::string& path);

[[nodiscard]] std::optional<Per> read_per(NodeReader& reader, const YamlNode& mapping,
                                          const std::string& path);

}  // namespace promotiond::model
