#include "platform/kubernetes_report.hpp"

#include <utility>
#include <vector>

namespace promotiond::platform {

using model::Sight;

namespace {

KubernetesEventsOptions events_options(const KubernetesReportOptions& options) {
    KubernetesEventsOptions made;
    made.instance = options.instance;
    if (FluxEvents* const flux = options.flux)
        made.hand_on = [flux](std::string event) { flux->tell(std::move(event)); };
    return made;
}

}  // namespace

KubernetesReport::KubernetesReport(KubeClient& client, const Clock& clock, Metrics& metrics,
                                   KubernetesReportOptions options)
    : clock_(clock),
      instance_(options.instance),
      flux_(options.flux),
      events_(client, clock, metrics, events_options(options)),
      status_(client, clock, metrics,
              {.view = options.view,
               .may_write = std::move(options.may_write),
               .written = [this](const PipelineState& state) {
                   const auto now = clock_.now().time_since_epoch().count();
                   events_.tell(subject_of(state.name),
                                {.name = state.name.name + ".updated." + std::to_string(now),
                                 .reason = "Updated",
                                 .action = "Observe",
                                 .message = "Updated pipeline " + state.name.text()});
               }}) {}

void KubernetesReport::resume(Steps recent) {
    const std::lock_guard held(mutex_);
    for (auto& each : recent) recent_[each.first.scope.pipeline].push_back(std::move(each));
}

EventSubject KubernetesReport::subject_of(const model::PipelineName& name) {
    const std::lock_guard held(mutex_);
    const auto found = subjects_.find(name);
    if (found == subjects_.end()) return {name};
    return {name, found->second.uid, found->second.resource_version};
}

void KubernetesReport::stepped(const model::Promotion& promotion, const model::Transition& step) {
    const auto& name = promotion.scope.pipeline;
    {
        const std::lock_guard held(mutex_);
        const auto found = subjects_.find(name);
        if (found == subjects_.end() || !found->second.known) return;  // its Pipeline is gone
    }
    tell_step(subject_of(name), promotion, step, false);
}

void KubernetesReport::tell_step(const EventSubject& about, const model::Promotion& promotion,
                                 const model::Transition& step, bool again) {
    Onward onward{.again = again};
    // That strategy hands its promotions to Flux itself, and its users wait for nothing else.
    if (flux_ != nullptr && promotion.strategy != "notification")
        onward.text = flux_event(about, promotion, step, instance_);
    events_.tell(about, event_of_step(promotion, step), std::move(onward));
}

void KubernetesReport::stands(const PipelineState& state) {
    tell_sights(state);
    status_.stands(state);
}

// A target's once when it goes out of sight, and again only for another reason.
void KubernetesReport::tell_sights(const PipelineState& state) {
    std::vector<PipelineEvent> events;
    Steps recent;
    {
        const std::lock_guard held(mutex_);
        if (state.pipeline == nullptr) {
            subjects_.erase(state.name);
            return;
        }
        Subject& subject = subjects_[state.name];
        subject.known = true;
        subject.uid = state.pipeline->uid;
        if (auto found = recent_.extract(state.name)) recent = std::move(found.mapped());
        if (state.observed != nullptr) {
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
    }
    const auto about = subject_of(state.name);
    for (const auto& [promotion, step] : recent) tell_step(about, promotion, step, true);
    for (const auto& event : events) events_.tell(about, event);
}

void KubernetesReport::found(const KubeObject& object, const std::string& fault) {
    {
        const std::lock_guard held(mutex_);
        Subject& subject = subjects_[{object.name.ns, object.name.name}];
        subject.uid = object.uid;
        subject.resource_version = object.resource_version;
    }
    status_.found(object, fault);
}

void KubernetesReport::gone(const KubeName& name) {
    const model::PipelineName pipeline{name.ns, name.name};
    {
        const std::lock_guard held(mutex_);
        const auto found = subjects_.find(pipeline);
        if (found != subjects_.end() && !found->second.known) subjects_.erase(found);
    }
    status_.gone(pipeline);
}

}  // namespace promotiond::platform
