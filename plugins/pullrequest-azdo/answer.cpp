#include "answer.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>

#include <algorithm>
#include <utility>

#include "forge/answer.hpp"
#include "forge/names.hpp"

namespace promotiond::azdo {
namespace {

using forge::bad_answer;
using forge::is_same;
using forge::text;
using forge::truth;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestState;
using Object = Poco::JSON::Object;

constexpr std::size_t kLongestTitle = 400;         // characters (UTF-16 units)
constexpr std::size_t kLongestDescription = 4000;  // likewise
constexpr std::string_view kBranches = "refs/heads/";
constexpr std::string_view kWhite = " \t\r\n";

// Cut to so many UTF-16 units, with `end` in place of what is gone.
std::string cut(const std::string& whole, std::size_t most, std::string_view end) {
    std::size_t units = 0;
    std::size_t fits = 0;  // bytes that leave room for the end
    for (std::size_t at = 0; at < whole.size();) {
        const auto lead = static_cast<unsigned char>(whole[at]);
        const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
        if (units + end.size() <= most) fits = at;
        units += bytes == 4 ? 2 : 1;
        at += bytes;
    }
    return units <= most ? whole : whole.substr(0, fits) + std::string(end);
}

std::string branch_of(const Object& object, const std::string& key) {
    const std::string ref = text(object, key);
    return ref.starts_with(kBranches) ? ref.substr(kBranches.size()) : std::string();
}

// A name or an id, whichever the address has.
bool is_it(const Object& object, const std::string& wanted) {
    return is_same(text(object, "name"), wanted) || is_same(text(object, "id"), wanted);
}

bool is_ours(const Object& pull, const Site& site) {
    const auto repository = pull.getObject("repository");
    if (repository.isNull() || !is_it(*repository, site.repo)) return false;
    const auto project = repository->getObject("project");
    return !project.isNull() && is_it(*project, site.project);
}

// `completed` comes a while after completion was asked for; until then it is active.
std::optional<PullRequestState> state_of(const Object& object) {
    const std::string status = text(object, "status");
    if (status == "active") return PullRequestState::Open;
    if (status == "completed") return PullRequestState::Merged;
    if (status == "abandoned") return PullRequestState::Closed;
    return std::nullopt;
}

bool has_conflicts(const Object& object) { return text(object, "mergeStatus") == "conflicts"; }

std::string obstacle_of(const Object& object) {
    const std::string status = text(object, "mergeStatus");
    if (has_conflicts(object)) return "its branches conflict (mergeStatus conflicts)";
    if (status == "rejectedByPolicy") {
        return "a branch policy rejects it (mergeStatus rejectedByPolicy)";
    }
    if (status != "failure") return {};
    const std::string why = forge::words(text(object, "mergeFailureMessage"), {});
    return "the merge failed (mergeStatus failure" + (why.empty() ? "" : ": " + why) + ")";
}

Completion completion_of(const Object& object) {
    Completion out;
    const auto options = object.getObject("completionOptions");
    if (options.isNull()) return out;
    out.merge_strategy = text(*options, "mergeStrategy");
    out.delete_source_branch = truth(*options, "deleteSourceBranch");
    out.transition_work_items = truth(*options, "transitionWorkItems");
    out.merge_commit_message = text(*options, "mergeCommitMessage");
    const auto ignored = options->getArray("autoCompleteIgnoreConfigIds");
    for (std::size_t i = 0; !ignored.isNull() && i < ignored->size(); ++i) {
        const auto id = ignored->get(static_cast<unsigned>(i));
        if (id.isInteger()) out.ignored_policies.push_back(id.convert<Poco::Int64>());
    }
    return out;
}

// Each by all of its names.
std::vector<std::string> reviewers_of(const Object& object) {
    std::vector<std::string> out;
    for (const char* member : {"id", "uniqueName", "displayName"}) {
        auto some = forge::each(object.getArray("reviewers"), member);
        out.insert(out.end(), some.begin(), some.end());
    }
    return out;
}

std::string member_of(const Object& object, const std::string& key, const std::string& member) {
    const auto nested = object.getObject(key);
    return nested.isNull() ? std::string() : text(*nested, member);
}

Result<Seen> to_pull_request(const Object& object, const Site& site) {
    Seen seen;
    PullRequest& request = seen.request;
    request.number = forge::positive_number(object, "pullRequestId");
    if (request.number == 0) return bad_answer("a pull request without a positive pullRequestId");
    if (!is_ours(object, site)) {
        return bad_answer("the pull request is of another repository than " + site.project + "/" +
                          site.repo + "; if it was renamed, change the Pipeline's url");
    }
    const auto state = state_of(object);
    if (!state) {
        return bad_answer("a pull request that is neither active, completed nor abandoned");
    }
    request.state = *state;
    request.url = site.page_of(request.number);
    // The branch of somebody's fork is not our branch, whatever it is called.
    if (object.isNull("forkSource")) request.head_branch = branch_of(object, "sourceRefName");
    request.base_branch = branch_of(object, "targetRefName");
    request.head_sha = member_of(object, "lastMergeSourceCommit", "commitId");
    request.title = text(object, "title");
    request.body = text(object, "description");
    request.draft = truth(object, "isDraft");
    request.reviewers = reviewers_of(object);
    request.labels = forge::each(object.getArray("labels"), "name");
    request.obstacle = obstacle_of(object);
    request.conflicts = has_conflicts(object);
    if (*state == PullRequestState::Merged) {
        request.merge_commit_sha = member_of(object, "lastMergeCommit", "commitId");
    }
    seen.auto_complete_by = forge::lower(member_of(object, "autoCompleteSetBy", "id"));
    if (seen.auto_complete_by.find_first_not_of("0-") == std::string::npos) {
        seen.auto_complete_by.clear();
    }
    request.auto_merge = !seen.auto_complete_by.empty();
    seen.completion = completion_of(object);
    const auto repository = object.getObject("repository");
    seen.repository_id = text(*repository, "id");
    seen.project_id = member_of(*repository, "project", "id");
    return seen;
}

// Throws Poco::Exception. Null: not an object.
Object::Ptr object_of(std::string_view json) {
    const auto root = forge::parse(json);
    return root.type() == typeid(Object::Ptr) ? root.extract<Object::Ptr>() : Object::Ptr();
}

// What every list has around it: {"count": 2, "value": [...]}. Throws Poco::Exception.
Poco::JSON::Array::Ptr list_of(std::string_view json) {
    const auto root = object_of(json);
    return root.isNull() ? Poco::JSON::Array::Ptr() : root->getArray("value");
}

}  // namespace

sdk::gitops::PullRequestText fitted(const sdk::gitops::PullRequestText& text) {
    return {cut(text.title, kLongestTitle, "..."),
            cut(text.body, kLongestDescription, "\n\n(cut: Azure DevOps takes 4000 characters)")};
}

bool is_same_text(std::string_view a, std::string_view b) {
    const auto plain = [](std::string_view text) {
        std::string out;
        for (const char c : text) {
            if (c != '\r') out += c;
        }
        const auto first = out.find_first_not_of(kWhite);
        if (first == std::string::npos) return std::string();
        return out.substr(first, out.find_last_not_of(kWhite) - first + 1);
    };
    return plain(a) == plain(b);
}

Result<Seen> read_pull_request(std::string_view json, const Site& site) {
    try {
        const auto root = object_of(json);
        if (root.isNull()) return bad_answer("not a pull request");
        return to_pull_request(*root, site);
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

Result<Page> read_page(std::string_view json, const Site& site, const std::string& head,
                       const std::string& base) {
    try {
        const auto list = list_of(json);
        if (list.isNull()) return bad_answer("not a list of pull requests");
        Page page;
        page.size = list->size();
        for (std::size_t i = 0; i < list->size(); ++i) {
            const auto entry = list->getObject(static_cast<unsigned>(i));
            if (entry.isNull()) return bad_answer("not a list of pull requests");
            const auto seen = to_pull_request(*entry, site);
            if (!seen) return sdk::Error(seen.error());
            const PullRequest& request = seen->request;
            if (request.head_branch != head || request.state != PullRequestState::Open) continue;
            if (request.base_branch == base) {
                page.number = request.number;
                return page;
            }
            if (!page.number) page.number = request.number;
        }
        return page;
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

Result<std::vector<std::string>> read_list(std::string_view json, const std::string& member) {
    try {
        const auto list = list_of(json);
        if (list.isNull()) return bad_answer("not a list");
        return forge::each(list, member);
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

Result<std::string> read_own_identity(std::string_view json) {
    try {
        const auto root = object_of(json);
        const std::string id =
            root.isNull() ? std::string() : member_of(*root, "authenticatedUser", "id");
        if (!is_guid(id)) return bad_answer("connectionData without the caller's identity");
        return forge::lower(id);
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

sdk::Error not_done(const std::string& doing) {
    return {sdk::ErrorKind::Transient, doing + ": Azure DevOps has answered and changed nothing"};
}

bool is_guid(std::string_view text) {
    constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    return text.size() == kShape.size() &&
           std::equal(text.begin(), text.end(), kShape.begin(), [](char c, char shape) {
               return shape == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
           });
}

}  // namespace promotiond::azdo
