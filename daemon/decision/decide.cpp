#include "decision/decide.hpp"

#include <algorithm>

#include "decision/arrival.hpp"
#include "decision/classify.hpp"
#include "decision/reach.hpp"
#include "decision/scopes.hpp"
#include "model/codec.hpp"

namespace promotiond::decision {

namespace {

using model::Environment;
using model::Evidence;
using model::History;
using model::Pipeline;
using model::Promotion;
using model::ReceivedEvent;
using model::Target;

Error invalid(std::string message) { return {ErrorKind::Invalid, std::move(message)}; }

constexpr const char* kForeignObject = "involved object does not match Pipeline definition";

// The four answers that pipeline-controller's clients know, in its order.
Result<const Environment*> next_environment(const Pipeline& pipeline, const std::string& from) {
    if (!pipeline.environments.empty() && pipeline.environments.back().name == from) {
        return invalid("cannot promote beyond last environment " + from);
    }
    const std::size_t index = pipeline.index_of(from);
    if (index == Pipeline::npos) {
        return invalid("app " + pipeline.id.text() + " has no environment " + from + " defined");
    }
    const Environment& next = pipeline.environments[index + 1];
    if (next.targets.empty()) return invalid("environment " + next.name + " has no targets");
    return &next;
}

bool is_application(const model::AppRef& app, const model::InvolvedObject& object) {
    const model::AppRef other{object.api_version, object.kind, object.name};
    const bool same_group = app.api_version.empty() || app.group() == other.group();
    return same_group && app.kind == object.kind && app.name == object.name;
}

std::string metadata(const model::Event& event, const char* key) {
    const auto found = event.metadata.find(key);
    return found == event.metadata.end() ? std::string() : found->second;
}

bool is_named(const Target& target, const std::string& name) {
    return !name.empty() &&
           (target.text() == name || (target.cluster && target.cluster->name == name));
}

bool names_any_target(const Pipeline& pipeline, const std::string& name) {
    return std::any_of(pipeline.environments.begin(), pipeline.environments.end(),
                       [&name](const Environment& environment) {
                           return std::any_of(
                               environment.targets.begin(), environment.targets.end(),
                               [&name](const Target& target) { return is_named(target, name); });
                       });
}

// The targets of the environment that the event can be about.
struct Reporting {
    std::vector<std::string> targets;
    bool named = false;  // the event's metadata says which
};

// The metadata may say which target reports (an Alert's eventMetadata `target` or `cluster`); a
// name that no target of the Pipeline has is somebody else's label and says nothing.
Result<Reporting> reporting_targets(const Pipeline& pipeline, const Environment& from,
                                    const model::Event& event) {
    std::vector<std::string> all;
    std::vector<std::string> named;
    std::string name = metadata(event, "target");
    if (name.empty()) name = metadata(event, "cluster");
    for (const Target& target : from.targets) {
        if (target.ns != event.object.ns) continue;
        all.push_back(target.text());
        if (is_named(target, name)) named.push_back(target.text());
    }
    if (all.empty()) return invalid(kForeignObject);
    if (!named.empty()) return Reporting{std::move(named), true};
    if (!name.empty() && names_any_target(pipeline, name)) return invalid(kForeignObject);
    return Reporting{std::move(all), false};
}

// One event would stand for several targets that `when` counts one by one.
Decision held_for_cluster(const Environment& from, const model::Event& event,
                          const std::vector<std::string>& targets) {
    Decision decision;
    decision.verdict = Verdict::Hold;
    decision.reasons.push_back({"unknown-cluster", "the event does not say which cluster runs " +
                                                       event.revision + ": targets " +
                                                       joined(targets) + " of " + from.name +
                                                       " share the namespace " + event.object.ns +
                                                       "; " + kNameTheCluster});
    return decision;
}

// What the event adds to what is known.
struct News {
    std::vector<Evidence> evidence;
    bool moved = false;      // a target runs another revision than was known
    bool all_older = true;   // every target is known to have run something else since
    std::string older_than;  // revision known since
};

News news_of(const History& history, const ReceivedEvent& event,
             const std::vector<std::string>& targets, WallTime now) {
    News news;
    // A sender's clock that is ahead must not make everything after it look old.
    const WallTime time = std::min(event.event.timestamp.value_or(now), now);
    for (const std::string& target : targets) {
        const auto held = history.running.find({event.environment, target});
        Evidence evidence{event.environment, target, event.event.revision, "", time, now,
                          event.digest};
        if (held != history.running.end()) {
            const Evidence& known = held->second;
            const bool same = known.revision == evidence.revision;
            if (!same && time < known.event_time) {
                news.older_than = known.revision;
                continue;
            }
            news.all_older = false;
            // Said again later, it is still newer than what another revision said in between.
            if (same && time <= known.event_time) continue;
            evidence.previous_revision = same ? known.previous_revision : known.revision;
            if (same) evidence.seen = known.seen;
            news.moved = news.moved || !same;
        } else {
            news.all_older = false;
            news.moved = true;
        }
        news.evidence.push_back(std::move(evidence));
    }
    return news;
}

Decision ignored(Reason reason) {
    Decision decision;
    decision.verdict = Verdict::Ignore;
    decision.reasons.push_back(std::move(reason));
    return decision;
}

}  // namespace

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::Promote: return "Promote";
        case Verdict::Hold: return "Hold";
        case Verdict::Ignore: return "Ignore";
    }
    return "Ignore";
}

Result<Decision> decide(const Pipeline& pipeline, const History& history,
                        const ReceivedEvent& event, WallTime now) {
    const auto next = next_environment(pipeline, event.environment);
    if (!next) return next.error();
    if (!is_application(pipeline.app, event.event.object)) return invalid(kForeignObject);
    const Environment& from = pipeline.environments[pipeline.index_of(event.environment)];
    const auto reporting = reporting_targets(pipeline, from, event.event);
    if (!reporting) return reporting.error();
    if (const auto complaint = missing_strategy(pipeline, **next)) {
        return Error{ErrorKind::Conflict, *complaint};
    }
    if (auto reason = why_no_evidence(event.event)) return ignored(std::move(*reason));
    const auto& targets = reporting->targets;
    if (!reporting->named && targets.size() > 1 && needed_targets(from) > 1) {
        return held_for_cluster(from, event.event, targets);
    }

    News news = news_of(history, event, targets, now);
    if (news.all_older) {
        return ignored({"older-than-known", "the event is older than what is known: " + from.name +
                                                " came to run " + news.older_than +
                                                " after it ran " + event.event.revision});
    }
    // Nobody is asked for what is there. Whatever else finds nothing to change.
    if (pipeline.policy_for(**next)->manual &&
        runs_to_stay(**next, "", history, event.event.revision)) {
        Decision decision =
            ignored({"already-runs", event.event.revision + " runs in all targets of " +
                                         (*next)->name + " already"});
        decision.evidence = std::move(news.evidence);
        add_arrivals(from, history, decision);
        return decision;
    }
    const std::string& controller = event.event.reporting_controller;
    Decision decision = conclude(
        pipeline, from, **next, history, std::move(news.evidence), news.moved,
        {event.environment, event.event.revision,
         controller.empty() ? "event" : "event:" + controller, model::event_to_json(event.event)},
        now);
    add_arrivals(from, history, decision);
    return decision;
}

}  // namespace promotiond::decision
