// Being merged: automatic merge, on and off.
#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <algorithm>
#include <utility>

#include "answer.hpp"
#include "forge/answer.hpp"
#include "github.hpp"
#include "standing.hpp"

namespace promotiond::github {
namespace {

using forge::text_of;
using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestOptions;
using Object = Poco::JSON::Object;

bool says(const Error& error, std::string_view words) {
    return forge::lower(error.message).find(words) != std::string::npos;
}

// Auto-merge is for what has to wait; GitHub refuses it where nothing is in the way. Its messages
// have no code (cli/cli and peter-evans/enable-pull-request-automerge, issues, 2026-11).
bool has_nothing_to_wait_for(const Error& error) {
    return says(error, "clean status") || says(error, "unstable status") ||
           says(error, "protected branch rules not configured");
}

// Somebody pushed meanwhile, to either branch: what is there now is another try's.
Error transient_if_moved(Error error) {
    if (says(error, "branch was modified")) error.kind = ErrorKind::Transient;
    return error;
}

Error not_allowed_here(const std::string& doing) {
    return {ErrorKind::Invalid,
            doing +
                ": the repository does not allow auto-merge; allow it in its settings "
                "(General, Pull Requests), or merge by hand"};
}

Error method_not_allowed(const std::string& doing, const std::string& method,
                         const std::vector<std::string>& allowed) {
    std::string list;
    for (const auto& each : allowed) list += (list.empty() ? "" : ", ") + each;
    return {ErrorKind::Invalid, doing + ": the repository does not allow the merge method " +
                                    method + ", only " + (list.empty() ? "none" : list) +
                                    "; change mergeMethod, or the repository's settings"};
}

}  // namespace

forge::Urgency GitHub::at_least(forge::Urgency urgency) const {
    return std::max(urgency, access_.urgency);
}

Result<std::string> GitHub::graphql(std::string_view query,
                                    const std::map<std::string, std::string>& values,
                                    const std::string& doing) {
    Object variables;
    for (const auto& [key, value] : values) variables.set(key, value);
    Object body;
    body.set("query", std::string(query));
    body.set("variables", variables);
    sdk::HttpRequest request;
    request.method = "POST";
    request.url = site_.graphql;
    request.body = text_of(body);
    const bool changes = query.starts_with("mutation");
    forge::charge(request, changes ? at_least(forge::Urgency::Merge) : access_.urgency,
                  changes ? forge::Cost::Write : forge::Cost::Read, "graphql");
    const auto response = exchange(call_, access_, std::move(request), doing);
    if (!response) return Error(response.error());
    try {
        const auto root = forge::parse(response->body).extract<Object::Ptr>();
        // GraphQL says what went wrong with HTTP 200.
        if (const auto errors = root->getArray("errors"); !errors.isNull() && errors->size() > 0) {
            return context(read_graphql_problem(*response, access_.token.reveal(), call_.now()),
                           doing);
        }
        const auto data = root->getObject("data");
        return data.isNull() ? std::string("{}") : text_of(*data);
    } catch (const Poco::Exception&) {
        return Error{ErrorKind::Transient, doing + ": bad answer"};
    }
}

Result<Standing> GitHub::standing_of(const std::string& node_id, const std::string& doing) {
    auto answer = graphql(kStandingQuery, {{"id", node_id}}, doing);
    // Members that came with later versions of Enterprise Server.
    if (!answer && says(answer.error(), "doesn't exist on type")) {
        answer = graphql(kPlainStandingQuery, {{"id", node_id}}, doing);
    }
    if (!answer) return std::move(answer).error();
    auto standing = read_standing(*answer);
    if (!standing) return context(std::move(standing).error(), doing);
    return standing;
}

Result<void> GitHub::merge_now(const PullRequest& existing, const std::string& method,
                               const std::string& doing) {
    Object body;
    body.set("sha", existing.head_sha);
    body.set("merge_method", method);
    sdk::HttpRequest request;
    request.method = "PUT";
    request.url = site_.api + pulls() + "/" + std::to_string(existing.number) + "/merge";
    request.body = text_of(body);
    forge::charge(request, at_least(forge::Urgency::Merge));
    const auto merged = exchange(call_, access_, std::move(request), doing);
    if (merged) return {};
    return transient_if_moved(merged.error());
}

// What is clean is merged at once; auto-merge can be scheduled only while something is in the way,
// and where a merge queue is in force it puts the request into the queue.
Result<void> GitHub::merge_when_allowed(const PullRequest& existing,
                                        const PullRequestOptions& options) {
    const forge::Raised raised(access_.urgency, forge::Urgency::Merge);
    const std::string doing = "cannot merge automatically";
    const auto standing = standing_of(existing.node_id, doing);
    if (!standing) return Error(standing.error());
    if (standing->in_queue || standing->auto_merge) return {};
    const auto& allowed = standing->methods;
    const bool any = options.merge_method.empty() && !allowed.empty();
    const std::string method = any ? allowed.front() : options.merge_method;
    if (!standing->needs_queue &&
        std::find(allowed.begin(), allowed.end(), method) == allowed.end()) {
        return method_not_allowed(doing, method, allowed);
    }
    const std::string& state = standing->merge_state;
    const bool free = state == "CLEAN" || state == "HAS_HOOKS" || state == "UNSTABLE";
    if (free && !standing->needs_queue && !options.needs_rules)
        return merge_now(existing, method, doing);
    if (!standing->auto_merge_allowed && !standing->needs_queue) {
        // Not worked out yet: it may be free.
        if (state == "UNKNOWN" && !options.needs_rules && merge_now(existing, method, doing))
            return {};
        return not_allowed_here(doing);
    }
    std::string upper = method;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto scheduled = graphql(
        "mutation($id: ID!, $method: PullRequestMergeMethod!, $head: GitObjectID!) { "
        "enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: $method, "
        "expectedHeadOid: $head}) { clientMutationId } }",
        {{"id", existing.node_id}, {"method", upper}, {"head", existing.head_sha}}, doing);
    if (scheduled) return {};
    const bool without_rules = says(scheduled.error(), "protected branch rules not configured");
    if (without_rules && options.needs_rules) return Error(scheduled.error());
    if (has_nothing_to_wait_for(scheduled.error())) return merge_now(existing, method, doing);
    if (says(scheduled.error(), "auto merge is not allowed")) return not_allowed_here(doing);
    return transient_if_moved(scheduled.error());
}

// Only what this credential has set: what a person has set is that person's decision.
Result<void> GitHub::stop_auto_merge(const PullRequest& existing) {
    const std::string doing = "cannot switch auto-merge off";
    const auto standing = standing_of(existing.node_id, doing);
    if (!standing) return Error(standing.error());
    if (!standing->auto_merge || !standing->set_by_caller) return {};
    const auto stopped = graphql(
        "mutation($id: ID!) { disablePullRequestAutoMerge(input: {pullRequestId: $id}) { "
        "clientMutationId } }",
        {{"id", existing.node_id}}, doing);
    if (!stopped) return Error(stopped.error());
    return {};
}

}  // namespace promotiond::github
