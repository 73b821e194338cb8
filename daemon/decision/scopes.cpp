#include "decision/scopes.hpp"

#include <algorithm>

#include "decision/arrival.hpp"
#include "decision/reach.hpp"

namespace promotiond::decision {
namespace {

using model::Environment;
using model::Evidence;
using model::History;
using model::Pipeline;
using model::Promotion;
using model::Target;

// One scope of the next environment: what must happen there for this revision.
class ScopeDecision {
public:
    ScopeDecision(const Pipeline& pipeline, const Environment& next, const History& history,
                  const History& known, const Cause& cause, WallTime now)
        : pipeline_(pipeline),
          next_(next),
          history_(history),
          known_(known),
          cause_(cause),
          now_(now) {}

    void decide(const std::string& target, Decision& into) const {
        static const std::vector<Promotion> kNone;
        const auto found = history_.promotions.find({next_.name, target});
        const auto& promotions = found == history_.promotions.end() ? kNone : found->second;
        const std::string& revision = cause_.revision;
        const auto last = std::find_if(
            promotions.rbegin(), promotions.rend(),
            [&revision](const Promotion& other) { return other.revision == revision; });
        if (last == promotions.rend()) return first_time(target, promotions, into);
        if (last == promotions.rbegin()) {
            into.existing.push_back(last->id);
            into.reasons.push_back(
                {"already-promoted", revision + " is promoted to " + place(target) + " already: " +
                                         last->id + " is " + std::string(name_of(last->phase))});
            return;
        }
        if (moved_back_from(promotions.back())) {
            return add_due(target, promotions, last->ordinal + 1, into);
        }
        add_behind(target, promotions.back(), into);
    }

private:
    // It was never promoted there, and may have come by other means.
    void first_time(const std::string& target, const std::vector<Promotion>& promotions,
                    Decision& into) const {
        const std::string& revision = cause_.revision;
        if (runs_to_stay(next_, target, history_, revision)) {
            if (pipeline_.policy_for(next_)->manual) {
                into.reasons.push_back(
                    {"already-runs", revision + " runs in " + place(target) + " already"});
                return;
            }
        } else if (!promotions.empty() && !moved_back_from(promotions.back()) &&
                   ran_in(next_, target, history_, revision, promotions.back().created)) {
            return add_behind(target, promotions.back(), into);
        }
        add_due(target, promotions, 0, into);
    }

    void add_behind(const std::string& target, const Promotion& latest, Decision& into) const {
        const std::string& revision = cause_.revision;
        into.reasons.push_back(
            {"merely-behind", latest.revision + " came to " + place(target) + " after " + revision +
                                  "; a target that is merely behind does not bring " + revision +
                                  " back"});
    }

    [[nodiscard]] std::string place(const std::string& target) const {
        return target.empty() ? next_.name : next_.name + "/" + target;
    }

    // True if a target that runs the revision now ran the promoted one before, since it was
    // promoted: somebody put the application back, and the next environment follows.
    [[nodiscard]] bool moved_back_from(const Promotion& latest) const {
        return std::any_of(known_.running.begin(), known_.running.end(), [&](const auto& entry) {
            const Evidence& evidence = entry.second;
            return evidence.environment == cause_.environment &&
                   evidence.revision == cause_.revision &&
                   evidence.previous_revision == latest.revision && evidence.seen >= latest.created;
        });
    }

    void add_due(const std::string& target, const std::vector<Promotion>& earlier,
                 std::uint32_t ordinal, Decision& into) const {
        const model::PromotionPolicy& policy = *pipeline_.policy_for(next_);
        const std::string& revision = cause_.revision;
        Due due;
        Promotion& promotion = due.promotion;
        promotion.scope = {pipeline_.id, next_.name, target};
        promotion.revision = revision;
        promotion.ordinal = ordinal;
        promotion.id = model::promotion_id(promotion.scope, revision, ordinal);
        promotion.phase = policy.manual ? model::Phase::AwaitingApproval : model::Phase::Queued;
        promotion.reason = policy.manual ? "waits for an approval of " + revision
                                         : revision + " runs in " + cause_.environment;
        promotion.strategy = policy.strategy->key;
        promotion.actor = cause_.actor;
        promotion.event = cause_.event;
        promotion.created = promotion.updated = promotion.not_before = now_;
        promotion.previous_revision = model::last_promoted(earlier);
        for (const Promotion& other : earlier) {
            if (model::unfinished(other.phase)) due.supersedes.push_back(other.id);
        }
        add_reasons(target, due, into);
        into.due.push_back(std::move(due));
    }

    void add_reasons(const std::string& target, const Due& due, Decision& into) const {
        const Promotion& promotion = due.promotion;
        if (promotion.phase == model::Phase::AwaitingApproval) {
            into.reasons.push_back(
                {"awaiting-approval",
                 "promotions to " + place(target) + " are manual: approve " + promotion.revision});
        } else {
            into.reasons.push_back(
                {"due", promotion.revision + " is due in " + place(target) +
                            (promotion.ordinal > 0 ? ", again: a target went back to it" : "")});
        }
        for (const model::PromotionId& id : due.supersedes) {
            into.reasons.push_back(
                {"supersedes", "takes the place of " + id + ", which has not been merged yet"});
        }
    }

    const Pipeline& pipeline_;
    const Environment& next_;
    const History& history_;
    const History& known_;  // what runs, with the cause's news
    const Cause& cause_;
    WallTime now_;
};

}  // namespace

Decision conclude(const Pipeline& pipeline, const Environment& from, const Environment& next,
                  const History& history, std::vector<Evidence> evidence, bool moved,
                  const Cause& cause, WallTime now) {
    const History known = known_with(from, history, evidence);
    Decision decision;
    decision.evidence = std::move(evidence);
    const Reach reach = reach_of(from, known, cause.revision);
    decision.reasons.push_back({moved ? "runs-successfully" : "same-evidence",
                                cause.revision + (moved ? " runs in " : " was known to run in ") +
                                    joined(reach.running) + " of " + from.name});
    if (!reach.enough()) {
        decision.verdict = Verdict::Hold;
        decision.reasons.push_back({"waiting-for-targets", waiting_text(from, reach)});
        return decision;
    }
    const ScopeDecision scopes(pipeline, next, history, known, cause, now);
    if (pipeline.per_for(next) == model::Per::Environment) {
        scopes.decide("", decision);
    } else {
        for (const Target& target : next.targets) scopes.decide(target.text(), decision);
    }
    if (!decision.due.empty()) {
        decision.verdict = Verdict::Promote;
    } else {
        decision.verdict = decision.existing.empty() ? Verdict::Hold : Verdict::Ignore;
    }
    return decision;
}

}  // namespace promotiond::decision
