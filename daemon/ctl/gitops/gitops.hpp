// gitops: new, promote, status, feature and feature-stale: promotion of images in a repository with
// gitops-promotion.yaml, one step a run, without a daemon. Flags, names, messages and exit codes
// are those of XenitAB/gitops-promotion v1.4.0, which this takes the place of.
#pragma once

#include <string>
#include <vector>

#include "ctl/ctl.hpp"

namespace promotiond::ctl::gitops {

// `words` follow the command, which is_command(). The exit code: kOk, kFailed or kUsage.
[[nodiscard]] int run(const std::string& command, const std::vector<std::string>& words,
                      const Surroundings& surroundings);

}  // namespace promotiond::ctl::gitops
