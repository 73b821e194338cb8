// The part of kustomize that feature.hpp names: from a directory to its resources. Pure apart from
// the reading function; one thread.
#pragma once

#include <string>
#include <vector>

#include <promotiond/gitops/feature.hpp>

#include "manifest_tree.hpp"

namespace promotiond::sdk::inline v1::gitops {

struct BuiltResource {
    YamlTree tree;
    // Why the directory could not be built any more with a copy of it; empty: it could.
    std::string sole = {};
};

// Directories that are copies of features are left out. Errors as copy_feature's.
[[nodiscard]] Result<std::vector<BuiltResource>> build_kustomization(const std::string& directory,
                                                                     const ReadText& read);

// The lists of containers of a workload, of whatever kind; none for other resources.
[[nodiscard]] std::vector<YamlTree*> container_lists(YamlTree& resource);

// The image with another tag, its digest gone.
[[nodiscard]] std::string with_tag(const std::string& image, const std::string& tag);
// Without tag and digest.
[[nodiscard]] std::string image_name(const std::string& image);

// The path, from the repository's root, of one written relative to a directory. Invalid: it leads
// out of the repository, or to another one.
[[nodiscard]] Result<std::string> path_in(const std::string& directory, const std::string& path);

}  // namespace promotiond::sdk::inline v1::gitops
