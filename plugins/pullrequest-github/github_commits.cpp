// What GitHub knows of a commit.
#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "forge/answer.hpp"
#include "github.hpp"

namespace promotiond::github {
namespace {

using forge::bad_answer;
using sdk::Error;
using sdk::Result;
using sdk::gitops::CommitStatus;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestState;
using sdk::gitops::Verdict;

constexpr std::size_t kPage = 100;
constexpr std::size_t kLongestDescription = 140;
constexpr int kMostPages = 10;  // GitHub keeps 1000 statuses of a commit and context

// Calls back for each object of a list; its length.
template <class Take>
Result<std::size_t> each_of(const std::string& json, const Take& take) {
    try {
        const auto list = forge::parse(json).extract<Poco::JSON::Array::Ptr>();
        for (std::size_t i = 0; i < list->size(); ++i) {
            const auto entry = list->getObject(static_cast<unsigned>(i));
            if (entry.isNull()) return bad_answer("not a list of objects");
            take(*entry);
        }
        return list->size();
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

Verdict verdict_of(const std::string& state) {
    if (state == "success") return Verdict::Success;
    return state == "pending" ? Verdict::Pending : Verdict::Failure;
}

std::string word(Verdict verdict) {
    if (verdict == Verdict::Success) return "success";
    return verdict == Verdict::Pending ? "pending" : "failure";
}

}  // namespace

// Newest first, as GitHub lists them.
Result<std::vector<CommitStatus>> GitHub::statuses(const std::string& commit) {
    const std::string doing = "cannot list the statuses of " + commit;
    std::vector<CommitStatus> out;
    for (int page = 1; page <= kMostPages; ++page) {
        const auto response = look_again(repository() + "/commits/" + commit +
                                             "/statuses?per_page=" + std::to_string(kPage) +
                                             "&page=" + std::to_string(page),
                                         doing);
        if (!response) return Error(response.error());
        const auto size = each_of(response->body, [&](const Poco::JSON::Object& status) {
            out.push_back({forge::text(status, "context"), std::nullopt,
                           verdict_of(forge::text(status, "state"))});
        });
        if (!size) return context(Error(size.error()), doing);
        if (*size < kPage) break;
    }
    return out;
}

// A list of the pull requests that brought the commit; the one that is asked for made it.
Result<std::optional<PullRequest>> GitHub::merged_as(const std::string& commit) {
    const std::string doing = "cannot look for the pull request that made " + commit;
    const auto response = send("GET",
                               "/repos/" + site_.owner + "/" + site_.repo + "/commits/" + commit +
                                   "/pulls?per_page=" + std::to_string(kPage),
                               "", doing);
    if (!response) return Error(response.error());
    std::uint64_t number = 0;
    const auto size = each_of(response->body, [&](const Poco::JSON::Object& pull) {
        const bool merged = !forge::text(pull, "merged_at").empty();
        if (merged && forge::text(pull, "merge_commit_sha") == commit)
            number = forge::positive_number(pull, "number");
    });
    if (!size) return context(Error(size.error()), doing);
    if (number == 0) return std::optional<PullRequest>();
    auto found = by_number(number, "");
    if (found && *found && (*found)->state != PullRequestState::Merged)
        return std::optional<PullRequest>();
    return found;
}

// A merge may wait for it.
Result<void> GitHub::publish(const std::string& commit, std::uint64_t,
                             const sdk::gitops::StatusReport& report) {
    const forge::Raised raised(access_.urgency, forge::Urgency::Merge);
    Poco::JSON::Object body;
    body.set("state", word(report.verdict));
    body.set("context", report.context);
    body.set("description", report.description.substr(0, kLongestDescription));
    const auto response =
        send("POST", "/repos/" + site_.owner + "/" + site_.repo + "/statuses/" + commit,
             forge::text_of(body), "cannot set the status " + report.context + " of " + commit);
    if (!response) return Error(response.error());
    return {};
}

}  // namespace promotiond::github
