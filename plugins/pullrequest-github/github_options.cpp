// What is set on a pull request once it is open: labels, people, draft, automatic merge.
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include <algorithm>
#include <utility>

#include "answer.hpp"
#include "forge/answer.hpp"
#include "forge/names.hpp"
#include "github.hpp"

namespace promotiond::github {
namespace {

using forge::missing;
using forge::Names;
using forge::text_of;
using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestOptions;
using Object = Poco::JSON::Object;

constexpr std::size_t kMostAssignees = 10;  // GitHub's own limit

Poco::JSON::Array array_of(const Names& names) {
    Poco::JSON::Array array;
    for (const auto& name : names) array.add(name);
    return array;
}

}  // namespace

void GitHub::warn(const Error& error, Names& warnings) {
    const bool passing = error.kind == ErrorKind::Transient || error.kind == ErrorKind::Throttled;
    if (passing && !unanswered_) unanswered_ = error;
    warnings.push_back(error.message);
}

void GitHub::add_names(const std::string& path,
                       const std::map<std::string, std::vector<std::string>>& names,
                       const std::string& doing, std::vector<std::string>& warnings) {
    Object body;
    for (const auto& [key, list] : names) {
        if (!list.empty()) body.set(key, array_of(list));
    }
    if (body.size() == 0) return;
    const auto response = send("POST", path, text_of(body), doing);
    if (!response) warn(response.error(), warnings);
}

// Asked once: who has reviewed is no longer on the list of those asked, and is not asked again for
// each new revision; nor is a team of which somebody did.
void GitHub::ask_for_reviews(const PullRequest& existing, const PullRequestOptions& options,
                             Names& warnings) {
    Names people = missing(options.reviewers, existing.reviewers);
    Names teams = missing(options.team_reviewers, existing.team_reviewers);
    if (people.empty() && teams.empty()) return;
    const std::string path = pulls() + "/" + std::to_string(existing.number);
    const std::string doing = "cannot ask for reviews";
    if (existing.number != created_) {
        const auto response = send("GET", path + "/reviews?per_page=100", "", doing);
        auto done = response ? read_reviewers(response->body) : Result<Names>(response.error());
        if (!done) {
            warnings.push_back(response ? doing + ": " + done.error().message
                                        : done.error().message);
            return;
        }
        people = missing(people, *done);
        if (!done->empty()) teams.clear();
    }
    add_names(path + "/requested_reviewers", {{"reviewers", people}, {"team_reviewers", teams}},
              doing, warnings);
}

Result<Names> GitHub::apply(const PullRequest& existing, const PullRequestOptions& options) {
    Names warnings;
    const std::string issue = repository() + "/issues/" + std::to_string(existing.number);
    add_names(issue + "/labels", {{"labels", missing(options.labels, existing.labels)}},
              "cannot add labels", warnings);
    ask_for_reviews(existing, options, warnings);
    Names assignees = options.assignees;
    assignees.resize(std::min(assignees.size(), kMostAssignees));
    add_names(issue + "/assignees", {{"assignees", missing(assignees, existing.assignees)}},
              "cannot assign", warnings);
    bool draft = existing.draft;
    if (draft && options.mark_ready) {
        const auto ready = graphql(
            "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { "
            "clientMutationId } }",
            {{"id", existing.node_id}}, "cannot mark the draft as ready for review");
        if (!ready) warn(ready.error(), warnings);
        draft = !ready;
    }
    if (options.auto_merge && !existing.auto_merge && !draft) {
        if (auto done = merge_when_allowed(existing, options); !done) {
            warn(done.error(), warnings);
        }
    }
    if (!options.auto_merge && existing.auto_merge) {
        if (auto stopped = stop_auto_merge(existing); !stopped) warn(stopped.error(), warnings);
    }
    if (unanswered_) return *std::exchange(unanswered_, std::nullopt);
    return warnings;
}

}  // namespace promotiond::github
