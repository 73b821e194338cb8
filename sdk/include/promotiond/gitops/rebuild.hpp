// Rebuild: a promotion's pull request whose branches have come to conflict is built anew on the
// base as it is now: the same branch, the same request, the same revision.
//
// It conflicts when its base has changed next to the value that is promoted, as when another
// application's promotion was merged, whose value stands on the next line.
//
//   observe() -> look() after each answer: base fetched -> values set again -> automatic merge off,
//   if it is not asked for -> pushed in place of the commit that was seen -> text and options of
//   the request as they should be
//
// A branch onto which somebody else has pushed is left as it is, and the answer says so: what
// they did is not ours to throw away. It is not looked at again before its head is another one.
// Nothing is done twice: a branch that is on the newest base already waits for the forge to see it.
// Nothing is lost: a push whose answer never arrived is known again by its commit, and what the
// request could not be told after one is told at a later look.
//
// One thread; borrows what it is made with.
#ifndef PROMOTIOND_GITOPS_REBUILD_HPP
#define PROMOTIOND_GITOPS_REBUILD_HPP

#include <functional>
#include <utility>

#include "mirror.hpp"
#include "pull_request.hpp"

namespace promotiond::sdk::inline v1::gitops {

struct Prepared;

class Rebuild {
public:
    // Asked only when there is something to build; what it gives outlives this object.
    using MirrorOf = std::function<Result<Mirror*>()>;
    Rebuild(const Promotion& promotion, const PullRequestConfig& config, Forge& forge,
            MirrorOf mirror)
        : promotion_(promotion), config_(config), forge_(forge), mirror_(std::move(mirror)) {}

    // The answer of observe(), or what came of building it anew. Done: the base has the revision by
    // now, and the request was closed. Errors of the forge and of git are no answers: the request
    // stays, and the next look tries again.
    [[nodiscard]] Outcome look(Outcome answer, Call& call);

private:
    struct Standing;
    [[nodiscard]] Result<Outcome> build(Standing& standing, Call& call);
    [[nodiscard]] Result<void> stop_merge(Standing& standing, PullRequest& request);
    void tell(Standing& standing, PullRequest request, Call& call);
    [[nodiscard]] Result<Outcome> close(const PullRequest& request, const Prepared& prepared);

    const Promotion& promotion_;
    const PullRequestConfig& config_;
    Forge& forge_;
    MirrorOf mirror_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
