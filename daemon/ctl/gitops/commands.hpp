// commands: what each of the words does. Internal to ctl/gitops.
#pragma once

#include <promotiond/gitops/promotion_rules.hpp>
#include <promotiond/gitops/promotion_state.hpp>

#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "ctl/gitops/options.hpp"
#include "ctl/gitops/progress.hpp"
#include "ctl/gitops/proposal.hpp"
#include "ctl/gitops/repository.hpp"

namespace promotiond::ctl::gitops {

struct Work {
    const Options& options;
    const sdk::gitops::PromotionRules& rules;
    const Repository& repository;
    const Progress& progress;
    std::ostream& out;  // for what is told before the end
    // An environment variable, or nothing.
    const std::function<std::optional<std::string>(const char*)>& variable;
};

// Each returns the line to print.
[[nodiscard]] Result<std::string> start(const Work& work);  // new
[[nodiscard]] Result<std::string> promote(const Work& work);
[[nodiscard]] Result<std::string> status(const Work& work);
[[nodiscard]] Result<std::string> feature(const Work& work);
[[nodiscard]] Result<std::string> remove_stale_features(const Work& work);

// Sets the images of the state's application in its environment, and proposes that.
[[nodiscard]] Result<std::string> propose_images(const Work& work,
                                                 const sdk::gitops::PromotionState& state);

}  // namespace promotiond::ctl::gitops
