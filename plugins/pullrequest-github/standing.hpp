// Standing: what GitHub says of a pull request on its way to being merged: what it waits for, and
// which ways there are. Pure; any thread.
//
// Facts: GraphQL's PullRequest, StatusCheckRollup, RefUpdateRule and Repository, and REST's "Get
// rules for a branch" (docs.github.com, 2026-11). The roll-up combines commit statuses and check
// runs; neutral and skipped runs have passed.
#pragma once

#include <promotiond/strategy.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace promotiond::github {

struct Standing {
    std::string merge_state;  // CLEAN, HAS_HOOKS, UNSTABLE, BLOCKED, BEHIND, DIRTY, DRAFT, UNKNOWN
    bool auto_merge = false;
    bool set_by_caller = false;  // auto-merge, by the credential that asks
    bool needs_queue = false;    // the base branch is merged into by a merge queue
    bool in_queue = false;
    std::string put_aside;  // why it left the merge queue or auto-merge, in GitHub's words
    bool auto_merge_allowed = true;
    std::vector<std::string> methods = {"merge", "squash", "rebase"};  // those that are allowed
    std::vector<std::string> checks;     // names of all that have reported
    std::vector<std::string> waits_for;  // required checks and reviews, for people
};

// The query that read_standing() reads the answer of; $id is the pull request's node id.
extern const std::string_view kStandingQuery;
// For a server that is too old for some of its members: the state alone.
extern const std::string_view kPlainStandingQuery;

// From the member "data" of an answer. Transient ("bad answer") if there is no pull request in it.
[[nodiscard]] sdk::Result<Standing> read_standing(std::string_view json);

// The required checks among a branch's rules (REST), or the names of what else they ask for.
// Transient ("bad answer") if it is no list of rules.
struct Rules {
    std::vector<std::string> checks;
    std::vector<std::string> others;  // required_signatures, ...
};
[[nodiscard]] sdk::Result<Rules> read_rules(std::string_view json);

// What keeps it from being merged, as a clause: "it waits for check ci/build and a review"; empty:
// nothing that is known.
[[nodiscard]] std::string obstacle_of(const Standing& standing);
// Of such a clause: it is about the merge queue.
[[nodiscard]] bool is_of_queue(std::string_view obstacle);

}  // namespace promotiond::github
