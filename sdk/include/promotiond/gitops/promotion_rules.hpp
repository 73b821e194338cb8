// gitops-promotion.yaml: through which environments an image goes, in which order, and which of
// them take it by themselves.
//
//   prflow: per-env                # or per-app, the default: how branches are named
//   status_timeout_minutes: 5     # minutes; or a duration such as 90s, 5m, 1h30m
//   environments:
//     - {name: dev, auto: true}
//     - {name: prod}
//   groups: {shop: {applications: {web: {featureLabelSelector: {app: web}}}}}
//
// The grammar is that of XenitAB/gitops-promotion v1.4.0, where a bare number of minutes came out
// as nanoseconds. Pure; any thread. Standard library only in this header.
#ifndef PROMOTIOND_GITOPS_PROMOTION_RULES_HPP
#define PROMOTIOND_GITOPS_PROMOTION_RULES_HPP

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "../result.hpp"

namespace promotiond::sdk::inline v1::gitops {

inline constexpr std::string_view kPromotionRulesFile = "gitops-promotion.yaml";

// Whether the promotions of one application share a branch, or have one for each environment.
enum class BranchPer { App, Environment };

struct RulesEnvironment {
    std::string name;            // also the directory's in each group
    bool merges_itself = false;  // `auto`
};

struct ApplicationRules {
    bool feature_overwrite = false;                     // a feature takes the application's place
    std::map<std::string, std::string> feature_labels;  // which resources are the application's
};

struct PromotionRules {
    BranchPer branch_per = BranchPer::App;
    std::chrono::milliseconds status_timeout{std::chrono::minutes{5}};
    std::vector<RulesEnvironment> environments;  // at least one; no two of one name
    std::map<std::string, std::map<std::string, ApplicationRules>> groups;

    // By name; NotFound in gitops-promotion's words: there is no such one, none behind the last,
    // none before the first. Pointers into this object.
    [[nodiscard]] Result<const RulesEnvironment*> environment(const std::string& name) const;
    [[nodiscard]] Result<const RulesEnvironment*> next(const std::string& name) const;
    [[nodiscard]] Result<const RulesEnvironment*> previous(const std::string& name) const;
    [[nodiscard]] Result<const ApplicationRules*> application(const std::string& group,
                                                              const std::string& app) const;
};

struct ReadRules {
    PromotionRules rules;
    // "file:line:column: ..." for each key that means nothing here. gitops-promotion passed over
    // them, and so must who takes its place; but a person should know.
    std::vector<std::string> ignored;
};

// `file` is for messages. Invalid, with the place: not YAML, a value of another type, no
// environments, two of one name, a name that is no directory of its own.
[[nodiscard]] Result<ReadRules> read_promotion_rules(std::string_view yaml,
                                                     const std::string& file);

// As Go writes durations: 90s, 5m, 1h30m, 1.5h, 300ms. Invalid: anything else, negative, or over a
// hundred years.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// A part of a path below the repository's root: no "..", no "//", not absolute, not .git. Invalid:
// "<what> "<name>" leaves the tree" or what else is wrong.
[[nodiscard]] Result<void> check_tree_name(std::string_view what, std::string_view name);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
