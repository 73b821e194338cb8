// decide(): is the next environment due? A pure function of Pipeline, History, signal and time; it
// does no I/O, reads no clock and logs nothing. Its reasons are what people are shown under "why".
//
// Not here: writing the decision down (journal), carrying it out (dispatcher), checking signatures
// (http).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/history.hpp"
#include "model/observation.hpp"
#include "model/pipeline.hpp"

namespace promotiond::decision {

enum class Verdict {
    Promote,  // at least one promotion is due
    Hold,     // the evidence counts, but something is still missing
    Ignore,   // the event says nothing that could promote
};

[[nodiscard]] std::string_view name_of(Verdict verdict);

// Words a program can test and a sentence for people.
struct Reason {
    std::string code;  // e.g. "runs-successfully", "same-evidence", "waiting-for-targets"; listed
                       // in decision/README.md
    std::string text;
};

// A promotion that the decision asks for.
struct Due {
    model::Promotion promotion;  // id, scope, revision, phase (Queued or AwaitingApproval), reason,
                                 // strategy filled in
    std::vector<model::PromotionId>
        supersedes;  // unfinished promotions of the same scope: it takes their place, at the
                     // latest when it has been carried out
};

// A promotion that waited for its approval while its revision came there by other means.
struct Arrival {
    model::PromotionId id;  // to move from AwaitingApproval to Superseded
    std::string reason;
};

struct Decision {
    Verdict verdict = Verdict::Ignore;
    std::vector<Reason> reasons;  // never empty
    std::vector<model::Evidence>
        evidence;  // to be remembered, whatever the verdict; empty if nothing new
    std::vector<Due> due;
    // Promotions that already carry this revision to the next environment: the answer to a repeated
    // event.
    std::vector<model::PromotionId> existing;
    std::vector<Arrival> arrived;  // into the environment that the evidence is of
};

// Errors, all ErrorKind::Invalid, with the texts that pipeline-controller's clients know (unknown
// environment, last environment, no targets, foreign object). NotFound is not used here.
[[nodiscard]] Result<Decision> decide(const model::Pipeline& pipeline,
                                      const model::History& history,
                                      const model::ReceivedEvent& event, WallTime now);

// The same on what was seen. What it brings is the same as an event of that target would, except
// that a next environment which runs the revision everywhere already needs no promotion, and that
// what the last environment runs is remembered. Invalid: the Pipeline has no such target.
[[nodiscard]] Result<Decision> decide(const model::Pipeline& pipeline,
                                      const model::History& history, const model::Observation& seen,
                                      WallTime now);

// An approval of exactly this revision for an environment (and target, if per target; empty = every
// waiting one).
struct Approval {
    std::string environment;
    std::string target;
    std::string revision;
    std::string actor;
};
struct Approved {
    std::vector<model::PromotionId> promotions;  // to move from AwaitingApproval to Queued
    // The newest of their scope, and either let go by an earlier approval of this revision, or
    // there without one: the answer to an approval that comes again, or too late.
    std::vector<model::PromotionId> existing;
    std::vector<Reason> reasons;
};
// Invalid, "failed approving promotion", when nothing waits for that revision and nothing current
// was approved at it; check_target()'s error when nothing can, since there is no such target.
[[nodiscard]] Result<Approved> decide(const model::Pipeline& pipeline,
                                      const model::History& history, const Approval& approval);

// Invalid, with the environment's targets, if it has none of this name. Empty = all of them.
[[nodiscard]] Result<void> check_target(const model::Environment& environment,
                                        const std::string& target);

// Plain words on what an environment is waiting for.
struct Why {
    std::string environment;
    std::string headline;         // one sentence
    std::vector<Reason> reasons;  // what holds it, in order of importance
    std::optional<WallTime> since;
    std::string unblock;  // what would change it; empty if nothing is held
};
[[nodiscard]] std::vector<Why> why(const model::Pipeline& pipeline, const model::History& history,
                                   WallTime now);

}  // namespace promotiond::decision
