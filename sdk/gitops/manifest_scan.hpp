// What stands where in a YAML text: each scalar and alias with its exact bytes. libyaml stays
// behind this header. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <promotiond/gitops/manifest.hpp>
#include <promotiond/result.hpp>

namespace promotiond::sdk::inline v1::gitops {

struct YamlNode {
    enum class Kind { Plain, SingleQuoted, DoubleQuoted, Block, Alias };
    Kind kind = Kind::Plain;
    bool is_key = false;    // of a mapping
    bool is_typed = false;  // carries a tag other than !!str
    std::size_t begin = 0;  // bytes, without anchor and tag, with the quotes
    std::size_t end = 0;    // one past the last
    std::string value;      // of an alias: its name
    bool operator==(const YamlNode&) const = default;
};

// Every scalar and alias of all documents, in order. Values that are left out ("key:") do not
// appear. Invalid: not YAML, not UTF-8, or deeper than the limit; the message begins with "line
// <n>: ".
[[nodiscard]] Result<std::vector<YamlNode>> scan_yaml(std::string_view text,
                                                      const ManifestLimits& limits);

}  // namespace promotiond::sdk::inline v1::gitops
