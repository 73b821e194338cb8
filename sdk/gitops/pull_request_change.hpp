// One promotion's git work: everything up to the pushed branch.
#ifndef PROMOTIOND_GITOPS_PULL_REQUEST_CHANGE_HPP
#define PROMOTIOND_GITOPS_PULL_REQUEST_CHANGE_HPP

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "promotiond/gitops/manifest.hpp"
#include "promotiond/gitops/pull_request.hpp"

namespace promotiond::sdk::inline v1::gitops {

// What the base branch would become.
struct Prepared {
    std::string base;
    ObjectId base_head;
    // The base is as another call fetched it: good to push by, where the remote is asked again
    // before anything is sent, and no ground for any final answer.
    bool secondhand = false;
    std::vector<FileChange> changes;
    std::vector<std::string> changed;  // for people: "path:line: from x to y"
};

enum class MovedBase { Refused, Tolerated };

// One thread; the references must outlive it.
class Change {
public:
    Change(const Promotion& promotion, Call& call, const PullRequestConfig& config, Mirror& mirror)
        : promotion_(promotion), call_(call), config_(config), mirror_(mirror) {}

    // On the base as it is now.
    [[nodiscard]] Result<Prepared> prepare();
    // On the base as it was fetched a moment ago, without asking the remote; none where that would
    // not lead to a push.
    [[nodiscard]] std::optional<Prepared> prepare_secondhand();

    [[nodiscard]] Result<ObjectId> commit(const Prepared& prepared);
    // What a commit of the remote branch holds, if it is the very commit that this promotion makes
    // of its parent. The same files are not enough: somebody may have moved it over their own work,
    // or have put an empty commit on top of that.
    [[nodiscard]] Result<std::optional<Prepared>> made_as(const ObjectId& head);
    // Makes the remote branch hold the change, and returns its head; pushes only if it does not
    // yet. Conflict: somebody moved the branch, or the base where that is refused, or the branch is
    // not at `from`, if given; then nothing was sent.
    [[nodiscard]] Result<ObjectId> push(const Prepared& prepared, MovedBase moved_base,
                                        const std::optional<ObjectId>& from = {});

private:
    [[nodiscard]] Result<ObjectId> commit(const Prepared& prepared, std::chrono::sys_seconds when);
    [[nodiscard]] Result<void> edit(Prepared& prepared);
    [[nodiscard]] Result<void> edit_image(Prepared& prepared, const PromotedImage& image);
    [[nodiscard]] Result<bool> holds_already(const std::optional<ObjectId>& remote,
                                             const ObjectId& made, const Prepared& prepared,
                                             const std::string& branch);

    const Promotion& promotion_;
    Call& call_;
    const PullRequestConfig& config_;
    Mirror& mirror_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
