// What is set on a pull request once it is open: labels, people, draft, automatic merge.
#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

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
using sdk::HttpResponse;
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

void GitHub::add_names(const std::string& path,
                       const std::map<std::string, std::vector<std::string>>& names,
                       const std::string& doing, std::vector<std::string>& warnings) {
    Object body;
    for (const auto& [key, list] : names) {
        if (!list.empty()) body.set(key, array_of(list));
    }
    if (body.size() == 0) return;
    const auto response = send("POST", path, text_of(body), doing);
    if (response) return;
    const auto kind = response.error().kind;
    const bool passing = kind == ErrorKind::Transient || kind == ErrorKind::Throttled;
    if (passing && !unanswered_) unanswered_ = response.error();
    warnings.push_back(response.error().message);
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
    const std::string issue =
        "/repos/" + site_.owner + "/" + site_.repo + "/issues/" + std::to_string(existing.number);
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
            {{"id", existing.node_id}}, "", "cannot mark the draft as ready for review");
        if (!ready) warnings.push_back(ready.error().message);
        draft = !ready;
    }
    if (options.auto_merge && !existing.auto_merge && !draft) {
        if (auto done = merge_when_allowed(existing, options.merge_method); !done) {
            warnings.push_back(done.error().message);
        }
    }
    if (unanswered_) return *std::exchange(unanswered_, std::nullopt);
    return warnings;
}

Result<std::string> GitHub::graphql(const std::string& query,
                                    const std::map<std::string, std::string>& values,
                                    const std::string& member, const std::string& doing) {
    Object variables;
    for (const auto& [key, value] : values) variables.set(key, value);
    Object body;
    body.set("query", query);
    body.set("variables", variables);
    sdk::HttpRequest request;
    request.method = "POST";
    request.url = site_.graphql;
    request.body = text_of(body);
    const auto response = exchange(call_, access_, std::move(request), doing);
    if (!response) return Error(response.error());
    try {
        Poco::JSON::Parser parser;
        const auto root = parser.parse(response->body).extract<Object::Ptr>();
        // GraphQL says what went wrong with HTTP 200.
        if (const auto errors = root->getArray("errors"); !errors.isNull() && errors->size() > 0) {
            HttpResponse problem;
            problem.code = 422;
            problem.body = response->body;
            return context(read_problem(problem, access_.token.reveal(), call_.now()), doing);
        }
        if (member.empty()) return std::string();
        const auto data = root->getObject("data");
        const auto found = data.isNull() ? data : data->getObject("node");
        return found.isNull() ? std::string() : found->optValue<std::string>(member, {});
    } catch (const Poco::Exception&) {
        return Error{ErrorKind::Transient, doing + ": bad answer"};
    }
}

// Auto-merge can be scheduled only while something is in the way; what is clean is merged at once.
Result<void> GitHub::merge_when_allowed(const PullRequest& existing, const std::string& method) {
    const std::string doing = "cannot merge automatically";
    const auto state =
        graphql("query($id: ID!) { node(id: $id) { ... on PullRequest { mergeStateStatus } } }",
                {{"id", existing.node_id}}, "mergeStateStatus", doing);
    if (!state) return Error(state.error());
    if (*state == "CLEAN" || *state == "HAS_HOOKS") {
        Object body;
        body.set("sha", existing.head_sha);
        body.set("merge_method", method);
        const auto merged = send("PUT", pulls() + "/" + std::to_string(existing.number) + "/merge",
                                 text_of(body), doing);
        if (!merged) return Error(merged.error());
        return {};
    }
    std::string upper = method;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto scheduled = graphql(
        "mutation($id: ID!, $method: PullRequestMergeMethod!, $head: GitObjectID!) { "
        "enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: $method, "
        "expectedHeadOid: $head}) { clientMutationId } }",
        {{"id", existing.node_id}, {"method", upper}, {"head", existing.head_sha}}, "", doing);
    if (!scheduled) return Error(scheduled.error());
    return {};
}

}  // namespace promotiond::github
