// Which parts of the daemon's readiness are GitOps repositories.
#pragma once

#include <string_view>

namespace promotiond::model {

// What their names begin with. Degraded: the repository has never been read, so that nobody knows
// its applications; the reason says why.
inline constexpr std::string_view kRepositoryPart = "gitops ";

}  // namespace promotiond::model
