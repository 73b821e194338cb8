// GitHub, github.com and Enterprise Server, as a Forge over the host's HTTP service.
//
// Facts: REST API version 2022-11-28 and the GraphQL schema (docs.github.com, 2026-11). Every
// answer is bounded and checked: a pull request of another repository, a fork's branch, a missing
// number or a link that is not https is a bad answer, never a value. No redirect is followed. The
// token is in no message.
//
// One thread; borrows the call for its own lifetime.
#pragma once

#include <promotiond/gitops/commit_lookup.hpp>
#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "forge/budget.hpp"
#include "remembered.hpp"
#include "standing.hpp"

namespace promotiond::github {

// Where a repository and its API are.
struct Site {
    std::string host;  // of the repository, lower case, without port
    std::string owner;
    std::string repo;  // without .git
    std::string api;   // https://api.github.com, https://HOST/api/v3; no slash at the end
    std::string graphql;
};

// From a repository URL (https, ssh, or git@host:owner/repo) and an API address that replaces the
// one that follows from its host. Invalid with the reason.
[[nodiscard]] sdk::Result<Site> site_of(const std::string& url, const std::string& api_url);

// Percent-encoded as one part of a path or query.
[[nodiscard]] std::string encoded(const std::string& text);

// How requests are made, whoever asks.
struct Access {
    sdk::Secret token;
    std::string ca_pem;  // trusted instead of the system's
    std::string proxy;
    forge::Urgency urgency = forge::Urgency::Open;  // of what is done, unless it is a merge
    Remembered* remembered = nullptr;               // null: every answer is read anew
};

// One exchange with GitHub's headers; 2xx and 304 are values, anything else an error by kind.
// `doing` begins the error's message.
[[nodiscard]] sdk::Result<sdk::HttpResponse> exchange(const sdk::Call& call, const Access& access,
                                                      sdk::HttpRequest request,
                                                      const std::string& doing);

class GitHub final : public sdk::gitops::Forge, public sdk::gitops::CommitLookup {
public:
    GitHub(const sdk::Call& call, Site site, Access access);

    [[nodiscard]] sdk::Result<std::optional<sdk::gitops::PullRequest>> find_open(
        const std::string& head, const std::string& base) override;
    [[nodiscard]] sdk::Result<sdk::gitops::PullRequest> create(
        const std::string& head, const std::string& base, const sdk::gitops::PullRequestText& text,
        bool draft) override;
    [[nodiscard]] sdk::Result<void> close(const sdk::gitops::PullRequest& existing) override;
    [[nodiscard]] sdk::Result<sdk::gitops::PullRequest> update(
        const sdk::gitops::PullRequest& existing,
        const sdk::gitops::PullRequestText& text) override;
    // With what keeps an open one from being merged.
    [[nodiscard]] sdk::Result<std::optional<sdk::gitops::PullRequest>> by_number(
        std::uint64_t number, const std::string& etag) override;
    [[nodiscard]] sdk::Result<void> stop_auto_merge(
        const sdk::gitops::PullRequest& existing) override;
    // auto_merge: what nothing holds back is merged at once, the rest is set to be merged by GitHub
    // as soon as the rules allow it, or queued where the base branch has a merge queue. One that
    // this credential has set is switched off without the option.
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
    [[nodiscard]] sdk::Result<sdk::HttpResponse> send(const std::string& method,
                                                      const std::string& path,
                                                      const std::string& body,
                                                      const std::string& doing);
    // Of what is read with each look: 304 with the body that is remembered, if it has not changed.
    [[nodiscard]] sdk::Result<sdk::HttpResponse> look_again(const std::string& path,
                                                            const std::string& doing);
    [[nodiscard]] sdk::Result<sdk::gitops::PullRequest> read(const sdk::HttpResponse& response,
                                                             const std::string& doing);
    void ask_for_reviews(const sdk::gitops::PullRequest& existing,
                         const sdk::gitops::PullRequestOptions& options,
                         std::vector<std::string>& warnings);
    // A warning, or nothing when all names are there.
    void add_names(const std::string& path,
                   const std::map<std::string, std::vector<std::string>>& names,
                   const std::string& doing, std::vector<std::string>& warnings);
    void warn(const sdk::Error& error, std::vector<std::string>& warnings);
    [[nodiscard]] sdk::Result<void> merge_when_allowed(
        const sdk::gitops::PullRequest& existing, const sdk::gitops::PullRequestOptions& options);
    [[nodiscard]] sdk::Result<void> merge_now(const sdk::gitops::PullRequest& existing,
                                              const std::string& method, const std::string& doing);
    [[nodiscard]] sdk::Result<Standing> standing_of(const std::string& node_id,
                                                    const std::string& doing);
    void add_rules(const std::string& base, Standing& standing);
    // Statuses and check runs of a pull request's commit, each remembered with the obstacle that
    // was seen after it. They are news until that is the obstacle of the last look that was handed
    // on.
    struct Reports {
        struct Report {
            std::string key = {};  // in what is remembered
            std::string etag = {};
            std::string obstacle = {};
            bool unchanged = false;
        };
        std::vector<Report> seen;
        [[nodiscard]] bool led_to(const std::string& obstacle) const;
    };
    [[nodiscard]] Reports reports_on(const std::string& commit, const std::string& node_id);
    void keep(const Reports& reports, const std::string& obstacle);
    [[nodiscard]] sdk::Result<std::string> obstacle(const std::string& node_id,
                                                    const std::string& base);
    // The answer's data, as JSON text.
    [[nodiscard]] sdk::Result<std::string> graphql(std::string_view query,
                                                   const std::map<std::string, std::string>& values,
                                                   const std::string& doing);
    [[nodiscard]] forge::Urgency at_least(forge::Urgency urgency) const;
    [[nodiscard]] std::string repository() const;  // its path below the API's address
    [[nodiscard]] std::string pulls() const;

    const sdk::Call& call_;
    Site site_;
    Access access_;
    std::uint64_t created_ = 0;  // the pull request made by this object, which nobody has seen yet
    std::optional<sdk::Error>
        unanswered_;  // what apply() could not set this time and may next time
};

}  // namespace promotiond::github
