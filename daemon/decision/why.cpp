// Plain words on what each environment is waiting for, from the same rules as decide().
#include <algorithm>
#include <set>

#include "decision/decide.hpp"
#include "decision/reach.hpp"
#include "model/codec.hpp"
#include "model/release.hpp"

namespace promotiond::decision {

namespace {

using model::Environment;
using model::History;
using model::Phase;
using model::Pipeline;
using model::Promotion;

// One thing to say of an environment; the one that weighs most makes the headline.
struct Finding {
    int weight = 0;
    Reason reason;
    std::string unblock;
    std::optional<WallTime> since;
};

std::string command(const Pipeline& pipeline, const std::string& verb, const std::string& rest) {
    return "promotionctl " + verb + " " + pipeline.id.text() + " " + rest;
}

Finding about_queued(const Promotion& promotion, const std::string& what, WallTime now) {
    const bool put_off = promotion.not_before > promotion.updated;
    if (promotion.not_before <= now && put_off) {
        return {60,
                {"waiting-for-retry", what + " did not succeed yet (" + promotion.reason +
                                          ") and is about to be tried again"},
                "mend what the reason names",
                promotion.updated};
    }
    if (promotion.not_before <= now) {
        return {40, {"queued", what + " is about to be carried out"}, "", promotion.updated};
    }
    return {60,
            {"waiting-for-retry", what + " did not succeed yet (" + promotion.reason +
                                      ") and will be tried again at " +
                                      model::time_to_text(promotion.not_before)},
            "mend what the reason names, or: promotionctl retry " + promotion.id,
            promotion.updated};
}

Finding about_pending(const Promotion& promotion, const std::string& what) {
    const bool has_place = !promotion.location.empty();
    return {70,
            {"waiting-for-merge",
             what + " waits to be merged" + (has_place ? ": " + promotion.location : "") +
                 (promotion.summary.empty() ? "" : " (" + promotion.summary + ")")},
            has_place ? "merge " + promotion.location : "merge it at the forge",
            promotion.updated};
}

// What somebody was asked to judge is not let go by an edit of the rule.
std::string manual_no_more(const Pipeline& pipeline, const std::string& environment) {
    const auto index = pipeline.index_of(environment);
    const auto* policy =
        index == Pipeline::npos ? nullptr : pipeline.policy_for(pipeline.environments[index]);
    if (policy == nullptr || policy->manual) return {};
    return ", though promotions to " + environment +
           " are not manual any more: that lets go newer revisions only";
}

Finding about_promotion(const Pipeline& pipeline, const Promotion& promotion, WallTime now) {
    const auto& [id, environment, target] = promotion.scope;
    const std::string place = target.empty() ? environment : environment + "/" + target;
    const std::string what = "the promotion of " + promotion.revision + " to " + place;
    const std::string retry = "promotionctl retry " + promotion.id;
    switch (promotion.phase) {
        case Phase::AwaitingApproval:
            return {80,
                    {"waiting-for-approval",
                     what + " waits for an approval" + manual_no_more(pipeline, environment)},
                    command(pipeline, "approve", environment + " " + promotion.revision),
                    promotion.created};
        case Phase::Queued: return about_queued(promotion, what, now);
        case Phase::Running:
            return {40, {"running", what + " is being carried out"}, "", promotion.updated};
        case Phase::Pending: return about_pending(promotion, what);
        case Phase::Failed:
            return {90,
                    {"failed", what + " failed: " + promotion.reason},
                    "mend the cause, then: " + retry,
                    promotion.updated};
        case Phase::Cancelled:
            return {50,
                    {"cancelled", what + " was cancelled"},
                    "a newer revision, or: " + retry,
                    promotion.updated};
        case Phase::Superseded:  // by no newer one: see Decision::arrived
            return {10,
                    {"already-there", what + " was settled without it: " + promotion.reason},
                    "",
                    promotion.updated};
        case Phase::Succeeded: break;
    }
    return {
        10, {"promoted", promotion.revision + " was promoted to " + place}, "", promotion.updated};
}

// Older promotions that are not over, though the newest is another.
void find_what_stands_open(const std::vector<Promotion>& promotions, WallTime now,
                           const Pipeline& pipeline, std::vector<Finding>& findings) {
    for (const Promotion& promotion : promotions) {
        if (promotion.id == promotions.back().id || !model::unfinished(promotion.phase)) continue;
        Finding finding = about_promotion(pipeline, promotion, now);
        finding.weight = 20;
        if (promotion.phase == Phase::Pending) {
            finding.reason.code = "stands-open";
            finding.reason.text += "; it still stands open, and merged now it brings " +
                                   promotion.revision + ", not " + promotions.back().revision;
            finding.unblock += ", or close it";
        }
        findings.push_back(std::move(finding));
    }
}

void find_what_runs(const Environment& environment, const History& history,
                    std::vector<Finding>& findings) {
    for (const model::Target& target : environment.targets) {
        const auto held = history.running.find({environment.name, target.text()});
        if (held == history.running.end()) continue;
        findings.push_back({0,
                            {"runs", target.text() + " runs " + held->second.revision + " since " +
                                         model::time_to_text(held->second.event_time)},
                            "",
                            held->second.event_time});
    }
}

// The newest evidence of the source for every revision it runs.
std::vector<const model::Evidence*> revisions_in(const Environment& source,
                                                 const History& history) {
    std::vector<const model::Evidence*> found;
    for (const model::Target& target : source.targets) {
        const auto held = history.running.find({source.name, target.text()});
        if (held != history.running.end()) found.push_back(&held->second);
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const auto* a, const auto* b) { return a->event_time > b->event_time; });
    std::set<std::string> seen;
    std::erase_if(
        found, [&seen](const auto* evidence) { return !seen.insert(evidence->revision).second; });
    return found;
}

bool was_promoted(const Environment& into, const History& history, const std::string& revision) {
    return std::any_of(
        history.promotions.begin(), history.promotions.end(), [&](const auto& entry) {
            return entry.first.first == into.name &&
                   std::any_of(entry.second.begin(), entry.second.end(),
                               [&](const Promotion& p) { return p.revision == revision; });
        });
}

// Events that leave the cluster open are held: see decide().
std::string name_clusters(const Environment& source) {
    std::set<std::string> namespaces;
    for (const model::Target& target : source.targets) namespaces.insert(target.ns);
    const bool shared = namespaces.size() < source.targets.size();
    return shared && needed_targets(source) > 1 ? std::string("; ") + kNameTheCluster : "";
}

void find_missing_evidence(const Pipeline& pipeline, const Environment& source,
                           const Environment& into, const History& history,
                           std::vector<Finding>& findings) {
    const auto revisions = revisions_in(source, history);
    if (revisions.empty() && model::takes_releases(pipeline)) {
        const bool first = source.name == model::kReleaseEnvironment;
        findings.push_back(
            {30,
             {"waiting-for-evidence", first ? "no image was released yet"
                                            : "nothing was merged into " + source.name + " yet"},
             first ? "push an image, and tell POST /api/v1/releases of its tag"
                   : "merge the pull request into " + source.name,
             std::nullopt});
        return;
    }
    if (revisions.empty()) {
        findings.push_back(
            {30,
             {"waiting-for-evidence",
              "no target of " + source.name + " has reported that it runs a revision"},
             "deploy to " + source.name + "; its Flux Provider must post to /promotion/" +
                 pipeline.id.text() + "/" + source.name + name_clusters(source),
             std::nullopt});
        return;
    }
    for (const model::Evidence* evidence : revisions) {
        const Reach reach = reach_of(source, history, evidence->revision);
        if (reach.enough() || was_promoted(into, history, evidence->revision)) continue;
        findings.push_back({55,
                            {"waiting-for-targets", waiting_text(source, reach)},
                            "deploy " + evidence->revision + " to " + joined(reach.missing) +
                                name_clusters(source),
                            evidence->event_time});
    }
}

std::vector<Finding> findings_on(const Pipeline& pipeline, std::size_t index,
                                 const History& history, WallTime now) {
    const Environment& environment = pipeline.environments[index];
    std::vector<Finding> findings;
    find_what_runs(environment, history, findings);
    if (index == 0) return findings;
    const Environment& source = pipeline.environments[index - 1];
    if (environment.targets.empty()) {
        findings.push_back({100,
                            {"no-targets", "environment " + environment.name + " has no targets"},
                            "add targets to the environment",
                            std::nullopt});
    } else if (const auto complaint = missing_strategy(pipeline, environment)) {
        findings.push_back({100, {"no-strategy", *complaint}, "name a strategy", std::nullopt});
    }
    for (const auto& [place, promotions] : history.promotions) {
        if (place.first != environment.name || promotions.empty()) continue;
        findings.push_back(about_promotion(pipeline, promotions.back(), now));
        find_what_stands_open(promotions, now, pipeline, findings);
    }
    find_missing_evidence(pipeline, source, environment, history, findings);
    return findings;
}

}  // namespace

std::vector<Why> why(const Pipeline& pipeline, const History& history, WallTime now) {
    std::vector<Why> answers;
    for (std::size_t i = 0; i < pipeline.environments.size(); ++i) {
        auto findings = findings_on(pipeline, i, history, now);
        std::stable_sort(findings.begin(), findings.end(),
                         [](const Finding& a, const Finding& b) { return a.weight > b.weight; });
        Why answer;
        answer.environment = pipeline.environments[i].name;
        for (const Finding& finding : findings) answer.reasons.push_back(finding.reason);
        if (i == 0) {
            answer.headline =
                answer.environment + " is the first environment: nothing is promoted into it";
            if (findings.empty()) answer.headline += ", and none of its targets has reported yet";
        } else if (!findings.empty()) {
            answer.headline = findings.front().reason.text;
            answer.unblock = findings.front().unblock;
        }
        if (!findings.empty()) answer.since = findings.front().since;
        answers.push_back(std::move(answer));
    }
    return answers;
}

}  // namespace promotiond::decision
