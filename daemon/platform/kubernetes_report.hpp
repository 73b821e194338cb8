// KubernetesReport: tells the API server what became of Pipelines: their objects' status, and
// Events about them, which are handed on to Flux where it is configured.
//
// Each step of a promotion is told once, over restarts as well: a step that the process before may
// not have told any more is told again, under the same name, of which the API server takes one.
//
// Thread-safety: all functions from any thread; none blocks. Lifetime: client, clock, metrics and
// what the options name outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "platform/kubernetes_events.hpp"
#include "platform/kubernetes_status.hpp"
#include "platform/platform.hpp"

namespace promotiond::platform {

struct KubernetesReportOptions {
    StatusView view = {};
    std::string instance = {};             // host or pod name, as Events name it
    FluxEvents* flux = nullptr;            // null: nothing is handed on
    std::function<bool()> may_write = {};  // as KubernetesStatusOptions
};

class KubernetesReport final : public StatusSink {
public:
    KubernetesReport(KubeClient& client, const Clock& clock, Metrics& metrics,
                     KubernetesReportOptions options);

    // Steps that are durable and may have been told or not; they are told when their Pipeline is
    // known to be there. Before the first stepped().
    using Steps = std::vector<std::pair<model::Promotion, model::Transition>>;
    void resume(Steps recent);

    void stepped(const model::Promotion& promotion, const model::Transition& step) override;
    void stands(const PipelineState& state) override;

    // The object as the API server has it now, with why it cannot be read as a Pipeline (empty: it
    // can), or that it is gone.
    void found(const KubeObject& object, const std::string& fault);
    void gone(const KubeName& name);

private:
    // What Events need to know of a Pipeline.
    struct Subject {
        bool known = false;  // stands() told of it
        std::string uid;
        std::string resource_version;
        std::map<std::pair<std::string, std::string>, std::string> errors;  // by target; not empty
    };

    void tell_step(const EventSubject& about, const model::Promotion& promotion,
                   const model::Transition& step, bool again);
    void tell_sights(const PipelineState& state);
    [[nodiscard]] EventSubject subject_of(const model::PipelineName& name);

    const Clock& clock_;
    const std::string instance_;
    FluxEvents* const flux_;
    KubernetesEvents events_;
    std::mutex mutex_;
    std::map<model::PipelineName, Subject> subjects_;
    std::map<model::PipelineName, Steps> recent_;
    KubernetesStatus status_;  // last: its thread tells events
};

}  // namespace promotiond::platform
