// follow: all that a pull-request strategy does at a look at a request that is open.
//
//   observe() -> Rebuild, where the branches conflict -> MergeGate
//
// One thread.
#ifndef PROMOTIOND_GITOPS_FOLLOW_HPP
#define PROMOTIOND_GITOPS_FOLLOW_HPP

#include <string_view>

#include "merge_gate.hpp"
#include "pull_request.hpp"

namespace promotiond::sdk::inline v1::gitops {

// external_id and details are those of the last answer. A mirror is opened only for what needs one,
// and once. `forge` and `commits` are of the same repository, which may be one object.
[[nodiscard]] Outcome follow(const Promotion& promotion, std::string_view external_id,
                             std::string_view details, Call& call, const PullRequestConfig& config,
                             Forge& forge, CommitLookup& commits, MirroredBase::Open open);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
