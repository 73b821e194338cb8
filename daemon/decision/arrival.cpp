#include "decision/arrival.hpp"

#include <algorithm>

#include "decision/reach.hpp"

namespace promotiond::decision {
namespace {

using model::Environment;
using model::Evidence;
using model::History;
using model::Phase;
using model::Promotion;
using model::Target;

// Of each target of the scope; null where nothing is known.
std::vector<const Evidence*> evidence_of(const Environment& environment, const std::string& target,
                                         const History& history) {
    std::vector<const Evidence*> found;
    for (const Target& each : environment.targets) {
        if (!target.empty() && each.text() != target) continue;
        const auto held = history.running.find({environment.name, each.text()});
        found.push_back(held == history.running.end() ? nullptr : &held->second);
    }
    return found;
}

// True if the last promotion before this one that came there, or will, brings the same revision:
// then what runs there now is no leftover that is about to go.
bool nothing_else_on_its_way(const std::vector<Promotion>& promotions, const Promotion& waiting) {
    const Promotion* last = nullptr;
    for (const Promotion& each : promotions) {
        if (each.id == waiting.id) break;
        if (model::unfinished(each.phase) || each.phase == Phase::Succeeded) last = &each;
    }
    return last == nullptr || last->revision == waiting.revision;
}

// True if the revision, which runs there, is about to go: another one is on its way, or came last
// and is not seen there yet. evidence: of all targets of the promotions' scope.
bool is_going(const std::vector<Promotion>& promotions,
              const std::vector<const Evidence*>& evidence, const std::string& revision) {
    const auto brings_it = [&](const Promotion& each) { return each.revision == revision; };
    const auto last = std::find_if(promotions.rbegin(), promotions.rend(),
                                   [](const auto& each) { return each.phase == Phase::Succeeded; });
    if (last != promotions.rend() && !brings_it(*last)) {
        if (std::any_of(last, promotions.rend(), brings_it)) return true;
        for (const Evidence* each : evidence) {
            if (each->seen < last->updated) return true;
        }
    }
    return std::any_of(promotions.begin(), promotions.end(), [&](const Promotion& each) {
        return model::unfinished(each.phase) && !brings_it(each);
    });
}

bool has_arrived(const Environment& environment, const History& known,
                 const std::vector<Promotion>& promotions, const Promotion& waiting) {
    const auto& target = waiting.scope.target;
    if (!runs_in(environment, target, known, waiting.revision)) return false;
    if (nothing_else_on_its_way(promotions, waiting)) return true;
    const auto evidence = evidence_of(environment, target, known);
    return std::all_of(evidence.begin(), evidence.end(),
                       [&](const Evidence* each) { return each->seen >= waiting.created; });
}

}  // namespace

bool runs_in(const Environment& environment, const std::string& target, const History& history,
             const std::string& revision) {
    const auto evidence = evidence_of(environment, target, history);
    return !evidence.empty() &&
           std::all_of(evidence.begin(), evidence.end(), [&](const auto* each) {
               return each != nullptr && each->revision == revision;
           });
}

bool ran_in(const Environment& environment, const std::string& target, const History& history,
            const std::string& revision, WallTime before) {
    const auto evidence = evidence_of(environment, target, history);
    return runs_in(environment, target, history, revision) &&
           std::all_of(evidence.begin(), evidence.end(), [&](const Evidence* each) {
               return each->previous_revision.empty() || each->seen < before;
           });
}

bool runs_to_stay(const Environment& environment, const std::string& target, const History& history,
                  const std::string& revision) {
    if (!runs_in(environment, target, history, revision)) return false;
    return std::none_of(history.promotions.begin(), history.promotions.end(),
                        [&](const auto& entry) {
                            const auto& [place, promotions] = entry;
                            if (place.first != environment.name) return false;
                            if (!target.empty() && place.second != target) return false;
                            const auto evidence = evidence_of(environment, place.second, history);
                            return !evidence.empty() && is_going(promotions, evidence, revision);
                        });
}

void add_arrivals(const Environment& environment, const History& history, Decision& decision) {
    const History known = known_with(environment, history, decision.evidence);
    for (const auto& [place, promotions] : history.promotions) {
        if (place.first != environment.name) continue;
        for (const Promotion& each : promotions) {
            if (each.phase != Phase::AwaitingApproval) continue;
            if (!has_arrived(environment, known, promotions, each)) continue;
            const std::string where =
                place.second.empty() ? "all targets of " + environment.name : place.second;
            const std::string reason =
                each.revision + " runs in " + where + " already; nothing is left to approve";
            decision.arrived.push_back({each.id, reason});
            decision.reasons.push_back({"already-there", reason});
        }
    }
}

}  // namespace promotiond::decision
