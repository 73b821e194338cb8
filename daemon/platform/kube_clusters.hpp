// KubeClusters: the clusters that targets name, by their GitopsCluster objects, and clients of
// their API servers.
//
// A GitopsCluster points to the Secret that holds its kubeconfig, in its own namespace. It counts
// as soon as its condition Ready is True. The Secret is got by name, and again every few minutes
// and when the cluster refuses us, so that rotated credentials are followed. Kubeconfigs from
// Secrets may name neither files nor programs.
//
// Thread-safety: all functions from any thread. Lifetime: what it is given outlives it, and so does
// it outlive every use of a client that it gave.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "model/observation.hpp"
#include "net/http_client.hpp"
#include "platform/kube_client.hpp"

namespace promotiond::platform {

struct KubeCluster {
    bool known = false;  // false: not looked at yet; nothing below means anything
    model::Sight sight = model::Sight::Clear;
    std::string error;                   // empty = it can be asked
    std::shared_ptr<KubeClient> client;  // another one after every change of the kubeconfig
};

struct KubeClustersOptions {
    // Each namespace that holds some is watched by itself: the rights may be of single ones.
    bool by_namespace = false;
};

class KubeClusters {
public:
    // changed: what of() says of this cluster is another thing now. Called on a thread of this.
    KubeClusters(KubeClient& local, net::HttpClient& outbound, const Clock& clock, Metrics& metrics,
                 KubeClustersOptions options, std::function<void(const KubeName&)> changed);
    ~KubeClusters();
    KubeClusters(const KubeClusters&) = delete;
    KubeClusters& operator=(const KubeClusters&) = delete;

    // Whole new set of those that Pipelines name. Nothing is watched while there are none.
    void want(std::set<KubeName> names);
    [[nodiscard]] KubeCluster of(const KubeName& name) const;
    // Its API server refused us or cannot be reached: the kubeconfig is read again soon.
    void doubt(const KubeName& name);

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
