// One patch by strategic merge and one resource.
#include <algorithm>
#include <array>
#include <utility>

#include "kustomization_patch.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::string_view kDirective = "$patch";

// Where a mapping stands: the name of what holds it, or of the list that it is an item of.
struct Place {
    MergeKeys keys;
    std::string_view in;
};

// A list that kustomize merges item by item, where it stands and what tells its items apart; none:
// it is not built here.
struct MergeKey {
    std::string_view list;
    std::string_view in;
    std::array<std::string_view, 2> parts;
};
// All other lists are replaced.
constexpr std::array<MergeKey, 21> kMergeKeys{
    {{"containers", "spec", {"name"}},
     {"initContainers", "spec", {"name"}},
     {"ephemeralContainers", "spec", {"name"}},
     {"volumes", "spec", {"name"}},
     {"imagePullSecrets", "spec", {"name"}},
     {"hostAliases", "spec", {"ip"}},
     {"topologySpreadConstraints", "spec", {"topologyKey", "whenUnsatisfiable"}},
     {"env", "containers", {"name"}},
     {"volumeMounts", "containers", {"mountPath"}},
     {"volumeDevices", "containers", {"devicePath"}},
     {"ports", "containers", {"containerPort", "protocol"}},
     {"ports", "spec", {"port", "protocol"}},  // of a Service
     {"secrets", "", {"name"}},                // of a ServiceAccount
     {"webhooks", "", {"name"}},
     {"drivers", "spec", {"name"}},  // of a CSINode
     {"ownerReferences", "metadata", {"uid"}},
     {"finalizers", "metadata", {}},
     {"podCIDRs", "spec", {}},
     {"conditions", "status", {}},
     {"addresses", "status", {}},
     {"podIPs", "status", {}}}};

// Null: the list is replaced.
const MergeKey* merge_key(std::string_view list, const Place& place) {
    if (place.keys == MergeKeys::None) return nullptr;
    const bool container = place.in == "initContainers" || place.in == "ephemeralContainers";
    const std::string_view in = container ? "containers" : place.in;
    const auto* const found =
        std::find_if(kMergeKeys.begin(), kMergeKeys.end(),
                     [&](const MergeKey& each) { return each.list == list && each.in == in; });
    return found == kMergeKeys.end() ? nullptr : found;
}

std::string part_of(const YamlTree& item, std::string_view part) {
    auto text = item.text(part);
    return text.empty() && part == "protocol" ? "TCP" : text;
}

bool is_same_item(const YamlTree& a, const YamlTree& b, const MergeKey& key) {
    return std::all_of(key.parts.begin(), key.parts.end(),
                       [&](const auto part) { return part_of(a, part) == part_of(b, part); });
}

Error at_line(int line, const std::string& why) {
    return {ErrorKind::Invalid, "line " + std::to_string(line) + ": " + why};
}

Error cannot(const YamlTree::Member& directive) {
    const bool says = directive.key == kDirective && !directive.tree.value.empty();
    return at_line(directive.line, "\"" + directive.key +
                                       (says ? ": " + directive.tree.value : "") +
                                       "\" cannot be built here");
}

bool is_deletion(const YamlTree& tree) { return tree.text(kDirective) == "delete"; }

// An item that is about its list.
bool is_about_list(const YamlTree& item) {
    return item.members.size() == 1 && item.members.front().key == kDirective;
}

// The first one, however deep; null: there is none.
const YamlTree::Member* directive_in(const YamlTree& tree) {
    for (const auto& member : tree.members) {
        if (member.key.starts_with('$')) return &member;
        if (const auto* const found = directive_in(member.tree)) return found;
    }
    for (const auto& item : tree.items)
        if (const auto* const found = directive_in(item)) return found;
    return nullptr;
}

void remove_member(YamlTree& tree, std::string_view key) {
    std::erase_if(tree.members, [&](const auto& each) { return each.key == key; });
}

Result<void> merge_mapping(YamlTree& into, const YamlTree& patch, const Place& place);

// What the items say about their list.
Result<void> obey_about_list(YamlTree& into, const YamlTree& patch) {
    for (const auto& item : patch.items) {
        if (!is_about_list(item)) continue;
        const auto& directive = item.members.front();
        if (directive.tree.value == "replace") into.items.clear();
        else if (directive.tree.value != "merge") return cannot(directive);
    }
    return {};
}

Result<void> check_items(const YamlTree& patch, const MergeKey& key) {
    const std::string what = "an item of \"" + std::string(key.list) + "\" ";
    for (auto item = patch.items.begin(); item != patch.items.end(); ++item) {
        if (is_about_list(*item)) continue;
        for (const auto part : key.parts)
            if (!part.empty() && part_of(*item, part).empty())
                return at_line(item->line, what + "has no \"" + std::string(part) + "\"");
        if (std::any_of(patch.items.begin(), item,
                        [&](const auto& each) { return is_same_item(each, *item, key); }))
            return at_line(item->line, what + "is there twice");
        // kustomize passes over such an item.
        if (item->text(kDirective) == "replace") return cannot(*directive_in(*item));
    }
    return {};
}

Result<void> merge_list(YamlTree& into, const YamlTree& patch, const MergeKey& key,
                        const Place& place) {
    if (auto checked = check_items(patch, key); !checked) return checked;
    if (auto obeyed = obey_about_list(into, patch); !obeyed) return obeyed;
    std::vector<YamlTree> added;
    for (const auto& item : patch.items) {
        if (is_about_list(item)) continue;
        const auto same = std::find_if(into.items.begin(), into.items.end(), [&](const auto& each) {
            return is_same_item(each, item, key);
        });
        const bool is_new = same == into.items.end();
        if (is_deletion(item)) {
            if (!is_new) into.items.erase(same);
            continue;
        }
        auto& target = is_new ? added.emplace_back(YamlTree::mapping()) : *same;
        if (auto merged = merge_mapping(target, item, {place.keys, key.list}); !merged)
            return merged;
    }
    // New ones come first, as kustomize has it.
    into.items.insert(into.items.begin(), std::make_move_iterator(added.begin()),
                      std::make_move_iterator(added.end()));
    return {};
}

Result<void> merge_member(YamlTree& into, const YamlTree::Member& member, const Place& place) {
    const auto& patch = member.tree;
    const bool is_list = patch.kind == YamlTree::Kind::Sequence;
    const MergeKey* const key = is_list ? merge_key(member.key, place) : nullptr;
    if (key != nullptr && key->parts.front().empty())
        return at_line(member.line, "the list \"" + member.key + "\" cannot be built here");
    const bool list_goes = key != nullptr && patch.items.size() == 1 &&
                           is_about_list(patch.items.front()) && is_deletion(patch.items.front());
    if (patch.is_null() || is_deletion(patch) || list_goes) {
        remove_member(into, member.key);
        return {};
    }
    if (key == nullptr && patch.kind != YamlTree::Kind::Mapping) {
        if (const auto* const directive = directive_in(patch)) return cannot(*directive);
        into.set(member.key, patch);
        return {};
    }
    const YamlTree* const there = into.find(member.key);
    if (there == nullptr || there->kind != patch.kind)
        into.set(member.key, is_list ? YamlTree::sequence() : YamlTree::mapping());
    YamlTree& target = *into.find(member.key);
    return is_list ? merge_list(target, patch, *key, place)
                   : merge_mapping(target, patch, {place.keys, member.key});
}

Result<void> merge_mapping(YamlTree& into, const YamlTree& patch, const Place& place) {
    const std::string directive = patch.text(kDirective);
    if (directive == "replace") into.members.clear();
    for (const auto& member : patch.members) {
        const bool known =
            member.key == kDirective && (directive == "replace" || directive == "merge");
        if (known) continue;
        if (member.key.starts_with('$')) return cannot(member);
        if (auto merged = merge_member(into, member, place); !merged) return merged;
    }
    return {};
}

}  // namespace

Result<void> merge_strategically(YamlTree& into, const YamlTree& patch, MergeKeys keys) {
    // kustomize leaves the resource as it is.
    if (const auto* const directive = patch.find(kDirective);
        directive != nullptr && directive->value == "replace")
        return at_line(directive->line, "\"$patch: replace\" of a resource cannot be built here");
    return merge_mapping(into, patch, {keys, {}});
}

}  // namespace promotiond::sdk::inline v1::gitops
