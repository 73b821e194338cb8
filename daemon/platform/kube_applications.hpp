// KubeApplications: watches the application objects that Pipelines name, in every target, on this
// cluster and on others, and tells what it sees.
//
// One watch per cluster and kind, or per namespace of the local one, however many Pipelines look at
// it. The first look at a Pipeline is told in one piece, once all of its targets could be read or
// could not; after that each change is told as it is seen, and only changes.
//
// Thread-safety: all functions from any thread. Lifetime: what it is given outlives it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "model/observation.hpp"
#include "model/pipeline.hpp"
#include "net/http_client.hpp"
#include "platform/kube_client.hpp"

namespace promotiond::platform {

struct KubeApplicationsOptions {
    // False: only the clusters of targets are looked at, as pipeline-controller did by default.
    bool applications = true;
    // On the local cluster each namespace that targets or GitopsClusters are in is watched by
    // itself, for the rights may be of single ones; otherwise all of them in one watch.
    bool by_namespace = false;
    // A target that could be neither read nor not read by then is told as not synced.
    std::chrono::milliseconds first_look{30'000};
    // After a kind that a server does not serve, or cannot be asked for.
    std::chrono::milliseconds try_again{30'000};
};

class KubeApplications {
public:
    // seen is called on threads of this, never twice at once; it must not block.
    KubeApplications(KubeClient& local, net::HttpClient& outbound, const Clock& clock,
                     Metrics& metrics, KubeApplicationsOptions options,
                     std::function<void(std::vector<model::Observation>)> seen);
    ~KubeApplications();
    KubeApplications(const KubeApplications&) = delete;
    KubeApplications& operator=(const KubeApplications&) = delete;

    // Whole new set; whoever is told must know these Pipelines already.
    void set_pipelines(const std::vector<std::shared_ptr<const model::Pipeline>>& pipelines);

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
