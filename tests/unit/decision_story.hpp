// A Pipeline and its history for tests of the decision: events come in, decisions are taken into
// the history as the engine does.
#pragma once

#include <algorithm>

#include "catch.hpp"
#include "decision/decide.hpp"
#include "model/codec.hpp"

namespace promotiond::decision {

struct Story {
    model::Pipeline pipeline;
    model::History history;
    WallTime now{std::chrono::milliseconds{1'700'000'000'000}};

    // environments: YAML flow sequence; promotion: YAML flow mapping.
    explicit Story(const std::string& environments,
                   const std::string& promotion = "{notification: {}}") {
        auto read = model::pipelines_from_yaml(
            "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: "
            "app}\nspec:\n"
            "  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2beta1, kind: HelmRelease, name: app}\n"
            "  promotion: " +
                promotion + "\n  environments: " + environments + "\n",
            "story.yaml");
        if (!read) FAIL(read.error().message);
        pipeline = read->pipelines.front();
    }

    [[nodiscard]] model::ReceivedEvent event(const std::string& environment, const std::string& ns,
                                             const std::string& revision) const {
        model::ReceivedEvent received;
        received.pipeline = pipeline.id;
        received.environment = environment;
        received.event.object = {"helm.toolkit.fluxcd.io/v2", "HelmRelease", ns, "app"};
        received.event.severity = "info";
        received.event.reason = "UpgradeSucceeded";
        received.event.revision = revision;
        received.event.metadata["revision"] = revision;
        received.event.reporting_controller = "helm-controller";
        received.digest = environment + ns + revision;
        return received;
    }

    Decision tell(const model::ReceivedEvent& received) {
        now += std::chrono::seconds{1};
        return take(decide(pipeline, history, received, now));
    }
    Decision see(const std::string& environment, const std::string& target,
                 const std::string& revision, bool ready = true) {
        now += std::chrono::seconds{1};
        return take(decide(pipeline, history,
                           model::Observation{pipeline.id, environment, target,
                                              event(environment, target, revision).event.object,
                                              ready, revision, "", now},
                           now));
    }
    // The decision, which is history now.
    Decision take(const Result<Decision>& decision) {
        if (!decision) FAIL(decision.error().message);
        for (const auto& evidence : decision->evidence) {
            history.running[{evidence.environment, evidence.target}] = evidence;
        }
        for (const Arrival& arrival : decision->arrived) {
            for (auto& [place, promotions] : history.promotions) {
                for (auto& each : promotions) {
                    if (each.id != arrival.id) continue;
                    each.phase = model::Phase::Superseded;
                    each.reason = arrival.reason;
                }
            }
        }
        for (const Due& due : decision->due) {
            const auto& scope = due.promotion.scope;
            auto& promotions = history.promotions[{scope.environment, scope.target}];
            for (auto& other : promotions) {
                if (std::count(due.supersedes.begin(), due.supersedes.end(), other.id) > 0) {
                    other.phase = model::Phase::Superseded;
                }
            }
            promotions.push_back(due.promotion);
        }
        return *decision;
    }
    Decision tell(const std::string& environment, const std::string& ns,
                  const std::string& revision) {
        return tell(event(environment, ns, revision));
    }
    // Two clusters that run the application in one namespace.
    Decision tell_of(const std::string& environment, const std::string& cluster,
                     const std::string& revision) {
        auto received = event(environment, "app", revision);
        received.event.metadata["cluster"] = cluster;
        return tell(received);
    }
    [[nodiscard]] std::string error_of(const model::ReceivedEvent& received) const {
        const auto decision = decide(pipeline, history, received, now);
        return decision ? "no error" : decision.error().message;
    }
    void set_phase(const std::string& environment, model::Phase phase) {
        history.promotions.at({environment, ""}).back().phase = phase;
    }
};

inline bool has_code(const Decision& decision, const std::string& code) {
    return std::any_of(decision.reasons.begin(), decision.reasons.end(),
                       [&code](const Reason& reason) { return reason.code == code; });
}

}  // namespace promotiond::decision
