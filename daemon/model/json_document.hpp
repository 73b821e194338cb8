// Strict JSON reading (RFC 8259) into the same tree that YAML is read into: bounded, no duplicate
// keys, no trailing text, no byte order mark, well-formed UTF-8 and surrogate pairs only.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "model/yaml_document.hpp"

namespace promotiond::model {

// Strings are quoted scalars; numbers, true and false are plain ones. Nodes have no position.
// Invalid: "byte <n>: what, what to do"; n counts from 0.
[[nodiscard]] Result<YamlNode> json_document(std::string_view text, const YamlLimits& limits = {});

}  // namespace promotiond::model
