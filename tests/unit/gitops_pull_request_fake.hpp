// A repository in memory behind the Mirror class, and a forge beside it: the flow's other halves,
// without git and network.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "promotiond/gitops/pull_request.hpp"

namespace fake {

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

struct Commit {
    std::string parent;
    std::map<std::string, std::string> tree;
    std::string message;
};

// What every Mirror of this program looks at.
struct Remote {
    std::map<std::string, std::string> branches;
    std::map<std::string, Commit> commits;
    int pushes = 0;
    std::function<void()> before_push = {};
    std::optional<Error> push_error = {};

    std::string add(const std::string& parent, std::map<std::string, std::string> tree,
                    const std::string& message);
    // A new commit on the branch with this file in it.
    void write(const std::string& branch, const std::string& path, const std::string& content);
    [[nodiscard]] std::string read(const std::string& branch, const std::string& path) const;
};
extern Remote remote;

class MemoryForge : public Forge {
public:
    std::vector<PullRequest> all;
    std::vector<std::string> calls;
    std::optional<Error> find_error;
    std::optional<Error> apply_error;
    bool lose_answer_of_create = false;
    bool hide_from_first_find = false;

    Result<std::optional<PullRequest>> find_open(const std::string& head,
                                                 const std::string& base) override;
    Result<PullRequest> create(const std::string& head, const std::string& base,
                               const PullRequestText& text, bool draft) override;
    Result<PullRequest> update(const PullRequest& existing, const PullRequestText& text) override;
    Result<void> close(const PullRequest& existing) override;
    Result<std::optional<PullRequest>> by_number(std::uint64_t number,
                                                 const std::string& etag) override;
    Result<std::vector<std::string>> apply(const PullRequest& existing,
                                           const PullRequestOptions& options) override;
};

}  // namespace fake
