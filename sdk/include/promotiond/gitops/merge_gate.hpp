// MergeGate: holds the merge of a promotion's pull request back until Flux has said that the
// environment before it is reconciled with the very revision, and shows how that stands: on the
// request, as the status promotiond/<group>-<environment>, and as promotiond/gate, which requests
// that wait for nothing carry as well, so that a forge can require it of all.
//
//   promote with held() -> open, without automatic merge -> look() after each answer:
//   statuses of the base commit, then of the base branch -> publish -> automatic merge, if asked
//   for
//
// Flux's word is looked for on the commit on which the request was built, and then on the base
// branch's head: Flux reports on the newest commit only, which may mend what the older one broke.
// A success counts only of a commit where the environment before has the revision: it may have gone
// back meanwhile. A failure may become a success, so nothing is given up. A person can merge all
// the same, unless the forge requires the status.
//
// One thread; borrows what it is made with. Standard library only in this header.
#ifndef PROMOTIOND_GITOPS_MERGE_GATE_HPP
#define PROMOTIOND_GITOPS_MERGE_GATE_HPP

#include <functional>
#include <optional>
#include <utility>

#include "commit_lookup.hpp"
#include "mirror.hpp"
#include "pull_request.hpp"

namespace promotiond::sdk::inline v1::gitops {

// The branch that a request is to be merged into. Errors by kind as Mirror's.
class BaseBranch {
public:
    virtual ~BaseBranch() = default;
    // None: there is no such branch.
    [[nodiscard]] virtual Result<std::optional<ObjectId>> head(const std::string& branch) = 0;
    // True if the environment before has the revision on that commit of the branch.
    [[nodiscard]] virtual Result<bool> carries(const std::string& branch,
                                               const ObjectId& commit) = 0;
};

// In a mirror, which is opened when it is needed, and once. Without PromotedImage::from it is not
// known where the environment before is, and every commit carries the revision.
class MirroredBase final : public BaseBranch {
public:
    using Open = std::function<Result<Mirror>()>;
    MirroredBase(const Promotion& promotion, const PullRequestConfig& config, Open open)
        : promotion_(promotion), config_(config), open_(std::move(open)) {}
    // In one that is open, and outlives it.
    MirroredBase(const Promotion& promotion, const PullRequestConfig& config, Mirror& mirror)
        : promotion_(promotion), config_(config), mirror_(&mirror) {}

    [[nodiscard]] Result<std::optional<ObjectId>> head(const std::string& branch) override;
    [[nodiscard]] Result<bool> carries(const std::string& branch, const ObjectId& commit) override;
    // Opened if it is not yet; lives as long as this object.
    [[nodiscard]] Result<Mirror*> mirror();

private:
    const Promotion& promotion_;
    const PullRequestConfig& config_;
    Open open_;
    std::optional<Mirror> opened_;
    Mirror* mirror_ = nullptr;
};

class MergeGate {
public:
    MergeGate(const PullRequestConfig& config, Forge& forge, CommitLookup& commits,
              BaseBranch& base)
        : config_(config), forge_(forge), commits_(commits), base_(base) {}

    // What to promote with: nothing merges by itself before the gate is open.
    [[nodiscard]] static PullRequestConfig held(PullRequestConfig config);

    // The answer of promote() or observe(), with what the gate has to say. Errors of the forge and
    // of git are no answers: the request stays, and the next look asks again.
    [[nodiscard]] Outcome look(Outcome answer, Call& call);

private:
    struct Seen;
    [[nodiscard]] Result<Seen> flux_says(const ObjectId& built_on, const std::string& branch);
    [[nodiscard]] Result<void> show(std::uint64_t number, const ObjectId& commit,
                                    const StatusReport& report);
    [[nodiscard]] Result<void> let_go(std::uint64_t number, Call& call);

    const PullRequestConfig& config_;
    Forge& forge_;
    CommitLookup& commits_;
    BaseBranch& base_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
