// What Azure Repos knows of a commit.
#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include <algorithm>

#include "azdo.hpp"
#include "forge/answer.hpp"

namespace promotiond::azdo {
namespace {

using forge::bad_answer;
using sdk::Error;
using sdk::Result;
using sdk::gitops::CommitStatus;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestState;
using sdk::gitops::Verdict;
using Object = Poco::JSON::Object;

constexpr std::size_t kMostStatuses = 1000;

struct Numbered {
    std::uint64_t id = 0;
    CommitStatus status;
};

std::optional<Verdict> verdict_of(const std::string& state) {
    if (state == "succeeded") return Verdict::Success;
    if (state == "failed" || state == "error") return Verdict::Failure;
    if (state == "notApplicable") return std::nullopt;
    return Verdict::Pending;
}

// Throws Poco::Exception.
std::vector<Numbered> statuses_in(const std::string& json) {
    std::vector<Numbered> out;
    const auto root = forge::parse(json).extract<Object::Ptr>();
    const auto list = root->getArray("value");
    for (std::size_t i = 0; !list.isNull() && i < list->size(); ++i) {
        const auto entry = list->getObject(static_cast<unsigned>(i));
        const auto named = entry.isNull() ? entry : entry->getObject("context");
        const auto verdict =
            named.isNull() ? std::nullopt : verdict_of(forge::text(*entry, "state"));
        if (!verdict) continue;
        out.push_back({forge::positive_number(*entry, "id"),
                       {forge::text(*named, "name"), forge::text(*named, "genre"), *verdict}});
    }
    return out;
}

std::string word(Verdict verdict) {
    if (verdict == Verdict::Success) return "succeeded";
    return verdict == Verdict::Pending ? "pending" : "failed";
}

// {"results": [{"<commit>": [pull request, ...]}]}. Throws Poco::Exception.
std::vector<std::uint64_t> numbers_in(const std::string& json, const std::string& commit) {
    std::vector<std::uint64_t> out;
    const auto root = forge::parse(json).extract<Object::Ptr>();
    const auto results = root->getArray("results");
    for (std::size_t i = 0; !results.isNull() && i < results->size(); ++i) {
        const auto one = results->getObject(static_cast<unsigned>(i));
        const auto pulls = one.isNull() ? Poco::JSON::Array::Ptr() : one->getArray(commit);
        for (std::size_t k = 0; !pulls.isNull() && k < pulls->size(); ++k) {
            const auto pull = pulls->getObject(static_cast<unsigned>(k));
            if (!pull.isNull()) out.push_back(forge::positive_number(*pull, "pullRequestId"));
        }
    }
    return out;
}

std::string query_for(const std::string& commit) {
    Poco::JSON::Array items;
    items.add(commit);
    Object query;
    query.set("type", std::string("lastMergeCommit"));
    query.set("items", items);
    Poco::JSON::Array queries;
    queries.add(query);
    Object body;
    body.set("queries", queries);
    return forge::text_of(body);
}

}  // namespace

// Azure promises no order; ids rise.
Result<std::vector<CommitStatus>> AzureRepos::statuses(const std::string& commit) {
    const std::string doing = "cannot list the statuses of " + commit;
    const auto response = send("GET",
                               site_.api() + "/commits/" + commit +
                                   "/statuses?latestOnly=true&top=" + std::to_string(kMostStatuses),
                               "", doing);
    if (!response) return Error(response.error());
    try {
        auto found = statuses_in(response->body);
        std::stable_sort(found.begin(), found.end(),
                         [](const Numbered& a, const Numbered& b) { return a.id > b.id; });
        std::vector<CommitStatus> out;
        for (auto& each : found) out.push_back(std::move(each.status));
        return out;
    } catch (const Poco::Exception&) {
        return context(bad_answer("not JSON, or cut off"), doing);
    }
}

Result<std::optional<PullRequest>> AzureRepos::merged_as(const std::string& commit) {
    const std::string doing = "cannot look for the pull request that made " + commit;
    const auto response = send("POST", site_.api() + "/pullrequestquery", query_for(commit), doing);
    if (!response) return Error(response.error());
    std::vector<std::uint64_t> numbers;
    try {
        numbers = numbers_in(response->body, commit);
    } catch (const Poco::Exception&) {
        return context(bad_answer("not JSON, or cut off"), doing);
    }
    for (const auto number : numbers) {
        auto seen = look(number);
        if (!seen) return std::move(seen).error();
        if (seen->request.state == PullRequestState::Merged &&
            seen->request.merge_commit_sha == commit)
            return std::optional(std::move(seen->request));
    }
    return std::optional<PullRequest>();
}

// "promotiond/apps-dev" is the status apps-dev of the genre promotiond. Status policies look at
// what is posted on the pull request, not on its commit
// (https://learn.microsoft.com/azure/devops/repos/git/pr-status-policy).
Result<void> AzureRepos::publish(const std::string&, std::uint64_t number,
                                 const sdk::gitops::StatusReport& report) {
    const forge::Raised raised(access_.urgency, forge::Urgency::Merge);
    const auto slash = report.context.find('/');
    Object named;
    named.set("genre", report.context.substr(0, slash));
    named.set("name", report.context.substr(slash + 1));
    Object body;
    body.set("state", word(report.verdict));
    body.set("description", report.description);
    body.set("context", named);
    const std::string request = std::to_string(number);
    const auto response =
        send("POST", site_.api() + "/pullRequests/" + request + "/statuses", forge::text_of(body),
             "cannot set the status " + report.context + " of pull request #" + request);
    if (!response) return Error(response.error());
    return {};
}

}  // namespace promotiond::azdo
