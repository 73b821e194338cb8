// Azure Repos, of the service and of Azure DevOps Server, as a Forge over the host's HTTP service.
//
// Every answer is bounded and checked: a pull request of another repository, a fork's branch or a
// missing number is a bad answer, never a value. A change that Azure answers with 200 is believed
// only if the answer shows it, since Azure ignores silently what it does not take.
//
// One thread; borrows the call for its own lifetime.
#pragma once

#include <promotiond/gitops/commit_lookup.hpp>
#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "answer.hpp"
#include "exchange.hpp"
#include "site.hpp"

namespace promotiond::azdo {

// Beyond what all forges have.
struct Options {
    std::vector<std::string> required_reviewers;
    std::vector<std::uint64_t> work_items;
    Completion completion;  // used if auto-complete is on
    std::string api_version = "7.1";
};

class AzureRepos final : public sdk::gitops::Forge, public sdk::gitops::CommitLookup {
public:
    AzureRepos(const sdk::Call& call, Site site, Access access, Options options);

    [[nodiscard]] sdk::Result<std::optional<sdk::gitops::PullRequest>> find_open(
        const std::string& head, const std::string& base) override;
    [[nodiscard]] sdk::Result<sdk::gitops::PullRequest> create(
        const std::string& head, const std::string& base, const sdk::gitops::PullRequestText& text,
        bool draft) override;
    [[nodiscard]] sdk::Result<sdk::gitops::PullRequest> update(
        const sdk::gitops::PullRequest& existing,
        const sdk::gitops::PullRequestText& text) override;
    [[nodiscard]] sdk::Result<void> close(const sdk::gitops::PullRequest& existing) override;
    // Azure has no entity tags for pull requests: always a value.
    [[nodiscard]] sdk::Result<std::optional<sdk::gitops::PullRequest>> by_number(
        std::uint64_t number, const std::string& etag) override;
    [[nodiscard]] sdk::Result<void> stop_auto_merge(
        const sdk::gitops::PullRequest& existing) override;
    // auto_merge is auto-complete; one that this caller has set is switched off without it, one
    // that somebody else has set is left alone.
    [[nodiscard]] sdk::Result<std::vector<std::string>> apply(
        const sdk::gitops::PullRequest& existing,
        const sdk::gitops::PullRequestOptions& options) override;

    [[nodiscard]] sdk::Result<std::vector<sdk::gitops::CommitStatus>> statuses(
        const std::string& commit) override;
    [[nodiscard]] sdk::Result<std::optional<sdk::gitops::PullRequest>> merged_as(
        const std::string& commit) override;
    [[nodiscard]] sdk::Result<void> publish(const std::string& commit, std::uint64_t number,
                                            const sdk::gitops::StatusReport& report) override;

private:
    using Warnings = std::vector<std::string>;

    // Adds the version, with `preview` behind it.
    [[nodiscard]] sdk::Result<sdk::HttpResponse> ask(sdk::HttpRequest request,
                                                     const std::string& doing,
                                                     const std::string& preview = {});
    [[nodiscard]] sdk::Result<sdk::HttpResponse> send(const std::string& method,
                                                      const std::string& url,
                                                      const std::string& body,
                                                      const std::string& doing);
    [[nodiscard]] sdk::Result<Seen> look(std::uint64_t number);
    [[nodiscard]] sdk::Result<Seen> patch(std::uint64_t number, const std::string& body,
                                          const std::string& doing);
    [[nodiscard]] sdk::Result<Seen> read(const sdk::HttpResponse& response,
                                         const std::string& doing);
    [[nodiscard]] std::string pulls() const;
    [[nodiscard]] std::string pull(std::uint64_t number) const;

    // What apply() does, one thing each; each problem is a warning.
    void add_labels(std::uint64_t number, const std::vector<std::string>& wanted,
                    Warnings& warnings);
    void add_reviewers(const Seen& seen, const std::vector<std::string>& wanted, bool required,
                       Warnings& warnings);
    void add_work_items(const Seen& seen, Warnings& warnings);
    void complete_by_itself(const Seen& seen, bool wanted, Warnings& warnings);
    [[nodiscard]] sdk::Result<std::string> identity_of(const std::string& name,
                                                       const std::string& doing);
    [[nodiscard]] sdk::Result<std::string> own_identity();
    void warn(const sdk::Error& error, Warnings& warnings);

    const sdk::Call& call_;
    Site site_;
    Access access_;
    Options options_;
    std::optional<Seen> seen_;     // as the last answer had it
    std::uint64_t created_ = 0;    // the pull request made by this object, which is as it was made
    bool work_items_set_ = false;  // when it was made
    // What apply() could not set this time and may next time.
    std::optional<sdk::Error> unanswered_;
};

}  // namespace promotiond::azdo
