// What a promotion by gitops-promotion's rules is called and how it is remembered: branch, title,
// and the state that travels in the pull request's description, from which the next environment's
// promotion is made. Forms as XenitAB/gitops-promotion v1.4.0 writes them, so that what it opened
// is understood, and what is opened here it understands.
//
// Pure; any thread. Standard library only in this header.
#ifndef PROMOTIOND_GITOPS_PROMOTION_STATE_HPP
#define PROMOTIOND_GITOPS_PROMOTION_STATE_HPP

#include <optional>
#include <string>
#include <string_view>

#include "../result.hpp"
#include "promotion_rules.hpp"

namespace promotiond::sdk::inline v1::gitops {

struct PromotionState {
    enum class Type { Promote, Feature };
    std::string group;
    std::string app;
    std::string tag;
    std::string env;      // it promotes into
    std::string sha;      // whose statuses tell how the environment before it fares
    std::string feature;  // name, of features only
    Type type = Type::Promote;

    bool operator==(const PromotionState&) const = default;
};

// promote/<group>-<app>, promote/<env>/<group>-<app>; feature/... with -<feature> at the end.
[[nodiscard]] std::string branch_of(const PromotionState& state, BranchPer per);
// "Promote <group>/<app> version <tag> to environment <env>"; also the commit's message.
[[nodiscard]] std::string title_of(const PromotionState& state);
// The pull request's description: the state as JSON in a comment, and three lines for people.
[[nodiscard]] std::string description_of(const PromotionState& state);
// The state in a description; none = it holds none, so the pull request is somebody else's.
// Invalid: there is one, and it cannot be read; it was changed by hand.
[[nodiscard]] Result<std::optional<PromotionState>> state_in(std::string_view description);

// Letters, digits and '-' of a wish, in lower case, without '-' at its ends. Invalid: nothing is
// left, or more than 63 characters, which no Kubernetes label holds.
[[nodiscard]] Result<std::string> feature_name(std::string_view wish);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
