// KubernetesStatus: writes what is known of each Pipeline into the `.status` of its object.
//
// Level-triggered: what counts is how a Pipeline stands, not what happened to it. Nothing is
// written that the object says already; a write that was lost, or overwritten by somebody else, is
// made again, less and less often where somebody keeps overwriting it. Several Pipelines are
// written at a time, each of them one write after the other, so that an answer that does not come
// keeps nobody else waiting. Server-side apply with the field manager "promotiond"; where the
// object has fields of the wrong types, a merge that replaces all of the status. Readiness part
// "status": names an object whose status is refused.
//
// Metrics: promotiond_status_writes_total{result}.
//
// Thread-safety: all functions from any thread; none blocks. Lifetime: client, clock and metrics
// outlive it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "platform/kube_client.hpp"
#include "platform/kube_object.hpp"
#include "platform/pipeline_status.hpp"
#include "platform/platform.hpp"
#include "platform/status_dispute.hpp"

namespace promotiond::platform {

struct KubernetesStatusOptions {
    StatusView view = {};
    std::size_t at_once = 4;                     // writes under way at a time, a thread each
    std::chrono::milliseconds pause_first{500};  // after a failed write; doubles
    std::chrono::milliseconds pause_most{60'000};
    DisputePace dispute = {};
    // Asked right before each write: false leaves it for later, or to another daemon that leads by
    // then. Absent = always.
    std::function<bool()> may_write = {};
    // Called after a write that said something new, on threads of this: for one Pipeline never
    // twice at once.
    std::function<void(const PipelineState& state)> written = {};
};

class KubernetesStatus final {
public:
    KubernetesStatus(KubeClient& client, const Clock& clock, Metrics& metrics,
                     KubernetesStatusOptions options = {});
    ~KubernetesStatus();
    KubernetesStatus(const KubernetesStatus&) = delete;
    KubernetesStatus& operator=(const KubernetesStatus&) = delete;

    // How the Pipeline stands now.
    void stands(const PipelineState& state);
    // The object as the API server has it; before the first, nothing is written. One that is older
    // than what was written meanwhile is passed over. fault: why it cannot be read as a Pipeline;
    // then that is what its status says, whatever stands() told of its last good version.
    void found(const KubeObject& object, const std::string& fault = {});
    void gone(const model::PipelineName& name);

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
