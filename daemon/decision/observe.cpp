// Decisions on what was seen rather than told. An observation is of one target, is true now, and
// comes again: at every start, and whenever the object changes in any way.
#include <algorithm>

#include "decision/arrival.hpp"
#include "decision/decide.hpp"
#include "decision/reach.hpp"
#include "decision/scopes.hpp"
#include "model/codec.hpp"

namespace promotiond::decision {
namespace {

using model::Environment;
using model::Evidence;
using model::History;
using model::Observation;
using model::Pipeline;
using model::Target;

Decision nothing(std::string code, std::string text) {
    Decision decision;
    decision.verdict = Verdict::Ignore;
    decision.reasons.push_back({std::move(code), std::move(text)});
    return decision;
}

std::vector<Evidence> news_of(const History& history, const Observation& seen) {
    const auto held = history.running.find({seen.environment, seen.target});
    Evidence evidence{seen.environment, seen.target, seen.revision, "", seen.seen, seen.seen, ""};
    if (held == history.running.end()) return {std::move(evidence)};
    if (held->second.revision == seen.revision) return {};
    evidence.previous_revision = held->second.revision;
    return {std::move(evidence)};
}

// The observation as the event it stands for, kept with the promotion.
std::string event_of(const Observation& seen) {
    model::Event event;
    event.object = seen.object;
    event.severity = "info";
    event.reason = "Observed";
    event.message = seen.object.kind + " " + seen.object.ns + "/" + seen.object.name + " of " +
                    seen.target + " runs " + seen.revision;
    event.revision = seen.revision;
    event.metadata = {{"target", seen.target}};
    event.timestamp = seen.seen;
    event.reporting_controller = "promotiond";
    return model::event_to_json(event);
}

// What follows for the next environment.
Decision onward(const Pipeline& pipeline, std::size_t index, const History& history,
                const Observation& seen, WallTime now) {
    std::vector<Evidence> news = news_of(history, seen);
    const bool moved = !news.empty();
    const auto remembered = [&](std::string code, std::string text) {
        Decision decision = nothing(std::move(code), std::move(text));
        decision.evidence = std::move(news);
        return decision;
    };
    if (index + 1 == pipeline.environments.size()) {
        return remembered("last-environment", seen.revision + " runs in " + seen.target + " of " +
                                                  seen.environment + ", the last environment");
    }
    const Environment& next = pipeline.environments[index + 1];
    if (next.targets.empty()) {
        return remembered("no-targets", "environment " + next.name + " has no targets");
    }
    if (auto complaint = missing_strategy(pipeline, next)) {
        return remembered("no-strategy", std::move(*complaint));
    }
    if (runs_to_stay(next, "", history, seen.revision)) {
        return remembered("already-runs",
                          seen.revision + " runs in all targets of " + next.name + " already");
    }
    return conclude(pipeline, pipeline.environments[index], next, history, std::move(news), moved,
                    {seen.environment, seen.revision, "observation", event_of(seen)}, now);
}

}  // namespace

Result<Decision> decide(const Pipeline& pipeline, const History& history, const Observation& seen,
                        WallTime now) {
    const std::size_t index = pipeline.index_of(seen.environment);
    const auto names = [&seen](const Target& target) { return target.text() == seen.target; };
    if (index == Pipeline::npos ||
        std::none_of(pipeline.environments[index].targets.begin(),
                     pipeline.environments[index].targets.end(), names)) {
        return Error{ErrorKind::Invalid, "app " + pipeline.id.text() + " has no target " +
                                             seen.target + " in " + seen.environment};
    }
    if (!seen.error.empty()) return nothing("unreadable", seen.target + ": " + seen.error);
    if (!seen.ready || seen.revision.empty()) {
        return nothing("not-ready", seen.target + " of " + seen.environment +
                                        " does not run its revision successfully now");
    }
    Decision decision = onward(pipeline, index, history, seen, now);
    add_arrivals(pipeline.environments[index], history, decision);
    return decision;
}

}  // namespace promotiond::decision
