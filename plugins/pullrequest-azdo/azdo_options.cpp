// What is set on a pull request once it is open: labels, reviewers, work items, draft,
// auto-complete.
#include <Poco/JSON/Object.h>

#include <algorithm>
#include <utility>

#include "azdo.hpp"
#include "forge/answer.hpp"
#include "forge/names.hpp"

namespace promotiond::azdo {
namespace {

using forge::missing;
using forge::Names;
using forge::text_of;
using sdk::Error;
using sdk::ErrorKind;
using sdk::HttpRequest;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestOptions;
using sdk::gitops::PullRequestState;
using Object = Poco::JSON::Object;

// Azure's word for nobody.
constexpr std::string_view kNobody = "00000000-0000-0000-0000-000000000000";

std::string auto_complete(std::string_view who, const Completion* completion) {
    Object by;
    by.set("id", std::string(who));
    Object body;
    body.set("autoCompleteSetBy", by);
    if (completion == nullptr) return text_of(body);
    Object options;
    if (!completion->merge_strategy.empty()) {
        options.set("mergeStrategy", completion->merge_strategy);
    }
    options.set("deleteSourceBranch", completion->delete_source_branch);
    options.set("transitionWorkItems", completion->transition_work_items);
    if (!completion->merge_commit_message.empty()) {
        options.set("mergeCommitMessage", completion->merge_commit_message);
    }
    if (!completion->ignored_policies.empty()) {
        Poco::JSON::Array ignored;
        for (const auto id : completion->ignored_policies) ignored.add(id);
        options.set("autoCompleteIgnoreConfigIds", ignored);
    }
    body.set("completionOptions", options);
    return text_of(body);
}

// A JSON patch (RFC 6902) that ties a work item to the pull request.
std::string link_to(const Seen& seen) {
    Object attributes;
    attributes.set("name", std::string("Pull Request"));
    Object relation;
    relation.set("rel", std::string("ArtifactLink"));
    relation.set("url", "vstfs:///Git/PullRequestId/" + seen.project_id + "%2F" +
                            seen.repository_id + "%2F" + std::to_string(seen.request.number));
    relation.set("attributes", attributes);
    Object operation;
    operation.set("op", std::string("add"));
    operation.set("path", std::string("/relations/-"));
    operation.set("value", relation);
    return "[" + text_of(operation) + "]";
}

}  // namespace

void AzureRepos::warn(const Error& error, Warnings& warnings) {
    const bool passing = error.kind == ErrorKind::Transient || error.kind == ErrorKind::Throttled;
    if (passing && !unanswered_) unanswered_ = error;
    warnings.push_back(error.message);
}

void AzureRepos::add_labels(std::uint64_t number, const Names& wanted, Warnings& warnings) {
    if (wanted.empty()) return;
    const std::string doing = "cannot add labels";
    const std::string url = pull(number) + "/labels";
    Names there;
    if (number != created_) {
        const auto response = send("GET", url, "", doing);
        if (!response) return warn(response.error(), warnings);
        auto names = read_list(response->body, "name");
        if (!names) return warn(context(std::move(names).error(), doing), warnings);
        there = *std::move(names);
    }
    for (const auto& name : missing(wanted, there)) {
        Object body;
        body.set("name", name);
        const auto response = send("POST", url, text_of(body), doing + ", " + name);
        if (!response) warn(response.error(), warnings);
    }
}

// An id as it is, a name or mail address by the one identity that has it.
Result<std::string> AzureRepos::identity_of(const std::string& name, const std::string& doing) {
    if (is_guid(name)) return forge::lower(name);
    const std::string url = site_.identities +
                            "/_apis/identities?searchFilter=General&filterValue=" + encoded(name) +
                            "&queryMembership=None";
    const auto response = send("GET", url, "", doing);
    if (!response) return Error(response.error());
    const auto ids = read_list(response->body, "id");
    if (!ids) return context(Error(ids.error()), doing);
    if (ids->size() == 1 && is_guid(ids->front())) return forge::lower(ids->front());
    return Error{ErrorKind::Invalid, doing + ": " + (ids->empty() ? "nobody has" : "several have") +
                                         " this name; write the mail address or the identity's id"};
}

// Asked once: whoever is on the list, whatever they voted, is left alone when a newer revision
// comes.
void AzureRepos::add_reviewers(const Seen& seen, const Names& wanted, bool required,
                               Warnings& warnings) {
    for (const auto& name : missing(wanted, seen.request.reviewers)) {
        const std::string doing = "cannot ask " + name + " for a review";
        const auto id = identity_of(name, doing);
        if (!id) {
            warn(id.error(), warnings);
            continue;
        }
        if (missing({*id}, seen.request.reviewers).empty()) continue;
        Object body;
        body.set("vote", 0);
        body.set("isRequired", required);
        const auto response =
            send("PUT", pull(seen.request.number) + "/reviewers/" + *id, text_of(body), doing);
        if (!response) warn(response.error(), warnings);
    }
}

void AzureRepos::add_work_items(const Seen& seen, Warnings& warnings) {
    if (options_.work_items.empty()) return;
    if (seen.request.number == created_ && work_items_set_) return;
    const std::string doing = "cannot link work items";
    const auto response = send("GET", pull(seen.request.number) + "/workitems", "", doing);
    if (!response) return warn(response.error(), warnings);
    const auto there = read_list(response->body, "id");
    if (!there) return warn(context(Error(there.error()), doing), warnings);
    Names wanted;
    for (const auto id : options_.work_items) wanted.push_back(std::to_string(id));
    for (const auto& id : missing(wanted, *there)) {
        HttpRequest request;
        request.method = "PATCH";
        request.url = site_.collection + "/_apis/wit/workitems/" + id;
        request.headers = {{"Content-Type", "application/json-patch+json"}};
        request.body = link_to(seen);
        const auto linked = ask(std::move(request), "cannot link work item " + id);
        if (!linked) warn(linked.error(), warnings);
    }
}

Result<std::string> AzureRepos::own_identity() {
    const std::string doing = "cannot find out who the token belongs to";
    HttpRequest request;
    request.url = site_.collection + "/_apis/connectionData";
    const auto response = ask(std::move(request), doing, "-preview.1");
    if (!response) return Error(response.error());
    auto own = read_own_identity(response->body);
    if (!own) return context(std::move(own).error(), doing);
    return own;
}

// Only the caller itself can be the one who sets it: Azure refuses other identities.
void AzureRepos::complete_by_itself(const Seen& seen, bool wanted, Warnings& warnings) {
    const bool on = !seen.auto_complete_by.empty();
    if (!on && !wanted) return;
    const forge::Raised raised(access_.urgency, forge::Urgency::Merge);
    const auto own = own_identity();
    if (!own) return warn(own.error(), warnings);
    if (on && seen.auto_complete_by != *own) return;  // a person's decision
    if (on && wanted && seen.completion == options_.completion) return;
    const std::string doing =
        wanted ? "cannot set auto-complete" : "cannot switch auto-complete off";
    const auto now = patch(seen.request.number,
                           auto_complete(wanted ? std::string_view(*own) : kNobody,
                                         wanted ? &options_.completion : nullptr),
                           doing);
    if (!now) return warn(now.error(), warnings);
    const bool done = wanted ? now->auto_complete_by == *own : now->auto_complete_by.empty();
    // Where no policy is in the way it is completed at once.
    if (!done && now->request.state == PullRequestState::Open) warn(not_done(doing), warnings);
}

Result<void> AzureRepos::stop_auto_merge(const PullRequest& existing) {
    if (!seen_ || seen_->request.number != existing.number) {
        if (auto seen = look(existing.number); !seen) return std::move(seen).error();
    }
    const Seen seen = *seen_;
    Warnings warnings;
    complete_by_itself(seen, false, warnings);
    if (unanswered_) return *std::exchange(unanswered_, std::nullopt);
    if (!warnings.empty()) return Error{ErrorKind::Invalid, warnings.front()};
    return {};
}

Result<std::vector<std::string>> AzureRepos::apply(const PullRequest& existing,
                                                   const PullRequestOptions& options) {
    if (!seen_ || seen_->request.number != existing.number) {
        if (auto seen = look(existing.number); !seen) return std::move(seen).error();
    }
    const Seen seen = *seen_;
    Warnings warnings;
    add_labels(existing.number, options.labels, warnings);
    add_reviewers(seen, options_.required_reviewers, true, warnings);
    add_reviewers(seen, missing(options.reviewers, options_.required_reviewers), false, warnings);
    add_work_items(seen, warnings);
    bool draft = seen.request.draft;
    if (draft && options.mark_ready) {
        const std::string doing = "cannot mark the draft as ready for review";
        const auto ready = patch(existing.number, R"({"isDraft":false})", doing);
        if (!ready) warn(ready.error(), warnings);
        else if (ready->request.draft) warn(not_done(doing), warnings);
        draft = !ready || ready->request.draft;
    }
    if (!draft || !options.auto_merge) complete_by_itself(seen, options.auto_merge, warnings);
    if (unanswered_) return *std::exchange(unanswered_, std::nullopt);
    return warnings;
}

}  // namespace promotiond::azdo
