// KubernetesReport: tells the API server what became of Pipelines: their objects' status, and
// Events about them.
//
// Thread-safety: all functions from any thread; none blocks. Lifetime: client, clock and metrics
// outlive it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "platform/kubernetes_events.hpp"
#include "platform/kubernetes_status.hpp"
#include "platform/platform.hpp"

namespace promotiond::platform {

class KubernetesReport final : public StatusSink {
public:
    KubernetesReport(KubeClient& client, const Clock& clock, Metrics& metrics, StatusView view,
                     std::string instance);

    void stepped(const model::Promotion& promotion, const model::Transition& step) override;
    void stands(const PipelineState& state) override;

    // The object as the API server has it now, or that it is gone.
    void found(const KubeObject& object);
    void gone(const KubeName& name);

private:
    // What Events need to know of a Pipeline.
    struct Subject {
        std::string uid;
        std::map<std::pair<std::string, std::string>, std::string> errors;  // by target; not empty
    };

    void tell_sights(const PipelineState& state);

    const Clock& clock_;
    KubernetesEvents events_;
    std::mutex mutex_;
    std::map<model::PipelineName, Subject> subjects_;
    KubernetesStatus status_;  // last: its thread tells events
};

}  // namespace promotiond::platform
