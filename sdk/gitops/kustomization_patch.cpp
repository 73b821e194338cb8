// Which patch goes to which resource.
#include "kustomization_patch.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace promotiond::sdk::inline v1::gitops {
namespace {

Error invalid(std::string why) { return {ErrorKind::Invalid, std::move(why)}; }

std::string group_of(const YamlTree& resource) {
    const std::string version = resource.text("apiVersion");
    const auto slash = version.find('/');
    return slash == std::string::npos ? std::string() : version.substr(0, slash);
}

// Kubernetes' own groups have no dot, but for these; anybody's may end in .k8s.io.
MergeKeys merge_keys(const YamlTree& resource) {
    constexpr std::array<std::string_view, 16> kOwn{"admissionregistration.k8s.io",
                                                    "apiextensions.k8s.io",
                                                    "apiregistration.k8s.io",
                                                    "authentication.k8s.io",
                                                    "authorization.k8s.io",
                                                    "certificates.k8s.io",
                                                    "coordination.k8s.io",
                                                    "discovery.k8s.io",
                                                    "events.k8s.io",
                                                    "flowcontrol.apiserver.k8s.io",
                                                    "internal.apiserver.k8s.io",
                                                    "networking.k8s.io",
                                                    "node.k8s.io",
                                                    "rbac.authorization.k8s.io",
                                                    "scheduling.k8s.io",
                                                    "storage.k8s.io"};
    const std::string group = group_of(resource);
    const bool own = group.find('.') == std::string::npos ||
                     std::find(kOwn.begin(), kOwn.end(), group) != kOwn.end();
    return own ? MergeKeys::Kubernetes : MergeKeys::None;
}

std::string version_of(const YamlTree& resource) {
    const std::string version = resource.text("apiVersion");
    const auto slash = version.find('/');
    return slash == std::string::npos ? version : version.substr(slash + 1);
}

std::string in_metadata(const YamlTree& resource, std::string_view key) {
    const auto* metadata = resource.find("metadata");
    return metadata == nullptr ? std::string() : metadata->text(key);
}

// Of kustomize's regular expressions, the ones that people write: words, with .* for anything.
// None: it is another one.
std::optional<bool> fits(std::string_view pattern, std::string_view text) {
    if (pattern.starts_with('^')) pattern.remove_prefix(1);
    if (pattern.ends_with('$')) pattern.remove_suffix(1);
    for (std::size_t i = 0; i < pattern.size(); ++i)
        if (std::string_view("[](){}+?^$|\\").find(pattern[i]) != std::string_view::npos ||
            (pattern[i] == '*' && (i == 0 || pattern[i - 1] != '.')))
            return std::nullopt;
    bool first = true;
    while (true) {
        const auto any = pattern.find(".*");
        const auto word = pattern.substr(0, any);
        if (any == std::string_view::npos)
            return first ? text == word : text.size() >= word.size() && text.ends_with(word);
        const auto found = text.find(word);
        if (found == std::string_view::npos || (first && found != 0)) return false;
        text.remove_prefix(found + word.size());
        pattern.remove_prefix(any + 2);
        first = false;
    }
}

bool has_labels(const YamlTree& resource, std::string_view selector) {
    const auto* metadata = resource.find("metadata");
    const auto* labels = metadata == nullptr ? nullptr : metadata->find("labels");
    while (!selector.empty()) {
        const auto one = selector.substr(0, selector.find(','));
        selector.remove_prefix(std::min(selector.size(), one.size() + 1));
        const auto equals = one.find('=');
        if (labels == nullptr || labels->text(one.substr(0, equals)) != one.substr(equals + 1))
            return false;
    }
    return true;
}

// "a=b,c=d" and nothing else.
bool is_plain_selector(std::string_view selector) {
    return selector.find_first_of("!() ") == std::string_view::npos &&
           selector.find("==") == std::string_view::npos &&
           std::count(selector.begin(), selector.end(), '=') ==
               std::count(selector.begin(), selector.end(), ',') + 1;
}

Result<bool> is_target(const YamlTree& resource, const YamlTree& target) {
    for (const auto& [key, line, column, value] : target.members) {
        bool good = false;
        if (key == "labelSelector") {
            if (!is_plain_selector(value.value))
                return invalid("the labelSelector \"" + value.value + "\" cannot be built here");
            good = has_labels(resource, value.value);
        } else {
            std::string text;
            if (key == "group") text = group_of(resource);
            else if (key == "version") text = version_of(resource);
            else if (key == "kind") text = resource.text("kind");
            else if (key == "name" || key == "namespace") text = in_metadata(resource, key);
            else return invalid("\"" + key + "\" of a target cannot be built here");
            const auto fitting = fits(value.value, text);
            if (!fitting)
                return invalid("the " + key + " \"" + value.value +
                               "\" of a target cannot be built here; of regular expressions only "
                               ".* can");
            good = *fitting;
        }
        if (!good) return false;
    }
    return true;
}

// Where it is now, which is not where a `namespace` of the kustomization will bring it.
std::string namespace_of(const YamlTree& resource) {
    const std::string ns = in_metadata(resource, "namespace");
    return ns.empty() ? "default" : ns;
}

bool is_named(const YamlTree& resource, const YamlTree& patch) {
    return resource.text("kind") == patch.text("kind") && group_of(resource) == group_of(patch) &&
           in_metadata(resource, "name") == in_metadata(patch, "name") &&
           namespace_of(resource) == namespace_of(patch);
}

// What says which resource it is stays the resource's own.
YamlTree without_identity(YamlTree patch) {
    std::erase_if(patch.members,
                  [](const auto& each) { return each.key == "apiVersion" || each.key == "kind"; });
    if (auto* metadata = patch.find("metadata"))
        std::erase_if(metadata->members, [](const auto& each) {
            return each.key == "name" || each.key == "namespace";
        });
    return patch;
}

class Patcher {
public:
    Patcher(const YamlTree& kustomization, const std::string& directory, const ReadText& read,
            Beside beside, std::vector<BuiltResource>& resources)
        : directory_(directory),
          namespace_(kustomization.text("namespace")),
          read_(read),
          beside_(beside),
          resources_(resources) {}

    // An entry of any of the lists: a file, a text, or {path or patch, target}.
    Result<void> apply(const YamlTree& entry) {
        if (entry.kind != YamlTree::Kind::Mapping)
            return entry.value.find('\n') == std::string::npos ? apply_file(entry.value, nullptr)
                                                               : apply_text(entry.value, nullptr);
        for (const auto& field : entry.members)
            if (field.key != "path" && field.key != "patch" && field.key != "target")
                return invalid("\"" + field.key + "\" of a patch cannot be built here");
        const auto* target = entry.find("target");
        const auto* text = entry.find("patch");
        return text != nullptr ? apply_text(text->value, target)
                               : apply_file(entry.text("path"), target);
    }

private:
    Result<void> apply_file(const std::string& file, const YamlTree* target) {
        const auto path = path_in(directory_, file);
        if (!path) return Error(path.error());
        const auto text = read_(*path);
        if (!text) return Error(text.error());
        if (!*text) return invalid("there is no " + *path);
        auto done = apply_text(**text, target);
        return done ? std::move(done) : context(std::move(done).error(), *path);
    }

    Result<void> apply_text(const std::string& text, const YamlTree* target) {
        const auto documents = read_yaml(text);
        if (!documents) return Error(documents.error());
        for (const auto& patch : *documents) {
            if (patch.is_null()) continue;
            if (auto done = apply_to_all(patch, target); !done) return done;
        }
        return {};
    }

    Result<void> apply_to_all(const YamlTree& patch, const YamlTree* target) {
        if (patch.kind == YamlTree::Kind::Scalar)
            return invalid("it is neither a resource nor a list of operations");
        if (patch.kind == YamlTree::Kind::Sequence && target == nullptr)
            return invalid("a list of operations needs a target");
        bool found = false;
        for (std::size_t i = 0; i < resources_.size(); ++i) {
            auto& resource = resources_[i];
            const auto wanted = target == nullptr ? Result<bool>(is_named(resource.tree, patch))
                                                  : is_target(resource.tree, *target);
            if (!wanted) return Error(wanted.error());
            if (!*wanted) continue;
            found = true;
            if (patch.text("$patch") == "delete") {
                resources_.erase(resources_.begin() + static_cast<std::ptrdiff_t>(i--));
                continue;
            }
            if (auto done = apply_one(patch, resource.tree); !done) return done;
            if (beside_ == Beside::Copies && !suits_copies(patch, target, resource.tree))
                resource.sole = in_words(resource.tree);
        }
        if (found || target != nullptr) return {};
        return invalid("it fits no resource: there is no " + patch.text("kind") + " " +
                       in_metadata(patch, "name"));
    }

    static Result<void> apply_one(const YamlTree& patch, YamlTree& resource) {
        if (patch.kind == YamlTree::Kind::Sequence) return apply_operations(resource, patch);
        return merge_strategically(resource, without_identity(patch), merge_keys(resource));
    }

    // A patch without a target must fit one resource only: a copy has the environment's namespace
    // from the first, the resource not before it was patched. One with a target is applied to the
    // copy as well, which has been patched.
    bool suits_copies(const YamlTree& patch, const YamlTree* target,
                      const YamlTree& patched) const {
        if (target == nullptr) return !namespace_.empty() && namespace_of(patched) != namespace_;
        YamlTree twice = patched;
        return apply_one(patch, twice) && write_yaml(twice) == write_yaml(patched);
    }

    std::string in_words(const YamlTree& resource) const {
        return "a patch of " + directory_ + "/kustomization.yaml changes " + resource.text("kind") +
               " " + in_metadata(resource, "name") +
               ", and would spoil a copy beside it; move the patch with its resource into a "
               "directory of their own, or use featureOverwrite";
    }

    const std::string& directory_;
    const std::string namespace_;
    const ReadText& read_;
    const Beside beside_;
    std::vector<BuiltResource>& resources_;
};

}  // namespace

Result<void> apply_patches(const YamlTree& kustomization, const std::string& directory,
                           const ReadText& read, std::vector<BuiltResource>& resources,
                           Beside beside) {
    Patcher patcher(kustomization, directory, read, beside, resources);
    for (const char* key : {"patchesStrategicMerge", "patches", "patchesJson6902"}) {
        const auto* list = kustomization.find(key);
        if (list == nullptr) continue;
        for (const auto& entry : list->items)
            if (auto done = patcher.apply(entry); !done)
                return context(std::move(done).error(), directory + "/kustomization.yaml:" +
                                                            std::to_string(entry.line) + ": patch");
    }
    return {};
}

void set_replicas(const YamlTree& kustomization, std::vector<BuiltResource>& resources) {
    constexpr std::array<std::string_view, 4> kScaled{"Deployment", "StatefulSet", "ReplicaSet",
                                                      "ReplicationController"};
    const auto* list = kustomization.find("replicas");
    if (list == nullptr) return;
    for (auto& [resource, sole] : resources) {
        const std::string kind = resource.text("kind");
        auto* spec = resource.find("spec");
        if (spec == nullptr || std::find(kScaled.begin(), kScaled.end(), kind) == kScaled.end())
            continue;
        for (const auto& rule : list->items)
            if (const auto* count = rule.find("count");
                count != nullptr && rule.text("name") == in_metadata(resource, "name"))
                spec->set("replicas", *count);
    }
}

}  // namespace promotiond::sdk::inline v1::gitops
