// GitHub's answers as values. Pure; any thread.
#pragma once

#include <promotiond/gitops/pull_request.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "github.hpp"

namespace promotiond::github {

// A pull request object of the site's repository. Transient ("bad answer") if it is not one.
[[nodiscard]] sdk::Result<sdk::gitops::PullRequest> read_pull_request(std::string_view json,
                                                                      const Site& site);

// The open pull request of the repository's own branch head in a list: the one into base, else one
// into another base, if any; others, such as a fork's, are passed over.
[[nodiscard]] sdk::Result<std::optional<sdk::gitops::PullRequest>> pick_pull_request(
    std::string_view json, const Site& site, const std::string& head, const std::string& base);

// Whether it is a whole answer, with mergeable_state, and not a list's entry.
[[nodiscard]] bool tells_merge_state(std::string_view json);

// The logins of a list of reviews.
[[nodiscard]] sdk::Result<std::vector<std::string>> read_reviewers(std::string_view json);

// The error that an answer outside of 2xx stands for. Its message holds GitHub's own words, cut,
// in one line and without the token.
[[nodiscard]] sdk::Error read_problem(const sdk::HttpResponse& response, std::string_view token,
                                      std::chrono::sys_time<std::chrono::milliseconds> now);

// Likewise for GraphQL's errors, which come with HTTP 200.
[[nodiscard]] sdk::Error read_graphql_problem(const sdk::HttpResponse& response,
                                              std::string_view token,
                                              std::chrono::sys_time<std::chrono::milliseconds> now);

}  // namespace promotiond::github
