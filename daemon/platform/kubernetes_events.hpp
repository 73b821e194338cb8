// KubernetesEvents: an Event (events.k8s.io/v1) about a Pipeline for each step of its promotions,
// for each target that comes out of sight, and for each change of its status.
//
// Each is named after what it tells, so that telling it twice makes one. They are for people and
// for tools that watch Events: nothing of promotiond depends on one, and those that cannot be
// written in a few tries are dropped and counted (promotiond_kube_events_total{result}).
//
// Thread-safety: all functions from any thread; none blocks. Lifetime: client, clock and metrics
// outlive it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "platform/kube_client.hpp"
#include "platform/platform.hpp"

namespace promotiond::platform {

// One Event, without the object it is about.
struct PipelineEvent {
    std::string name = {};  // unique for what it tells; a DNS subdomain
    bool warning = false;
    std::string reason = {};   // CamelCase, at most 128 bytes
    std::string action = {};   // likewise
    std::string message = {};  // at most 1024 bytes
};

// What a step of a promotion is told as; the reasons are listed in docs/kubernetes.md.
[[nodiscard]] PipelineEvent event_of_step(const model::Promotion& promotion,
                                          const model::Transition& step);
// A target that went out of sight, in pipeline-controller's words (GetClusterError, GetAppError).
[[nodiscard]] PipelineEvent event_of_sight(const model::Observation& seen);

struct KubernetesEventsOptions {
    std::string instance = {};        // host or pod name: reportingInstance
    std::size_t most_waiting = 1000;  // beyond it the oldest is dropped
    int tries = 3;
    std::chrono::milliseconds pause{1'000};  // between tries
};

class KubernetesEvents final {
public:
    KubernetesEvents(KubeClient& client, const Clock& clock, Metrics& metrics,
                     KubernetesEventsOptions options = {});
    ~KubernetesEvents();  // what waits is dropped
    KubernetesEvents(const KubernetesEvents&) = delete;
    KubernetesEvents& operator=(const KubernetesEvents&) = delete;

    // uid: of the Pipeline object; without it Events are not shown by `kubectl describe`.
    void tell(const model::PipelineName& about, const std::string& uid, PipelineEvent event);

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
