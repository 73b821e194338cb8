// Promotion by pull request: the one flow that every forge shares. What differs between forges is
// Forge.
//
//   fetch base -> set marked values -> commit -> push head branch, expecting its old id -> find or
//   create the pull request
//
// A base that was fetched for another promotion a few seconds ago is not fetched again: the push
// sees whether it has moved before it sends anything. Only a push may come of such a base.
//
// Each step can be done again: the branch name follows from the promotion, the commit from its
// content, and an open pull request of that branch is found and updated instead of opened twice.
#ifndef PROMOTIOND_GITOPS_PULL_REQUEST_HPP
#define PROMOTIOND_GITOPS_PULL_REQUEST_HPP

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../result.hpp"
#include "../strategy.hpp"
#include "mirror.hpp"

namespace promotiond::sdk::inline v1::gitops {

enum class PullRequestState { Open, Merged, Closed };

struct PullRequest {
    std::uint64_t number = 0;
    std::string url;  // for people
    std::string title;
    std::string body;
    std::string head_branch;
    std::string head_sha;
    std::string base_branch;
    PullRequestState state = PullRequestState::Open;
    bool draft = false;
    bool auto_merge = false;
    std::vector<std::string> labels;
    std::vector<std::string> reviewers;       // asked, and not done yet
    std::vector<std::string> team_reviewers;  // likewise
    std::vector<std::string> assignees;
    std::string node_id;           // the forge's own handle, if it has one
    std::string merge_commit_sha;  // when merged
    std::string obstacle;          // what the forge says keeps it from being merged, for people
    bool conflicts = false;        // the obstacle, or one of them: its branches conflict
    std::string etag;              // for the next look, which may come to "unchanged"
};

struct PullRequestText {
    std::string title;
    std::string body;
};

// Options beyond the shipped fields; all optional in the config under `pullRequest`.
struct PullRequestOptions {
    std::vector<std::string> labels = {};
    std::vector<std::string> reviewers = {};
    std::vector<std::string> team_reviewers = {};
    std::vector<std::string> assignees = {};
    bool draft = false;       // opened as one
    bool mark_ready = false;  // a draft that is open already is made ready for review
    bool auto_merge = false;
    bool needs_rules = false;  // auto_merge is refused where no rule of the base branch holds it
    std::string merge_method = "merge";  // merge, squash, rebase; empty = the first allowed
};

// An application's image, promoted by `$imagepolicy` markers below one directory instead of by
// `$promotion` markers anywhere. The promotion's revision is the tag.
struct PromotedImage {
    std::string group;
    std::string app;
    std::string directory;  // from the repository's root
    // Likewise of the environment before: a request merges by itself only while the image has the
    // tag there. Empty = none, or not known.
    std::string from = {};
};

struct PullRequestConfig {
    std::string url;
    std::string branch;  // base; empty = the repository's default branch
    std::string secret;  // name; empty = anonymous
    PullRequestOptions options;
    std::optional<PromotedImage> image;
    // The object ("<group>-<environment>") of which Flux must have said on the base branch that it
    // is reconciled before a request merges by itself; empty = nothing is waited for. See
    // merge_gate.hpp.
    std::string gate;
    std::string author_name = "promotiond";
    std::string author_email = "promotiond@localhost";
};

// One forge's API for one repository. Errors by kind as everywhere: Unauthorized, NotFound,
// Invalid, Conflict, Throttled (with retry_after), Transient, Cancelled. Implementations own
// nothing but what they were made with; one thread.
class Forge {
public:
    virtual ~Forge() = default;
    // The open pull request of this repository's own branch head (never a fork's): the one into
    // base, else one into another base, if any.
    [[nodiscard]] virtual Result<std::optional<PullRequest>> find_open(const std::string& head,
                                                                       const std::string& base) = 0;
    // Conflict if one exists already, or if the forge does not know the branch head: it was deleted
    // since the push, or the forge has not seen the push yet.
    [[nodiscard]] virtual Result<PullRequest> create(const std::string& head,
                                                     const std::string& base,
                                                     const PullRequestText& text, bool draft) = 0;
    [[nodiscard]] virtual Result<PullRequest> update(const PullRequest& existing,
                                                     const PullRequestText& text) = 0;
    // Closed without a merge. Closed already is fine.
    [[nodiscard]] virtual Result<void> close(const PullRequest& existing) = 0;
    // Automatic merge that this credential has set is switched off; any other is left alone. Called
    // before a revision is pushed that is not to merge by itself.
    [[nodiscard]] virtual Result<void> stop_auto_merge(const PullRequest& /*existing*/) {
        return {};
    }
    // none = unchanged since the etag.
    [[nodiscard]] virtual Result<std::optional<PullRequest>> by_number(std::uint64_t number,
                                                                       const std::string& etag) = 0;
    // Labels, reviewers, assignees, auto-merge: what is missing is added. A problem here does not
    // undo the promotion: it is returned as warnings for people, or, if it may pass (Transient,
    // Throttled), as the error, and the next try adds what is still missing.
    [[nodiscard]] virtual Result<std::vector<std::string>> apply(
        const PullRequest& existing, const PullRequestOptions& options) = 0;
};

// promotion-<ns>-<name>-<env>, with -<target> when the promotion is for one target; made safe for
// git, unique by a short hash where characters had to be replaced or the name was cut.
[[nodiscard]] std::string head_branch(const Promotion& promotion);
// "Promote <ns>/<name> in <env> to <revision>" and the body with the metadata block that other
// tools search, what changed, and why. Text from events is escaped: it can neither mention people
// nor run a command.
[[nodiscard]] PullRequestText pull_request_text(const Promotion& promotion,
                                                const std::vector<std::string>& changed);
// `ns:name:env`, and with a target the two spellings that name it.
[[nodiscard]] std::vector<std::string> marker_names(const Promotion& promotion);

// The verbs of a pull-request strategy.
[[nodiscard]] Outcome promote(const Promotion& promotion, Call& call,
                              const PullRequestConfig& config, Mirror& mirror, Forge& forge);
[[nodiscard]] Outcome plan(const Promotion& promotion, Call& call, const PullRequestConfig& config,
                           Mirror& mirror);
// external_id and details are those of the last answer; what comes of it is for follow.hpp.
// Rejected as well when the request is of another repository than config names now: numbers say
// nothing there.
[[nodiscard]] Outcome observe(const Promotion& promotion, std::string_view external_id,
                              std::string_view details, Call& call, const PullRequestConfig& config,
                              Forge& forge);
// What a failed look comes to: another look later, whatever failed. Only what the forge says of the
// request itself (merged, closed) settles a promotion; a token that is being rotated does not.
[[nodiscard]] Outcome not_seen(const Error& error);
[[nodiscard]] std::string lane(const Promotion& promotion, const PullRequestConfig& config);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
