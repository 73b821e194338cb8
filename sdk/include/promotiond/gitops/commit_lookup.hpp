// What a forge knows of a commit: the statuses that others set on it, and the pull request whose
// merge made it.
//
// Errors by kind as Forge's. One thread. Standard library only in this header.
#ifndef PROMOTIOND_GITOPS_COMMIT_LOOKUP_HPP
#define PROMOTIOND_GITOPS_COMMIT_LOOKUP_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../result.hpp"
#include "pull_request.hpp"

namespace promotiond::sdk::inline v1::gitops {

enum class Verdict { Pending, Success, Failure };

struct CommitStatus {
    std::string context;               // "kustomization/apps-dev/0c9c2e41"
    std::optional<std::string> genre;  // where the forge has such; Flux's is "fluxcd[:<summary>]"
    Verdict verdict = Verdict::Pending;
};

// What others are told of a commit; shown beside its pull request.
struct StatusReport {
    std::string context;  // "promotiond/apps-dev"
    Verdict verdict = Verdict::Pending;
    std::string description;  // for people; at most 140 characters are kept
};

class CommitLookup {
public:
    virtual ~CommitLookup() = default;
    // All of them, the newest first.
    [[nodiscard]] virtual Result<std::vector<CommitStatus>> statuses(const ObjectId& commit) = 0;
    // With its whole description; none = no pull request's merge made this commit, or the forge
    // does not know of it yet.
    [[nodiscard]] virtual Result<std::optional<PullRequest>> merged_as(const ObjectId& commit) = 0;
    // Sets a status of our own on a pull request and its newest commit; said again, it takes the
    // place of the one before.
    [[nodiscard]] virtual Result<void> publish(const ObjectId& commit, std::uint64_t number,
                                               const StatusReport& report) = 0;
};

// The newest word of Flux on the object of that name, whose status is named "<kind>/<name>", with
// more parts behind it since notification-controller v0.29; none = nothing was said. What
// promotiond itself says ("promotiond/<name>") is nobody's proof.
[[nodiscard]] std::optional<Verdict> verdict_on(const std::string& name,
                                                const std::vector<CommitStatus>& statuses);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
