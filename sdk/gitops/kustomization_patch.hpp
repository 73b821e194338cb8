// The part of kustomize that changes single resources: patches by strategic merge and by JSON
// pointers (RFC 6902), and replicas. Pure apart from the reading function; one thread.
//
// Facts: kustomize's built-in transformers, and the merge keys of Kubernetes' OpenAPI
// (x-kubernetes-patch-merge-key, x-kubernetes-list-map-keys; kubernetes.io, "Update API Objects in
// Place", and kustomize 5.5 itself, 2026-11). Lists of kinds that Kubernetes does not bring along
// are replaced as a whole, as kustomize does where it has no schema.
#pragma once

#include <string>
#include <vector>

#include <promotiond/gitops/feature.hpp>

#include "kustomization.hpp"
#include "manifest_tree.hpp"

namespace promotiond::sdk::inline v1::gitops {

// Whether copies will be listed beside the resources: what is patched here is patched there again,
// since kustomize knows a resource by its earlier names too.
enum class Beside { Nothing, Copies };

// What `patches`, `patchesStrategicMerge` and `patchesJson6902` of a directory's kustomization ask
// for. Invalid: one cannot be read, fits no resource, or uses what is not built here; the file and
// the word are in the message.
[[nodiscard]] Result<void> apply_patches(const YamlTree& kustomization,
                                         const std::string& directory, const ReadText& read,
                                         std::vector<BuiltResource>& resources, Beside beside);

void set_replicas(const YamlTree& kustomization, std::vector<BuiltResource>& resources);

// Which lists of a resource are merged item by item.
enum class MergeKeys { None, Kubernetes };

// The patch merged into a resource, with `$patch: delete`, `replace` and `merge` of mappings and of
// lists that have merge keys, and `$patch: delete` of their items. A port without a protocol is a
// TCP port on both sides, as for Kubernetes; kustomize drops such a patch where only one side tells
// the protocol. Invalid, with the line: any other directive, an item without its merge key or with
// another one's, a list that kustomize merges and this does not. `into` is half merged then.
[[nodiscard]] Result<void> merge_strategically(YamlTree& into, const YamlTree& patch,
                                               MergeKeys keys);
// A list of operations. Invalid: one that cannot be done, with its place.
[[nodiscard]] Result<void> apply_operations(YamlTree& to, const YamlTree& operations);

}  // namespace promotiond::sdk::inline v1::gitops
