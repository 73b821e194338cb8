#include "kustomization.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "kustomization_patch.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::size_t kDeepest = 20;  // kustomizations within kustomizations
constexpr std::size_t kMostResources = 5'000;
constexpr std::array<std::string_view, 17> kBuilt{"apiVersion",      "kind",
                                                  "metadata",        "resources",
                                                  "bases",           "namespace",
                                                  "namePrefix",      "nameSuffix",
                                                  "images",          "labels",
                                                  "commonLabels",    "commonAnnotations",
                                                  "patches",         "patchesStrategicMerge",
                                                  "patchesJson6902", "replicas",
                                                  "generatorOptions"};
constexpr std::array<std::string_view, 12> kOfTheCluster{"Namespace",
                                                         "ClusterRole",
                                                         "ClusterRoleBinding",
                                                         "CustomResourceDefinition",
                                                         "PersistentVolume",
                                                         "StorageClass",
                                                         "PriorityClass",
                                                         "IngressClass",
                                                         "ValidatingWebhookConfiguration",
                                                         "MutatingWebhookConfiguration",
                                                         "APIService",
                                                         "GatewayClass"};

template <class List>
bool holds(const List& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_empty(const YamlTree& tree) {
    return tree.is_null() || (tree.kind == YamlTree::Kind::Sequence && tree.items.empty()) ||
           (tree.kind == YamlTree::Kind::Mapping && tree.members.empty());
}

YamlTree& member(YamlTree& tree, std::string_view key) {
    YamlTree* found = tree.find(key);
    if (found == nullptr || found->kind != YamlTree::Kind::Mapping) {
        tree.set(key, YamlTree::mapping());
        found = tree.find(key);
    }
    return *found;
}

// A nested value, if all the way there is.
YamlTree* at(YamlTree* tree, std::initializer_list<std::string_view> keys) {
    for (const auto key : keys) {
        if (tree == nullptr) return nullptr;
        tree = tree->find(key);
    }
    return tree;
}

// A generated object whose name is the one that is written: a copy may refer to it as it is. With
// a digest behind its name nothing here could tell what it is called.
bool keeps_its_names(const YamlTree& root, const YamlTree& generators) {
    const auto keeps = [](const YamlTree* options) {
        return options != nullptr && options->text("disableNameSuffixHash") == "true";
    };
    return keeps(root.find("generatorOptions")) ||
           std::all_of(generators.items.begin(), generators.items.end(),
                       [&](const YamlTree& each) { return keeps(each.find("options")); });
}

bool is_built(const YamlTree& root, const YamlTree::Member& field) {
    if (holds(kBuilt, field.key) || is_empty(field.tree)) return true;
    const bool generates = field.key == "configMapGenerator" || field.key == "secretGenerator";
    return generates && keeps_its_names(root, field.tree);
}

enum class Selectors { Left, Changed };

void add_labels(YamlTree& resource, const YamlTree& labels, Selectors selectors) {
    std::vector<YamlTree*> places{&member(member(resource, "metadata"), "labels")};
    if (selectors == Selectors::Changed) {
        const bool service = resource.text("kind") == "Service";
        if (auto* template_ = at(&resource, {"spec", "template"}); template_ != nullptr)
            places.push_back(&member(member(*template_, "metadata"), "labels"));
        for (auto* each : {at(&resource, {"spec", "selector", "matchLabels"}),
                           service ? at(&resource, {"spec", "selector"}) : nullptr})
            if (each != nullptr) places.push_back(each);
    }
    for (auto* place : places)
        for (const auto& label : labels.members) place->set(label.key, label.tree);
}

void set_images(YamlTree& resource, const YamlTree& images) {
    for (auto* list : container_lists(resource)) {
        for (auto& container : list->items) {
            const std::string image = container.text("image");
            for (const auto& rule : images.items) {
                if (image.empty() || rule.text("name") != image_name(image)) continue;
                const std::string wanted = rule.text("newName");
                const std::string name = wanted.empty() ? image_name(image) : wanted;
                const std::string old = image.substr(image_name(image).size());
                const std::string tag = rule.text("newTag");
                const std::string digest = rule.text("digest");
                const std::string end =
                    !digest.empty() ? "@" + digest : (!tag.empty() ? ":" + tag : old);
                container.set("image", YamlTree::of_text(name + end));
            }
        }
    }
}

class Builder {
public:
    explicit Builder(const ReadText& read) : read_(read) {}

    Result<std::vector<BuiltResource>> build(const std::string& directory, std::size_t depth) {
        if (depth > kDeepest)
            return Error{ErrorKind::Invalid, directory + ": kustomizations nest too deep"};
        auto found = kustomization_of(directory);
        if (!found) return std::move(found).error();
        if (!*found)
            return Error{ErrorKind::Invalid, "there is no kustomization.yaml in " + directory +
                                                 ", which says what the environment consists of"};
        const YamlTree& root = **found;
        std::vector<BuiltResource> resources;
        const auto* labels = root.find("commonLabels");
        if (labels != nullptr && labels->find(kFeatureLabel) != nullptr) return resources;
        if (auto known = check(root, directory); !known) return std::move(known).error();
        for (const auto* list : {root.find("resources"), root.find("bases")}) {
            if (list == nullptr) continue;
            for (const auto& entry : list->items) {
                auto more = entry_of(directory, entry.value, depth);
                if (!more) return more;
                std::move(more->begin(), more->end(), std::back_inserter(resources));
                if (resources.size() > kMostResources)
                    return Error{ErrorKind::Invalid, directory + " has more than 5000 resources"};
            }
        }
        const auto beside = depth == 0 ? Beside::Copies : Beside::Nothing;
        if (auto done = apply_patches(root, directory, read_, resources, beside); !done)
            return std::move(done).error();
        set_replicas(root, resources);
        for (auto& resource : resources) transform(resource.tree, root);
        return resources;
    }

private:
    Result<std::optional<YamlTree>> kustomization_of(const std::string& directory) const {
        for (const auto name : kKustomizationFiles) {
            const std::string path = directory + "/" + std::string(name);
            const auto text = read_(path);
            if (!text) return Error(text.error());
            if (!*text) continue;
            auto documents = read_yaml(**text);
            if (!documents) return context(std::move(documents).error(), path);
            if (documents->size() != 1 || documents->front().kind != YamlTree::Kind::Mapping)
                return Error{ErrorKind::Invalid, path + " is not one kustomization"};
            return std::optional(std::move(documents->front()));
        }
        return std::optional<YamlTree>();
    }

    static Result<void> check(const YamlTree& root, const std::string& directory) {
        for (const auto& field : root.members) {
            if (is_built(root, field)) continue;
            return Error{ErrorKind::Invalid,
                         directory + "/kustomization.yaml:" + std::to_string(field.line) + ": \"" +
                             field.key +
                             "\" cannot be built here; features can be copied of environments that "
                             "list resources, patches, replicas, namespace, labels, annotations, "
                             "images, name prefix or suffix, and generators with "
                             "disableNameSuffixHash, or shown with featureOverwrite"};
        }
        return {};
    }

    Result<std::vector<BuiltResource>> entry_of(const std::string& directory,
                                                const std::string& entry, std::size_t depth) {
        const auto path = path_in(directory, entry);
        if (!path) return context(Error(path.error()), directory + "/kustomization.yaml");
        const auto text = read_(*path);
        if (!text) return Error(text.error());
        if (!*text) return build(*path, depth + 1);
        auto documents = read_yaml(**text);
        if (!documents) return context(std::move(documents).error(), *path);
        std::vector<BuiltResource> resources;
        for (auto& document : *documents) {
            auto* items = document.find("items");
            if (document.text("kind") == "List" && items != nullptr)
                for (auto& item : items->items) resources.push_back({std::move(item)});
            else if (document.kind == YamlTree::Kind::Mapping)
                resources.push_back({std::move(document)});
        }
        return resources;
    }

    static void transform(YamlTree& resource, const YamlTree& root) {
        YamlTree& metadata = member(resource, "metadata");
        const std::string kind = resource.text("kind");
        if (auto ns = root.text("namespace"); !ns.empty() && !holds(kOfTheCluster, kind))
            metadata.set("namespace", YamlTree::of_text(ns));
        const std::string name =
            root.text("namePrefix") + metadata.text("name") + root.text("nameSuffix");
        if (name != metadata.text("name") && kind != "CustomResourceDefinition")
            metadata.set("name", YamlTree::of_text(name));
        if (const auto* annotations = root.find("commonAnnotations"))
            for (const auto& each : annotations->members)
                member(member(resource, "metadata"), "annotations").set(each.key, each.tree);
        if (const auto* images = root.find("images")) set_images(resource, *images);
        if (const auto* labels = root.find("commonLabels"))
            add_labels(resource, *labels, Selectors::Changed);
        if (const auto* labels = root.find("labels"))
            for (const auto& each : labels->items)
                if (const auto* pairs = each.find("pairs"))
                    add_labels(resource, *pairs,
                               each.text("includeSelectors") == "true" ? Selectors::Changed
                                                                       : Selectors::Left);
    }

    const ReadText& read_;
};

}  // namespace

Result<std::vector<BuiltResource>> build_kustomization(const std::string& directory,
                                                       const ReadText& read) {
    return Builder(read).build(directory, 0);
}

std::vector<YamlTree*> container_lists(YamlTree& resource) {
    std::vector<YamlTree*> lists;
    for (auto* pod : {at(&resource, {"spec", "template", "spec"}),
                      at(&resource, {"spec", "jobTemplate", "spec", "template", "spec"}),
                      resource.text("kind") == "Pod" ? resource.find("spec") : nullptr})
        for (const char* key : {"containers", "initContainers"})
            if (auto* list = at(pod, {key}); list != nullptr) lists.push_back(list);
    return lists;
}

std::string image_name(const std::string& image) {
    const std::string name = image.substr(0, image.find('@'));
    const auto colon = name.rfind(':');
    const auto slash = name.rfind('/');
    const bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash);
    return tagged ? name.substr(0, colon) : name;
}

std::string with_tag(const std::string& image, const std::string& tag) {
    return image_name(image) + ':' + tag;
}

Result<std::string> path_in(const std::string& directory, const std::string& path) {
    const Error out{ErrorKind::Invalid, "\"" + path + "\" leads out of the repository"};
    if (path.empty() || path.front() == '/' || path.find("://") != std::string::npos ||
        path.find('?') != std::string::npos || path.find('@') != std::string::npos)
        return out;
    std::vector<std::string> parts;
    const std::string whole = directory + "/" + path;
    for (std::size_t begin = 0; begin <= whole.size();) {
        const auto end = std::min(whole.find('/', begin), whole.size());
        const auto part = whole.substr(begin, end - begin);
        begin = end + 1;
        if (part.empty() || part == ".") continue;
        if (part != "..") parts.push_back(part);
        else if (parts.empty()) return out;
        else parts.pop_back();
    }
    std::string joined;
    for (const auto& part : parts) joined += (joined.empty() ? "" : "/") + part;
    return joined;
}

}  // namespace promotiond::sdk::inline v1::gitops
