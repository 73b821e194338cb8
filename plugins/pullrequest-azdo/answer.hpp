// Azure DevOps' answers as values. Pure; any thread.
#pragma once

#include <promotiond/gitops/pull_request.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "site.hpp"

namespace promotiond::azdo {

// How a pull request is completed by itself.
struct Completion {
    std::string merge_strategy;  // noFastForward, squash, rebase, rebaseMerge; empty = the default
    bool delete_source_branch = false;
    bool transition_work_items = false;
    std::string merge_commit_message;
    std::vector<std::int64_t> ignored_policies;  // ids of optional policies not waited for

    bool operator==(const Completion&) const = default;
};

// A pull request with what only Azure has.
struct Seen {
    sdk::gitops::PullRequest request;
    std::string auto_complete_by;  // identity; empty = off
    Completion completion;
    std::string project_id;
    std::string repository_id;
};

// Fits what Azure takes: 400 characters of a title, 4000 of a description. What is too long is cut
// between characters and says so.
[[nodiscard]] sdk::gitops::PullRequestText fitted(const sdk::gitops::PullRequestText& text);
// Whether two texts differ in more than line ends and the white space around them, which Azure
// changes.
[[nodiscard]] bool is_same_text(std::string_view a, std::string_view b);

// A pull request of the site's repository. Transient ("bad answer") if it is not one.
[[nodiscard]] sdk::Result<Seen> read_pull_request(std::string_view json, const Site& site);

// A page of a list: the number of the active pull request of the repository's own branch head, the
// one into base before others, if any; others, such as a fork's, are passed over.
struct Page {
    std::optional<std::uint64_t> number;
    std::size_t size = 0;
};
[[nodiscard]] sdk::Result<Page> read_page(std::string_view json, const Site& site,
                                          const std::string& head, const std::string& base);

// The objects under `value` of a list, by one of their members.
[[nodiscard]] sdk::Result<std::vector<std::string>> read_list(std::string_view json,
                                                              const std::string& member);

// Who the caller is, from connectionData: an identity's id.
[[nodiscard]] sdk::Result<std::string> read_own_identity(std::string_view json);

// Transient: Azure has answered with success, and the answer shows that nothing was changed.
[[nodiscard]] sdk::Error not_done(const std::string& doing);

// 8-4-4-4-12 hexadecimal digits.
[[nodiscard]] bool is_guid(std::string_view text);

}  // namespace promotiond::azdo
