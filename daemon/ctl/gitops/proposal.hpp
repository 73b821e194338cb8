// proposal: a change as a pull request into the default branch, found again or opened: the one
// routine of new, promote, feature and feature-stale.
#pragma once

#include <promotiond/gitops/mirror.hpp>
#include <promotiond/gitops/pull_request.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ctl/gitops/progress.hpp"
#include "ctl/gitops/repository.hpp"

namespace promotiond::ctl::gitops {

struct Proposal {
    std::string branch;
    sdk::gitops::PullRequestText text;  // the title is the commit's message, too
    bool merges_itself = false;
    // What is to change on top of this commit of the default branch; nothing: no request is made.
    std::function<Result<std::vector<sdk::gitops::FileChange>>(const ObjectId& base)> changes;
};

// The success message; none = there was nothing to change.
// What passes is tried again (see Patience). Conflict: somebody else changes the branch all the
// time. Invalid: "could not set auto-merge on PR #<n> ...", after which the request stays open; and
// what git and the forge say.
[[nodiscard]] Result<std::optional<std::string>> propose(const Repository& repository,
                                                         const Proposal& proposal,
                                                         const Progress& progress);

}  // namespace promotiond::ctl::gitops
