#include <promotiond/gitops/feature.hpp>

#include <algorithm>
#include <set>
#include <utility>

#include "kustomization.hpp"
#include "manifest_tree.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// Characters; kubernetes.io, "Object names and IDs" and "Labels and selectors", 2026-11.
constexpr std::size_t kLongestLabel = 63;  // and name of a Service
constexpr std::size_t kLongestName = 253;

Error invalid(std::string why) { return {ErrorKind::Invalid, std::move(why)}; }

YamlTree* labels_of(YamlTree& resource) {
    auto* metadata = resource.find("metadata");
    return metadata == nullptr ? nullptr : metadata->find("labels");
}

bool is_the_applications(YamlTree& resource, const std::map<std::string, std::string>& selector) {
    const auto* labels = labels_of(resource);
    if (labels == nullptr || labels->find(kFeatureLabel) != nullptr) return false;
    return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
        const auto* found = labels->find(wanted.first);
        return found != nullptr && found->value == wanted.second;
    });
}

// apps_v1_Deployment-<namespace>-<name>.yaml; the core group is written ~G.
std::string file_of(const YamlTree& resource) {
    const std::string version = resource.text("apiVersion");
    const auto slash = version.find('/');
    const std::string group = slash == std::string::npos ? "~G" : version.substr(0, slash);
    const auto* metadata = resource.find("metadata");
    std::string name = group + "_" + version.substr(slash == std::string::npos ? 0 : slash + 1) +
                       "_" + resource.text("kind") + "-" + metadata->text("namespace") + "-" +
                       metadata->text("name") + ".yaml";
    for (char& c : name)
        if (c == '/' || c == '\\' || c == ':') c = '_';
    return name;
}

void prefix(YamlTree* host, const std::string& feature) {
    if (host != nullptr && host->kind == YamlTree::Kind::Scalar && !host->value.empty())
        *host = YamlTree::of_text(feature + "." + host->value);
}

template <class Change>
void each_item(YamlTree* list, const Change& change) {
    if (list == nullptr) return;
    for (auto& item : list->items) change(item);
}

void rename_hosts_of_ingress(YamlTree& spec, const std::string& feature) {
    each_item(spec.find("rules"), [&](YamlTree& rule) { prefix(rule.find("host"), feature); });
    each_item(spec.find("tls"), [&](YamlTree& tls) {
        each_item(tls.find("hosts"), [&](YamlTree& host) { prefix(&host, feature); });
    });
}

// kustomize does not know that a route's back ends are Services, so its suffix does not reach them.
void rename_back_end(YamlTree* reference, const std::string& feature) {
    if (reference == nullptr || !reference->text("group").empty()) return;
    const std::string kind = reference->text("kind");
    if (kind.empty() || kind == "Service")
        reference->set("name", YamlTree::of_text(reference->text("name") + "-" + feature));
}

void rename_in_filters(YamlTree& holder, const std::string& feature) {
    each_item(holder.find("filters"), [&](YamlTree& filter) {
        for (const char* kind : {"requestRedirect", "urlRewrite"})
            if (auto* rule = filter.find(kind)) prefix(rule->find("hostname"), feature);
        if (auto* mirror = filter.find("requestMirror"))
            rename_back_end(mirror->find("backendRef"), feature);
    });
}

void rename_hosts_of_route(YamlTree& spec, const std::string& feature) {
    each_item(spec.find("hostnames"), [&](YamlTree& host) { prefix(&host, feature); });
    each_item(spec.find("rules"), [&](YamlTree& rule) {
        rename_in_filters(rule, feature);
        each_item(rule.find("backendRefs"), [&](YamlTree& reference) {
            rename_back_end(&reference, feature);
            rename_in_filters(reference, feature);
        });
    });
}

// Where no line is marked: the containers whose image is called as the application, or the only
// one.
void set_tag(YamlTree& resource, const ImageRelease& release) {
    const auto lists = container_lists(resource);
    std::size_t count = 0;
    for (const auto* list : lists) count += list->items.size();
    for (auto* list : lists) {
        for (auto& container : list->items) {
            const std::string image = container.text("image");
            const std::string name = image_name(image);
            const bool same = name.substr(name.rfind('/') + 1) == release.app;
            if (!image.empty() && (same || count == 1))
                container.set("image", YamlTree::of_text(with_tag(image, release.tag)));
        }
    }
}

// What the cluster would refuse would hold up the whole environment, so it is refused here.
Result<void> check_length(const std::string& what, const std::string& text,
                          const std::string& feature, std::size_t most) {
    const std::size_t length = text.size() + 1 + feature.size();
    if (length <= most) return {};
    return invalid(what + " would be " + text + "-" + feature + ", which has " +
                   std::to_string(length) + " characters; at most " + std::to_string(most) +
                   " are allowed: choose a shorter name for the feature");
}

Result<void> check_name(const YamlTree& resource, const std::string& feature) {
    const std::string kind = resource.text("kind");
    const std::size_t most = kind == "Service" ? kLongestLabel : kLongestName;
    return check_length("the name of " + kind, resource.find("metadata")->text("name"), feature,
                        most);
}

std::string kustomization_of_copy(const FeatureWish& wish, const std::vector<std::string>& files) {
    YamlTree root = YamlTree::mapping();
    root.set("apiVersion", YamlTree::of_text("kustomize.config.k8s.io/v1beta1"));
    root.set("kind", YamlTree::of_text("Kustomization"));
    YamlTree suffix = YamlTree::of_text("-" + wish.feature);
    // As kustomize writes it; before a digit it would be a number.
    suffix.quoted = wish.feature.front() < 'a' || wish.feature.front() > 'z';
    root.set("nameSuffix", std::move(suffix));
    YamlTree labels = YamlTree::mapping();
    for (const auto& [key, value] : wish.labels)
        labels.set(key, YamlTree::of_text(value + "-" + wish.feature));
    labels.set(kFeatureLabel, YamlTree::of_text(wish.feature));
    root.set("commonLabels", std::move(labels));
    YamlTree resources = YamlTree::sequence();
    for (const auto& file : files) resources.items.push_back(YamlTree::of_text(file));
    root.set("resources", std::move(resources));
    return write_yaml(root);
}

Result<YamlTree> kustomization_in(const std::string& text) {
    auto documents = read_yaml(text);
    if (!documents) return std::move(documents).error();
    if (documents->size() != 1 || documents->front().kind != YamlTree::Kind::Mapping)
        return invalid("it is not one kustomization");
    return std::move(documents->front());
}

std::vector<std::string> entries_of(const YamlTree& root) {
    std::vector<std::string> out;
    if (const auto* list = root.find("resources"))
        for (const auto& entry : list->items) out.push_back(entry.value);
    return out;
}

// The begin of a line, counted from 1; the text's end for one behind the last.
std::size_t begin_of_line(const std::string& text, int line) {
    std::size_t at = 0;
    for (int i = 1; i < line && at < text.size(); ++i)
        at = std::min(text.find('\n', at), text.size() - 1) + 1;
    return at;
}

// What was edited by line, if it reads as meant; else the whole written anew.
std::string checked(std::string edited, YamlTree root, const std::vector<std::string>& wanted) {
    const auto read = kustomization_in(edited);
    if (read && entries_of(*read) == wanted) return edited;
    YamlTree list = YamlTree::sequence();
    for (const auto& entry : wanted) list.items.push_back(YamlTree::of_text(entry));
    root.set("resources", std::move(list));
    return write_yaml(root);
}

}  // namespace

std::string feature_directory(const FeatureWish& wish) {
    return wish.release.group + "/" + wish.environment + "/" + wish.release.app + "-" +
           wish.feature;
}

Result<std::vector<FileChange>> copy_feature(const FeatureWish& wish, const ReadText& read,
                                             const std::vector<std::string>& there) {
    if (auto good = check_image(wish.release); !good) return std::move(good).error();
    const std::string name = wish.release.group + "/" + wish.release.app;
    if (wish.labels.empty())
        return invalid("application " + name +
                       " has no featureLabelSelector, which says what is "
                       "to be copied; or set featureOverwrite: true");
    for (const auto& [key, value] : wish.labels)
        if (auto fits = check_length("label " + key, value, wish.feature, kLongestLabel); !fits)
            return std::move(fits).error();
    const std::string environment = wish.release.group + "/" + wish.environment;
    bool marked = false;
    const ReadText tagged = [&](const std::string& path) -> Result<std::optional<std::string>> {
        auto text = read(path);
        if (!text || !*text || !may_hold_markers(path, **text, "$imagepolicy")) return text;
        auto edited = set_image_values(**text, wish.release);
        if (!edited) return context(std::move(edited).error(), path);
        marked = marked || !edited->edits.empty();
        return std::optional(std::move(edited->text));
    };
    auto resources = build_kustomization(environment, tagged);
    if (!resources) return std::move(resources).error();

    const std::string directory = feature_directory(wish);
    std::vector<FileChange> changes;
    std::vector<std::string> files;
    for (auto& [resource, sole] : *resources) {
        if (!is_the_applications(resource, wish.labels)) continue;
        if (!sole.empty()) return invalid(sole);
        if (auto fits = check_name(resource, wish.feature); !fits) return std::move(fits).error();
        if (!marked) set_tag(resource, wish.release);
        if (auto* spec = resource.find("spec")) {
            if (resource.text("kind") == "Ingress") rename_hosts_of_ingress(*spec, wish.feature);
            if (resource.text("kind") == "HTTPRoute") rename_hosts_of_route(*spec, wish.feature);
        }
        const std::string file = file_of(resource);
        if (std::find(files.begin(), files.end(), file) != files.end())
            return invalid("two resources would be written as " + file + " in " + directory);
        files.push_back(file);
        changes.push_back({directory + "/" + file, write_yaml(resource)});
    }
    if (files.empty())
        return invalid("no resource of " + environment +
                       " has the labels of featureLabelSelector of application " + name);
    changes.push_back({directory + "/kustomization.yaml", kustomization_of_copy(wish, files)});
    for (const auto& path : there) {
        const bool kept = std::any_of(changes.begin(), changes.end(),
                                      [&](const FileChange& each) { return each.path == path; });
        if (!kept) changes.push_back({path, "", true});
    }
    if (!there.empty()) return changes;

    for (const auto file : kKustomizationFiles) {
        const std::string list = environment + "/" + std::string(file);
        const auto text = read(list);
        if (!text) return Error(text.error());
        if (!*text) continue;
        auto longer = with_resource(**text, wish.release.app + "-" + wish.feature);
        if (!longer) return context(std::move(longer).error(), list);
        if (*longer != **text) changes.push_back({list, *std::move(longer)});
        break;  // there is one, or nothing could have been built
    }
    return changes;
}

bool is_feature(std::string_view kustomization) {
    const auto root = kustomization_in(std::string(kustomization));
    const auto* labels = root ? root->find("commonLabels") : nullptr;
    return labels != nullptr && labels->find(kFeatureLabel) != nullptr;
}

Result<std::string> with_resource(const std::string& kustomization, const std::string& entry) {
    const auto root = kustomization_in(kustomization);
    if (!root) return Error(root.error());
    auto wanted = entries_of(*root);
    if (std::find(wanted.begin(), wanted.end(), entry) != wanted.end()) return kustomization;
    wanted.push_back(entry);
    std::string edited = kustomization;
    if (!edited.empty() && edited.back() != '\n') edited += '\n';
    const auto* list = root->find("resources");
    if (list == nullptr) {
        edited += "resources:\n- " + entry + "\n";
    } else if (!list->items.empty()) {
        const auto& last = list->items.back();
        const auto begin = begin_of_line(edited, last.line);
        const std::string indent = edited.substr(begin, edited.find('-', begin) - begin);
        edited.insert(begin_of_line(edited, last.line + 1), indent + "- " + entry + "\n");
    }
    return checked(std::move(edited), *root, wanted);
}

Result<std::string> without_resource(const std::string& kustomization, const std::string& entry) {
    const auto root = kustomization_in(kustomization);
    if (!root) return Error(root.error());
    auto wanted = entries_of(*root);
    const auto gone = std::remove(wanted.begin(), wanted.end(), entry);
    if (gone == wanted.end()) return kustomization;
    wanted.erase(gone, wanted.end());
    std::string edited = kustomization;
    const auto& items = root->find("resources")->items;
    for (auto item = items.rbegin(); item != items.rend(); ++item) {
        if (item->value != entry) continue;
        const auto begin = begin_of_line(edited, item->line);
        edited.erase(begin, begin_of_line(edited, item->line + 1) - begin);
    }
    return checked(std::move(edited), *root, wanted);
}

}  // namespace promotiond::sdk::inline v1::gitops
