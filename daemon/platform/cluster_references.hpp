// ClusterReferences: keeps up with GitopsClusters: which of them are ready, and which Secret holds
// the kubeconfig of each. Internal to KubeClusters.
//
// Thread-safety: of() from any thread; want() and the destructor from one, and never under a lock
// that `changed` takes: they wait for it to return. Lifetime: client and metrics outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "platform/kube_client.hpp"
#include "platform/kube_object.hpp"
#include "platform/kube_watch.hpp"

namespace promotiond::platform {

// What a GitopsCluster says, as far as it matters here.
struct ClusterReference {
    bool ready = false;
    std::string secret;             // empty: it names none
    std::vector<std::string> keys;  // any of them, in this order
    bool operator==(const ClusterReference&) const = default;
};

// By gitops.weave.works/v1alpha1: capiClusterRef is <name>-kubeconfig with key `value`, secretRef
// one with key `value`, `value.yaml` or `kubeconfig`.
[[nodiscard]] ClusterReference cluster_reference(JsonView object);

class ClusterReferences {
public:
    // changed: of() says something else of this one (null: of all of them). Called on threads of
    // this.
    ClusterReferences(KubeClient& client, Metrics& metrics,
                      std::function<void(const KubeName* name)> changed);
    ~ClusterReferences();
    ClusterReferences(const ClusterReferences&) = delete;
    ClusterReferences& operator=(const ClusterReferences&) = delete;

    // Watches exactly these namespaces from now on; "" is all of them in one watch.
    void want(const std::set<std::string>& namespaces);

    struct View {
        bool known = false;   // false: not listed yet, and `trouble` says why if it is known
        std::string trouble;  // of a list that cannot be had
        std::optional<ClusterReference> reference;  // none: there is no such object
    };
    [[nodiscard]] View of(const KubeName& name) const;

private:
    struct Space {
        bool synced = false;
        std::string trouble;
    };
    [[nodiscard]] std::unique_ptr<KubeWatch> watch(const std::string& ns);
    void change(const std::string& ns, const KubeName* name, const std::function<bool()>& apply);

    KubeClient& client_;
    Metrics& metrics_;
    const std::function<void(const KubeName*)> changed_;
    mutable std::mutex mutex_;
    std::map<std::string, Space> spaces_;
    std::map<KubeName, ClusterReference> references_;            // of all there are in them
    std::map<std::string, std::unique_ptr<KubeWatch>> watches_;  // touched by want() only; last
};

}  // namespace promotiond::platform
