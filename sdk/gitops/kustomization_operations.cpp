// One list of operations by JSON pointers (RFC 6902) and one resource.
#include <algorithm>
#include <charconv>
#include <utility>

#include "kustomization_patch.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// The parts of a JSON pointer: ~1 is a slash, ~0 a tilde.
std::vector<std::string> parts_of(std::string_view pointer) {
    std::vector<std::string> parts;
    while (!pointer.empty() && pointer.front() == '/') {
        pointer.remove_prefix(1);
        std::string part;
        for (auto raw = pointer.substr(0, pointer.find('/')); !raw.empty();) {
            const bool escaped = raw.starts_with("~1") || raw.starts_with("~0");
            part += escaped ? (raw[1] == '1' ? '/' : '~') : raw.front();
            raw.remove_prefix(escaped ? 2 : 1);
        }
        parts.push_back(std::move(part));
        pointer.remove_prefix(std::min(pointer.find('/'), pointer.size()));
    }
    return parts;
}

std::optional<std::size_t> index_in(const YamlTree& list, const std::string& part) {
    std::size_t index = 0;
    const char* const end = part.data() + part.size();
    const auto read = std::from_chars(part.data(), end, index);
    if (read.ec != std::errc() || read.ptr != end || index > list.items.size()) return {};
    return index;
}

YamlTree* child(YamlTree& tree, const std::string& part) {
    if (tree.kind != YamlTree::Kind::Sequence) return tree.find(part);
    const auto index = index_in(tree, part);
    return index && *index < tree.items.size() ? &tree.items[*index] : nullptr;
}

// Null: the way there is not.
YamlTree* at(YamlTree& tree, const std::vector<std::string>& parts, std::size_t count) {
    YamlTree* place = &tree;
    for (std::size_t i = 0; place != nullptr && i < count; ++i) place = child(*place, parts[i]);
    return place;
}

bool remove_at(YamlTree& parent, const std::string& part) {
    if (child(parent, part) == nullptr) return false;
    if (parent.kind == YamlTree::Kind::Sequence)
        parent.items.erase(parent.items.begin() +
                           static_cast<std::ptrdiff_t>(*index_in(parent, part)));
    else std::erase_if(parent.members, [&](const auto& each) { return each.key == part; });
    return true;
}

bool add_at(YamlTree& parent, const std::string& part, YamlTree value) {
    if (parent.kind == YamlTree::Kind::Mapping) {
        parent.set(part, std::move(value));
        return true;
    }
    const auto index = part == "-" ? std::optional(parent.items.size()) : index_in(parent, part);
    if (parent.kind != YamlTree::Kind::Sequence || !index) return false;
    parent.items.insert(parent.items.begin() + static_cast<std::ptrdiff_t>(*index),
                        std::move(value));
    return true;
}

bool same(const YamlTree& a, const YamlTree& b) { return write_yaml(a) == write_yaml(b); }

// False: it cannot be done there.
bool apply_operation(YamlTree& to, const YamlTree& operation) {
    const std::string what = operation.text("op");
    const auto path = parts_of(operation.text("path"));
    if (path.empty()) return false;
    YamlTree* const parent = at(to, path, path.size() - 1);
    if (parent == nullptr) return false;
    const std::string& last = path.back();
    if (what == "remove") return remove_at(*parent, last);
    if (what == "copy" || what == "move") {
        const auto from = parts_of(operation.text("from"));
        YamlTree* const source = from.empty() ? nullptr : at(to, from, from.size());
        if (source == nullptr) return false;
        YamlTree value = *source;
        if (what == "move" && !remove_at(*at(to, from, from.size() - 1), from.back())) return false;
        YamlTree* const place = at(to, path, path.size() - 1);  // may have moved up
        return place != nullptr && add_at(*place, last, std::move(value));
    }
    const YamlTree* const value = operation.find("value");
    if (value == nullptr) return false;
    if (what == "add") return add_at(*parent, last, *value);
    YamlTree* const there = child(*parent, last);
    if (there == nullptr) return false;
    if (what == "test") return same(*there, *value);
    if (what != "replace") return false;
    *there = *value;
    return true;
}

}  // namespace

Result<void> apply_operations(YamlTree& to, const YamlTree& operations) {
    for (const auto& operation : operations.items)
        if (!apply_operation(to, operation))
            return Error{ErrorKind::Invalid, "line " + std::to_string(operation.line) + ": \"" +
                                                 operation.text("op") + " " +
                                                 operation.text("path") + "\" cannot be done on " +
                                                 to.text("kind")};
    return {};
}

}  // namespace promotiond::sdk::inline v1::gitops
