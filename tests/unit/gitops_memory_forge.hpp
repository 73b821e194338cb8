// A forge in memory: pull requests in a list, and the faults that the flow has to live with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "promotiond/gitops/pull_request.hpp"

namespace fake {

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

class MemoryForge : public Forge {
public:
    std::vector<PullRequest> all;
    std::vector<std::string> calls;
    std::optional<Error> find_error;
    std::optional<Error> update_error;
    std::optional<Error> apply_error;
    std::optional<Error> stop_error;
    std::function<void()> on_stop = [] {};
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
    Result<void> stop_auto_merge(const PullRequest& existing) override;
    Result<std::vector<std::string>> apply(const PullRequest& existing,
                                           const PullRequestOptions& options) override;
};

}  // namespace fake
