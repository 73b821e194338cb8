#include "standing.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>

#include <algorithm>
#include <utility>

#include "forge/answer.hpp"
#include "forge/names.hpp"

namespace promotiond::github {
namespace {

using forge::bad_answer;
using forge::is_same;
using forge::Names;
using forge::parse;
using forge::text;
using forge::truth;
using sdk::Result;
using Object = Poco::JSON::Object;

constexpr std::size_t kMostNamed = 5;  // of what is waited for, in one sentence

Object::Ptr inner(const Object::Ptr& object, const std::string& key) {
    return object.isNull() ? object : object->getObject(key);
}

Poco::JSON::Array::Ptr nodes_of(const Object::Ptr& connection) {
    return connection.isNull() ? Poco::JSON::Array::Ptr() : connection->getArray("nodes");
}

// An App is NAME as an actor and NAME[bot] as the viewer.
std::string account(std::string login) {
    constexpr std::string_view kBot = "[bot]";
    if (login.ends_with(kBot)) login.resize(login.size() - kBot.size());
    return login;
}

std::string shown(const std::string& raw) { return forge::words(raw, {}); }

// Empty if it has passed, else what it is waited for with.
std::string verdict(const Object& check) {
    if (text(check, "__typename") == "StatusContext") {
        const std::string state = text(check, "state");
        if (state == "SUCCESS") return {};
        return state == "FAILURE" || state == "ERROR" ? "failed" : "pending";
    }
    if (text(check, "status") != "COMPLETED") return "pending";
    const std::string conclusion = text(check, "conclusion");
    const bool passed =
        conclusion == "SUCCESS" || conclusion == "NEUTRAL" || conclusion == "SKIPPED";
    return passed ? std::string() : forge::lower(conclusion);
}

void read_checks(const Object::Ptr& request, Standing& standing) {
    const auto commits = nodes_of(inner(request, "commits"));
    const auto last = commits.isNull() ? Object::Ptr() : commits->getObject(0);
    const auto rollup = inner(inner(last, "commit"), "statusCheckRollup");
    const auto checks = nodes_of(inner(rollup, "contexts"));
    for (std::size_t i = 0; !checks.isNull() && i < checks->size(); ++i) {
        const auto check = checks->getObject(static_cast<unsigned>(i));
        if (check.isNull()) continue;
        std::string name = text(*check, "name");
        if (name.empty()) name = text(*check, "context");
        standing.checks.push_back(name);
        const std::string why = verdict(*check);
        if (why.empty() || !truth(*check, "isRequired")) continue;
        standing.waits_for.push_back("check " + shown(name) +
                                     (why == "pending" ? "" : " (" + shown(why) + ")"));
    }
    // A required check that nobody has begun is not among them.
    const auto rule = inner(inner(request, "baseRef"), "refUpdateRule");
    const auto required =
        rule.isNull() ? Poco::JSON::Array::Ptr() : rule->getArray("requiredStatusCheckContexts");
    Names wanted;
    for (std::size_t i = 0; !required.isNull() && i < required->size(); ++i) {
        wanted.push_back(required->getElement<std::string>(static_cast<unsigned>(i)));
    }
    for (const auto& name : forge::missing(wanted, standing.checks)) {
        standing.waits_for.push_back("check " + shown(name));
    }
}

void read_ways(const Object::Ptr& request, Standing& standing) {
    const auto repository = inner(request, "repository");
    if (repository.isNull()) return;
    standing.auto_merge_allowed = truth(*repository, "autoMergeAllowed");
    standing.methods.clear();
    for (const auto& [method, member] :
         {std::pair{"merge", "mergeCommitAllowed"}, std::pair{"squash", "squashMergeAllowed"},
          std::pair{"rebase", "rebaseMergeAllowed"}}) {
        if (truth(*repository, member)) standing.methods.emplace_back(method);
    }
}

// The last that happened to auto-merge or in the merge queue, if it was an end to it.
std::string put_aside(const Object::Ptr& request) {
    const auto events = nodes_of(inner(request, "timelineItems"));
    const auto last = events.isNull() || events->size() == 0 ? Object::Ptr() : events->getObject(0);
    if (last.isNull()) return {};
    const std::string kind = text(*last, "__typename");
    const std::string reason = shown(text(*last, "reason"));
    const std::string because = reason.empty() ? "" : " (" + reason + ")";
    if (kind == "RemovedFromMergeQueueEvent") {
        return "it was removed from the merge queue" + because;
    }
    if (kind == "AutoMergeDisabledEvent") return "its auto-merge was switched off" + because;
    return {};
}

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    const std::size_t most = std::min(names.size(), kMostNamed);
    for (std::size_t i = 0; i < most; ++i) {
        const bool last = i + 1 == names.size();
        out += (i == 0 ? "" : last ? " and " : ", ") + names[i];
    }
    if (names.size() > most) out += " and " + std::to_string(names.size() - most) + " more";
    return out;
}

}  // namespace

const std::string_view kStandingQuery =
    "query($id: ID!) { viewer { login } node(id: $id) { ... on PullRequest { "
    "mergeStateStatus reviewDecision isMergeQueueEnabled isInMergeQueue "
    "autoMergeRequest { enabledBy { login } } "
    "baseRef { refUpdateRule { requiredStatusCheckContexts } } "
    "commits(last: 1) { nodes { commit { statusCheckRollup { contexts(first: 100) { nodes { "
    "__typename "
    "... on StatusContext { context state isRequired(pullRequestId: $id) } "
    "... on CheckRun { name status conclusion isRequired(pullRequestId: $id) } } } } } } } "
    "timelineItems(last: 1, itemTypes: [ADDED_TO_MERGE_QUEUE_EVENT, "
    "REMOVED_FROM_MERGE_QUEUE_EVENT, AUTO_MERGE_ENABLED_EVENT, AUTO_MERGE_DISABLED_EVENT]) { "
    "nodes { __typename ... on RemovedFromMergeQueueEvent { reason } "
    "... on AutoMergeDisabledEvent { reason } } } "
    "repository { autoMergeAllowed mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed } "
    "} } }";

const std::string_view kPlainStandingQuery =
    "query($id: ID!) { viewer { login } node(id: $id) { ... on PullRequest { mergeStateStatus "
    "autoMergeRequest { enabledBy { login } } } } }";

Result<Standing> read_standing(std::string_view json) {
    try {
        const auto data = parse(json).extract<Object::Ptr>();
        const auto request = inner(data, "node");
        if (request.isNull() || text(*request, "mergeStateStatus").empty()) {
            return bad_answer("no pull request with a mergeStateStatus");
        }
        Standing standing;
        standing.merge_state = text(*request, "mergeStateStatus");
        standing.needs_queue = truth(*request, "isMergeQueueEnabled");
        standing.in_queue = truth(*request, "isInMergeQueue");
        const auto automatic = inner(request, "autoMergeRequest");
        standing.auto_merge = !automatic.isNull();
        const auto viewer = inner(data, "viewer");
        const auto setter = inner(automatic, "enabledBy");
        standing.set_by_caller =
            !viewer.isNull() && !setter.isNull() &&
            is_same(account(text(*viewer, "login")), account(text(*setter, "login")));
        read_checks(request, standing);
        const std::string decision = text(*request, "reviewDecision");
        if (decision == "REVIEW_REQUIRED") standing.waits_for.emplace_back("a review");
        if (decision == "CHANGES_REQUESTED") {
            standing.waits_for.emplace_back("the changes that a review asks for");
        }
        standing.put_aside = put_aside(request);
        read_ways(request, standing);
        return standing;
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

Result<Rules> read_rules(std::string_view json) {
    try {
        const auto root = parse(json);
        if (root.type() != typeid(Poco::JSON::Array::Ptr)) return bad_answer("no list of rules");
        const auto list = root.extract<Poco::JSON::Array::Ptr>();
        Rules rules;
        for (std::size_t i = 0; i < list->size(); ++i) {
            const auto rule = list->getObject(static_cast<unsigned>(i));
            if (rule.isNull()) return bad_answer("no list of rules");
            const std::string type = text(*rule, "type");
            const auto parameters = inner(rule, "parameters");
            if (type != "required_status_checks" || parameters.isNull()) {
                rules.others.push_back(type);
                continue;
            }
            const auto names =
                forge::each(parameters->getArray("required_status_checks"), "context");
            rules.checks.insert(rules.checks.end(), names.begin(), names.end());
        }
        return rules;
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

bool is_of_queue(std::string_view obstacle) {
    return obstacle.find("the merge queue") != std::string_view::npos;
}

std::string obstacle_of(const Standing& standing) {
    std::string out = standing.in_queue || standing.auto_merge ? std::string() : standing.put_aside;
    const auto add = [&out](const std::string& clause) {
        if (!clause.empty()) out += (out.empty() ? "" : "; ") + clause;
    };
    if (standing.in_queue) add("it is in the merge queue");
    if (standing.merge_state == "DIRTY") add("its branches conflict");
    if (standing.merge_state == "DRAFT") add("it is a draft");
    if (standing.merge_state == "BEHIND") add("its branch has to be brought up to date");
    if (standing.merge_state != "BLOCKED" || standing.in_queue) return out;
    if (!standing.waits_for.empty()) add("it waits for " + joined(standing.waits_for));
    else if (out.empty()) add("rules of the base branch are in the way");
    return out;
}

}  // namespace promotiond::github
