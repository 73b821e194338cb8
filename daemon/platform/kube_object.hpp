// The names of things in an API server: resources, objects, and the few members that every object
// has.
//
// Thread-safety: values.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/json_view.hpp"

namespace promotiond::platform {

// A kind of object as addresses spell it: {"apps", "v1", "deployments"}; the core group is "".
struct KubeResource {
    std::string group;
    std::string version;
    std::string plural;
    auto operator<=>(const KubeResource&) const = default;

    // "apps/v1", "v1".
    [[nodiscard]] std::string api_version() const;
    // "deployments.apps", "secrets": what RBAC rules and people call it.
    [[nodiscard]] std::string text() const;
    // "/apis/apps/v1/namespaces/team/deployments/web/status"; without ns: cluster-wide; without
    // name: the collection. Segments are percent-encoded.
    [[nodiscard]] std::string path(std::string_view ns, std::string_view name = {},
                                   std::string_view subresource = {}) const;
};

inline const KubeResource kPipelines{"pipelines.weave.works", "v1alpha1", "pipelines"};
inline const KubeResource kSecrets{"", "v1", "secrets"};

struct KubeName {
    std::string ns;  // empty = cluster-scoped
    std::string name;
    auto operator<=>(const KubeName&) const = default;
    [[nodiscard]] std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

// An object as a list or watch gives it. Lifetime: json is the caller's text.
struct KubeObject {
    KubeName name;
    std::string uid;
    std::string resource_version;
    std::int64_t generation = 0;  // 0 = the resource has none
    bool deleting = false;        // deletionTimestamp is set: finalizers still hold it
    JsonView json;                // the whole object
};
// None if it has no metadata.name.
[[nodiscard]] std::optional<KubeObject> kube_object(JsonView json);

// Percent-encodes everything but RFC 3986's unreserved characters.
[[nodiscard]] std::string url_encoded(std::string_view text);

}  // namespace promotiond::platform
