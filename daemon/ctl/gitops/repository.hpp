// repository: the GitOps repository of one command: the checkout it was called in, the origin of
// that, and the forge where the origin lives.
#pragma once

#include <promotiond/gitops/checkout.hpp>
#include <promotiond/gitops/commit_lookup.hpp>
#include <promotiond/gitops/mirror.hpp>
#include <promotiond/gitops/pull_request.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "ctl/gitops/options.hpp"

namespace promotiond::ctl::gitops {

using sdk::gitops::ObjectId;

struct Repository {
    sdk::Call& call;
    sdk::gitops::Checkout checkout;
    std::unique_ptr<sdk::gitops::Mirror> mirror;  // of the origin, with what the checkout has
    std::unique_ptr<sdk::gitops::Forge> forge;
    sdk::gitops::CommitLookup& commits;  // the forge's other side
    std::string base;                    // the default branch
};

// Errors in gitops-promotion's words: "unknown provider type: <x>", "remoteURL empty", "token
// empty"; and what git and the forge say. `call` must outlive the repository.
[[nodiscard]] Result<Repository> open_repository(
    sdk::Call& call, const Options& options,
    const std::function<std::optional<std::string>(const char*)>& variable);

}  // namespace promotiond::ctl::gitops
