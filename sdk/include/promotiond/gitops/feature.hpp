// A feature shown beside the application: a copy of its resources with another tag, under names,
// labels and host names of their own, in a directory <group>/<environment>/<app>-<feature> that the
// environment's kustomization.yaml lists.
//
// Text -> text; nothing is run. Of kustomize, what plain environments use is built here: resources
// (files and directories), patches (strategic merge, and operations by RFC 6902), replicas,
// namespace, commonLabels, labels, commonAnnotations, images, namePrefix, nameSuffix. What
// generators make under a name without a digest is shared with the application. A kustomization
// with anything else is refused by name.
//
// Pure apart from the reading function; one thread. Standard library only in this header.
#ifndef PROMOTIOND_GITOPS_FEATURE_HPP
#define PROMOTIOND_GITOPS_FEATURE_HPP

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../result.hpp"
#include "manifest.hpp"
#include "mirror.hpp"

namespace promotiond::sdk::inline v1::gitops {

// On each copy, with the feature's name; what has it is a copy already.
inline constexpr std::string_view kFeatureLabel = "gitops-promotion.xenit.io/feature";

// What a directory's kustomization may be called, the likeliest first.
inline constexpr std::array<std::string_view, 3> kKustomizationFiles{
    "kustomization.yaml", "kustomization.yml", "Kustomization"};

// A file of the repository by its path; none = there is no such file.
using ReadText = std::function<Result<std::optional<std::string>>(const std::string& path)>;

struct FeatureWish {
    ImageRelease release;
    std::string environment;
    std::string feature;                        // as feature_name() gives it
    std::map<std::string, std::string> labels;  // which resources are the application's
};

[[nodiscard]] std::string feature_directory(const FeatureWish& wish);

// `there`: the paths of the files that are in the feature's directory already; those that the copy
// does not have are removed. Invalid: no labels, no resource that has them, a kustomization that is
// missing or uses what is not built here, with the file in the message; a label or name that would
// be longer than Kubernetes takes.
[[nodiscard]] Result<std::vector<FileChange>> copy_feature(const FeatureWish& wish,
                                                           const ReadText& read,
                                                           const std::vector<std::string>& there);

// Whether this is the kustomization.yaml of a feature's copy.
[[nodiscard]] bool is_feature(std::string_view kustomization);

// A kustomization.yaml with one more entry in its resources, or without one; all else stays as it
// is where the list has a line for each entry. Invalid: it cannot be read.
[[nodiscard]] Result<std::string> with_resource(const std::string& kustomization,
                                                const std::string& entry);
[[nodiscard]] Result<std::string> without_resource(const std::string& kustomization,
                                                   const std::string& entry);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
