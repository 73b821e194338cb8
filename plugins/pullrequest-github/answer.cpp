#include "answer.hpp"

#include <Poco/Dynamic/Var.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/URI.h>

#include <algorithm>

#include "forge/answer.hpp"
#include "forge/names.hpp"

namespace promotiond::github {
namespace {

using forge::bad_answer;
using forge::each;
using forge::lower;
using forge::parse;
using forge::pause_of;
using forge::text;
using forge::truth;
using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestState;
using Object = Poco::JSON::Object;

// head.repo.full_name and the like; empty where anything is missing (a deleted fork is null).
std::string repository_of(const Object& side) {
    const auto repo = side.getObject("repo");
    return repo.isNull() ? std::string() : lower(text(*repo, "full_name"));
}

// By the parts of the address: in https://github.com:x@elsewhere/ the first name is a user.
bool is_link_to(const std::string& url, const Site& site) {
    if (!std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7F; })) {
        return false;
    }
    try {
        const Poco::URI parts(url);
        return parts.getScheme() == "https" && parts.getUserInfo().empty() &&
               lower(parts.getHost()) == site.host && url.find('\\') == std::string::npos;
    } catch (const Poco::Exception&) {
        return false;
    }
}

std::optional<PullRequestState> state_of(const Object& object) {
    if (truth(object, "merged") || !text(object, "merged_at").empty()) {
        return PullRequestState::Merged;
    }
    const std::string state = text(object, "state");
    if (state == "open") return PullRequestState::Open;
    if (state == "closed") return PullRequestState::Closed;
    return std::nullopt;
}

Result<PullRequest> to_pull_request(const Object& object, const Site& site) {
    PullRequest request;
    request.number = forge::positive_number(object, "number");
    if (request.number == 0) return bad_answer("a pull request without a positive number");
    request.url = text(object, "html_url");
    if (!is_link_to(request.url, site)) {
        return bad_answer("the pull request's html_url is not https on " + site.host);
    }
    const auto head = object.getObject("head");
    const auto base = object.getObject("base");
    if (head.isNull() || base.isNull()) return bad_answer("a pull request without head or base");
    const std::string ours = lower(site.owner + "/" + site.repo);
    if (repository_of(*base) != ours) {
        return bad_answer("the pull request is of another repository than " + ours +
                          "; if it was renamed, change the Pipeline's url");
    }
    // The branch of somebody's fork is not our branch, whatever it is called.
    if (repository_of(*head) == ours) request.head_branch = text(*head, "ref");
    request.head_sha = text(*head, "sha");
    request.base_branch = text(*base, "ref");
    request.title = text(object, "title");
    request.body = text(object, "body");
    const auto state = state_of(object);
    if (!state) return bad_answer("a pull request that is neither open nor closed");
    request.state = *state;
    request.draft = truth(object, "draft");
    request.auto_merge = !object.isNull("auto_merge");
    request.node_id = text(object, "node_id");
    request.merge_commit_sha = text(object, "merge_commit_sha");
    request.conflicts = text(object, "mergeable_state") == "dirty";
    request.labels = each(object.getArray("labels"), "name");
    request.reviewers = each(object.getArray("requested_reviewers"), "login");
    request.team_reviewers = each(object.getArray("requested_teams"), "slug");
    request.assignees = each(object.getArray("assignees"), "login");
    return request;
}

std::string words(std::string_view raw, std::string_view token) {
    return forge::words(raw, {token});
}

// message, then errors: a string, or a list of objects and strings.
std::string said(std::string_view body) {
    try {
        const auto root = parse(body).extract<Object::Ptr>();
        std::string out = text(*root, "message");
        if (const auto plain = text(*root, "errors"); !plain.empty()) out += "; " + plain;
        const auto errors = root->getArray("errors");
        for (std::size_t i = 0; !errors.isNull() && i < errors->size(); ++i) {
            const auto entry = errors->get(static_cast<unsigned>(i));
            std::string one = entry.isString() ? entry.extract<std::string>() : std::string();
            if (const auto object = errors->getObject(static_cast<unsigned>(i)); !object.isNull()) {
                one = text(*object, "message");
                if (one.empty()) one = text(*object, "field") + " " + text(*object, "code");
            }
            out += "; " + one;
        }
        return out;
    } catch (const Poco::Exception&) {
        return "an answer that is not JSON";
    }
}

bool is_throttle(const sdk::HttpResponse& response, const std::string& message) {
    if (response.code == 429) return true;
    if (response.code != 403) return false;
    return response.header("x-ratelimit-remaining") == "0" ||
           !response.header("retry-after").empty() ||
           lower(message).find("rate limit") != std::string::npos ||
           lower(message).find("abuse detection") != std::string::npos;  // older Enterprise Server
}

ErrorKind kind_of(int code, const std::string& message) {
    switch (code) {
        case 401:
        case 403: return ErrorKind::Unauthorized;
        case 404:
        case 410: return ErrorKind::NotFound;
        case 409: return ErrorKind::Conflict;
        case 408: return ErrorKind::Transient;
        case 422:
            return message.find("already exists") != std::string::npos ? ErrorKind::Conflict
                                                                       : ErrorKind::Invalid;
        default: return code >= 300 && code < 500 ? ErrorKind::Invalid : ErrorKind::Transient;
    }
}

std::string advice(const sdk::HttpResponse& response, std::string_view token) {
    switch (response.code) {
        case 401: return "; the token was refused: renew it in the secret";
        case 403: {
            const auto needed = response.header("x-accepted-github-permissions");
            return needed.empty() ? "" : "; the token needs " + words(needed, token);
        }
        case 404: return "; it does not exist, or the token may not see it";
        case 301:
        case 302:
        case 307:
        case 308:
            return "; it has moved to " + words(response.header("location"), token) +
                   ": change the Pipeline's url";
        default: return {};
    }
}

}  // namespace

Result<PullRequest> read_pull_request(std::string_view json, const Site& site) {
    try {
        const auto root = parse(json);
        if (root.type() != typeid(Object::Ptr)) return bad_answer("not a pull request");
        return to_pull_request(*root.extract<Object::Ptr>(), site);
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

Result<std::optional<PullRequest>> pick_pull_request(std::string_view json, const Site& site,
                                                     const std::string& head,
                                                     const std::string& base) {
    try {
        const auto root = parse(json);
        if (root.type() != typeid(Poco::JSON::Array::Ptr)) {
            return bad_answer("not a list of pull requests");
        }
        const auto list = root.extract<Poco::JSON::Array::Ptr>();
        std::optional<PullRequest> elsewhere;
        for (std::size_t i = 0; i < list->size(); ++i) {
            const auto entry = list->getObject(static_cast<unsigned>(i));
            if (entry.isNull()) return bad_answer("not a list of pull requests");
            auto request = to_pull_request(*entry, site);
            if (!request) return std::move(request).error();
            if (request->head_branch != head || request->state != PullRequestState::Open) continue;
            if (request->base_branch == base) return std::optional(*std::move(request));
            if (!elsewhere) elsewhere = *std::move(request);
        }
        return elsewhere;
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

bool tells_merge_state(std::string_view json) {
    try {
        return !text(*parse(json).extract<Object::Ptr>(), "mergeable_state").empty();
    } catch (const Poco::Exception&) {
        return false;
    }
}

Result<std::vector<std::string>> read_reviewers(std::string_view json) {
    try {
        const auto root = parse(json);
        if (root.type() != typeid(Poco::JSON::Array::Ptr)) return bad_answer("no list of reviews");
        const auto list = root.extract<Poco::JSON::Array::Ptr>();
        std::vector<std::string> out;
        for (std::size_t i = 0; i < list->size(); ++i) {
            const auto review = list->getObject(static_cast<unsigned>(i));
            if (review.isNull()) return bad_answer("no list of reviews");
            const auto user = review->getObject("user");  // null for a deleted account
            if (!user.isNull()) out.push_back(text(*user, "login"));
        }
        return out;
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
    }
}

Error read_problem(const sdk::HttpResponse& response, std::string_view token,
                   std::chrono::sys_time<std::chrono::milliseconds> now) {
    const std::string message = words(said(response.body), token);
    const std::string status = "HTTP " + std::to_string(response.code) + ", " + message;
    if (is_throttle(response, message)) {
        return {ErrorKind::Throttled, status, pause_of(response, now)};
    }
    Error error{kind_of(response.code, message), status + advice(response, token)};
    if (response.code == 503 && !response.header("retry-after").empty()) {
        error.retry_after = pause_of(response, now);
    }
    return error;
}

// A budget that is used up has the type RATE_LIMITED and HTTP 200 (docs.github.com, "Rate limits
// and query limits for the GraphQL API", 2026-11).
Error read_graphql_problem(const sdk::HttpResponse& response, std::string_view token,
                           std::chrono::sys_time<std::chrono::milliseconds> now) {
    sdk::HttpResponse problem = response;
    const bool spent = response.body.find("\"RATE_LIMITED\"") != std::string::npos;
    problem.code = spent ? 429 : 422;
    return read_problem(problem, token, now);
}

}  // namespace promotiond::github
