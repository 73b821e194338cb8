#include "platform/kubernetes_report.hpp"

#include <utility>
#include <vector>

namespace promotiond::platform {

using model::Sight;

KubernetesReport::KubernetesReport(KubeClient& client, const Clock& clock, Metrics& metrics,
                                   StatusView view, std::string instance)
    : clock_(clock),
      events_(client, clock, metrics, {.instance = std::move(instance)}),
      status_(client, clock, metrics,
              {.view = view, .written = [this](const PipelineState& state) {
                   const auto now = clock_.now().time_since_epoch().count();
                   events_.tell(state.name, state.pipeline->uid,
                                {.name = state.name.name + ".updated." + std::to_string(now),
                                 .reason = "Updated",
                                 .action = "Observe",
                                 .message = "Updated pipeline " + state.name.text()});
               }}) {}

void KubernetesReport::stepped(const model::Promotion& promotion, const model::Transition& step) {
    std::string uid;
    {
        const std::lock_guard held(mutex_);
        const auto found = subjects_.find(promotion.scope.pipeline);
        if (found == subjects_.end()) return;  // its Pipeline is gone
        uid = found->second.uid;
    }
    events_.tell(promotion.scope.pipeline, uid, event_of_step(promotion, step));
}

void KubernetesReport::stands(const PipelineState& state) {
    tell_sights(state);
    status_.stands(state);
}

// Once when a target goes out of sight, and again only for another reason.
void KubernetesReport::tell_sights(const PipelineState& state) {
    std::vector<PipelineEvent> events;
    {
        const std::lock_guard held(mutex_);
        if (state.pipeline == nullptr) {
            subjects_.erase(state.name);
            return;
        }
        Subject& subject = subjects_[state.name];
        subject.uid = state.pipeline->uid;
        if (state.observed == nullptr) return;
        for (const auto& [place, seen] : *state.observed) {
            if (seen.sight == Sight::Clear) {
                subject.errors.erase(place);
                continue;
            }
            auto& told = subject.errors[place];
            if (told == seen.error) continue;
            told = seen.error;
            events.push_back(event_of_sight(seen));
        }
    }
    for (auto& event : events) events_.tell(state.name, state.pipeline->uid, std::move(event));
}

void KubernetesReport::found(const KubeObject& object) { status_.found(object); }

void KubernetesReport::gone(const KubeName& name) { status_.gone({name.ns, name.name}); }

}  // namespace promotiond::platform
