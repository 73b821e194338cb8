// A YAML text as a tree of values with their places, and such a tree as text again: for reading
// configuration and for writing files of our own. What belongs to others is edited byte by byte
// (manifest.hpp), never by way of a tree. libyaml stays behind this header. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <promotiond/gitops/manifest.hpp>
#include <promotiond/result.hpp>

namespace promotiond::sdk::inline v1::gitops {

struct YamlTree {
    enum class Kind { Scalar, Sequence, Mapping };
    struct Member;

    Kind kind = Kind::Scalar;
    bool quoted = false;          // a scalar that is text whatever it looks like
    std::string value;            // of a scalar
    std::string tag;              // where one is written; empty = none
    std::vector<YamlTree> items;  // of a sequence
    std::vector<Member> members;  // of a mapping, in the text's order
    int line = 0;                 // from 1; 0 = made here
    int column = 0;

    [[nodiscard]] bool is_null() const;
    // The member's value, if this is a mapping that has it.
    [[nodiscard]] const YamlTree* find(std::string_view key) const;
    [[nodiscard]] YamlTree* find(std::string_view key);
    // The member's scalar, or empty.
    [[nodiscard]] std::string text(std::string_view key) const;
    // Adds the member, or replaces its value.
    void set(std::string_view key, YamlTree tree);

    [[nodiscard]] static YamlTree of_text(std::string_view text);
    [[nodiscard]] static YamlTree mapping();
    [[nodiscard]] static YamlTree sequence();
};

struct YamlTree::Member {
    std::string key;
    int line = 0;
    int column = 0;
    YamlTree tree;
};

// The documents of a text, aliases resolved. Invalid, beginning with "line <n>: ": not YAML, over a
// limit, a key that is no scalar or is given twice in one mapping.
[[nodiscard]] Result<std::vector<YamlTree>> read_yaml(std::string_view text,
                                                      const ManifestLimits& limits = {});

// One document in block style, ended by a line break.
[[nodiscard]] std::string write_yaml(const YamlTree& tree);

}  // namespace promotiond::sdk::inline v1::gitops
