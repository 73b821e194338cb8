// KubernetesEvents: an Event (events.k8s.io/v1) about a Pipeline for each step of its promotions,
// for each target that comes out of sight, and for each change of its status.
//
// Each is named after what it tells, so that telling it twice makes one. They are for people and
// for tools that watch Events: nothing of promotiond depends on one, and those that cannot be
// written in a few tries are dropped and counted (promotiond_kube_events_total{result}).
//
// What is told of is also handed on (to Flux), once for each Event that was made: the API server
// remembers for us, over restarts, what has been told.
//
// Thread-safety: all functions from any thread; none blocks. Lifetime: client, clock and metrics
// outlive it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "platform/flux_events.hpp"
#include "platform/kube_client.hpp"
#include "platform/outbox.hpp"
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
    std::string instance = {};  // host or pod name: reportingInstance
    OutboxOptions delivery = {};
    // Gets what is to be handed on, on a thread of this; must not block. Empty: nothing is.
    std::function<void(std::string onward)> hand_on = {};
};

// What goes on with an Event.
struct Onward {
    std::string text = {};  // empty = nothing
    // It may have been told before, by a process that is no more: handed on only if the Event turns
    // out to be new.
    bool again = false;
};

class KubernetesEvents final {
public:
    KubernetesEvents(KubeClient& client, const Clock& clock, Metrics& metrics,
                     KubernetesEventsOptions options = {});
    ~KubernetesEvents();  // what waits is dropped
    KubernetesEvents(const KubernetesEvents&) = delete;
    KubernetesEvents& operator=(const KubernetesEvents&) = delete;

    // Without the subject's uid `kubectl describe` does not show the Event.
    void tell(const EventSubject& about, const PipelineEvent& event, Onward onward = {});

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
