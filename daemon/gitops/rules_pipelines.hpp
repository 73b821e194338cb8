// A gitops-promotion.yaml as Pipelines: one for each application, `<ns>/<group>.<app>`, whose
// environments are `release` (the image registry) and then those of the file, and whose strategy
// is the pull-request strategy that everybody uses.
//
// Pure; any thread.
#pragma once

#include <promotiond/gitops/promotion_rules.hpp>

#include <string>

#include "gitops/repository.hpp"
#include "platform/platform.hpp"

namespace promotiond::gitops {

// Where problems of the repository's file are said to be: "<url> gitops-promotion.yaml".
[[nodiscard]] std::string place_of(const Repository& repository);

// With a problem for what cannot be a Pipeline; the rest is there all the same.
[[nodiscard]] platform::Pipelines pipelines_of(const Repository& repository,
                                               const sdk::gitops::PromotionRules& rules);

}  // namespace promotiond::gitops
