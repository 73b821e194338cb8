// MergeGate: holds the merge of a promotion's pull request back until Flux has said that the
// environment before it is reconciled, and shows on the request's commit how that stands, as the
// status promotiond/<group>-<environment>.
//
//   promote with held() -> open, without automatic merge -> look() after each answer:
//   statuses of the base commit, then of the base branch -> publish -> automatic merge, if asked
//   for
//
// Flux's word is looked for on the commit on which the request was built, and then on the base
// branch's head, as gitops-promotion does. A failure may become a success, so nothing is given up.
// A person can merge all the same, unless the forge requires the status.
//
// One thread; borrows what it is made with. Standard library only in this header.
#ifndef PROMOTIOND_GITOPS_MERGE_GATE_HPP
#define PROMOTIOND_GITOPS_MERGE_GATE_HPP

#include <functional>
#include <utility>

#include "commit_lookup.hpp"
#include "pull_request.hpp"

namespace promotiond::sdk::inline v1::gitops {

class MergeGate {
public:
    // Called only where the base branch's head has to be asked for.
    using HeadOf = std::function<Result<std::optional<ObjectId>>(const std::string& branch)>;
    MergeGate(const PullRequestConfig& config, Forge& forge, CommitLookup& commits, HeadOf head_of)
        : config_(config), forge_(forge), commits_(commits), head_of_(std::move(head_of)) {}

    // What to promote with: nothing merges by itself before the gate is open.
    [[nodiscard]] static PullRequestConfig held(PullRequestConfig config);

    // The answer of promote() or observe(), with what the gate has to say. Errors of the forge and
    // of git are no answers: the request stays, and the next look asks again.
    [[nodiscard]] Outcome look(Outcome answer, Call& call);

private:
    struct Seen;
    [[nodiscard]] Result<Seen> flux_says(const ObjectId& built_on, const std::string& base);
    [[nodiscard]] Result<void> let_go(std::uint64_t number, Call& call);

    const PullRequestConfig& config_;
    Forge& forge_;
    CommitLookup& commits_;
    HeadOf head_of_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
