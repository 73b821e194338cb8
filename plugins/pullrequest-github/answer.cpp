#include "answer.hpp"

#include <Poco/Dynamic/Var.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>
#include <Poco/URI.h>

#include <algorithm>
#include <charconv>

namespace promotiond::github {
namespace {

using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestState;
using Object = Poco::JSON::Object;

constexpr std::size_t kDeepestAnswer = 30;
constexpr std::size_t kLongestWords = 300;  // bytes of the other side's text in a message
constexpr std::chrono::seconds kLeastPause{1};
constexpr std::chrono::seconds kUsualPause{60};  // what GitHub asks for without a number
constexpr std::chrono::seconds kMostPause{3600};

Error bad_answer(std::string_view what) {
    return {ErrorKind::Transient, "bad answer: " + std::string(what)};
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return out;
}

// Throws Poco::Exception for what is not JSON.
Poco::Dynamic::Var parse(std::string_view json) {
    Poco::JSON::Parser parser;
    parser.setDepth(kDeepestAnswer);
    return parser.parse(std::string(json));
}

std::string text(const Object& object, const std::string& key) {
    const auto value = object.get(key);
    return value.isString() ? value.extract<std::string>() : std::string();
}

bool truth(const Object& object, const std::string& key) {
    const auto value = object.get(key);
    return value.isBoolean() && value.extract<bool>();
}

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

std::uint64_t number_of(const Object& object) {
    const auto value = object.get("number");
    if (!value.isInteger() || value.isBoolean()) return 0;
    const auto number = value.convert<Poco::Int64>();
    return number > 0 ? static_cast<std::uint64_t>(number) : 0;
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

// One member of each object in a list; what has none is passed over.
std::vector<std::string> each(const Object& object, const std::string& list,
                              const std::string& member) {
    std::vector<std::string> out;
    const auto array = object.getArray(list);
    for (std::size_t i = 0; !array.isNull() && i < array->size(); ++i) {
        const auto entry = array->getObject(static_cast<unsigned>(i));
        if (entry.isNull()) continue;
        if (auto one = text(*entry, member); !one.empty()) out.push_back(std::move(one));
    }
    return out;
}

Result<PullRequest> to_pull_request(const Object& object, const Site& site) {
    PullRequest request;
    request.number = number_of(object);
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
    request.labels = each(object, "labels", "name");
    request.reviewers = each(object, "requested_reviewers", "login");
    request.team_reviewers = each(object, "requested_teams", "slug");
    request.assignees = each(object, "assignees", "login");
    return request;
}

// The token goes before anything is cut, so that no part of it is left at the end.
std::string words(std::string_view raw, std::string_view token) {
    std::string out;
    while (!raw.empty() && out.size() < kLongestWords) {
        const bool secret = !token.empty() && raw.starts_with(token);
        out += secret ? "***" : std::string(1, raw.front());
        raw.remove_prefix(secret ? token.size() : 1);
    }
    out.resize(std::min(out.size(), kLongestWords));
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E) c = ' ';
    }
    return out;
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

std::optional<std::int64_t> number_in(std::string_view text) {
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    return number;
}

std::chrono::milliseconds pause_of(const sdk::HttpResponse& response,
                                   std::chrono::sys_time<std::chrono::milliseconds> now) {
    std::chrono::seconds pause = kUsualPause;
    if (const auto after = number_in(response.header("retry-after"))) {
        pause = std::chrono::seconds(std::clamp<std::int64_t>(*after, 0, kMostPause.count()));
    } else if (const auto reset = number_in(response.header("x-ratelimit-reset"));
               reset && response.header("x-ratelimit-remaining") == "0") {
        const auto second =
            std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
        const bool ahead = *reset > second;
        pause = std::chrono::seconds(
            ahead ? std::min<std::int64_t>(*reset - second, kMostPause.count()) : 0);
    }
    return std::clamp(pause, kLeastPause, kMostPause);
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
        for (std::size_t i = 0; i < list->size(); ++i) {
            const auto entry = list->getObject(static_cast<unsigned>(i));
            if (entry.isNull()) return bad_answer("not a list of pull requests");
            auto request = to_pull_request(*entry, site);
            if (!request) return std::move(request).error();
            if (request->head_branch != head || request->base_branch != base) continue;
            if (request->state == PullRequestState::Open) return std::optional(*std::move(request));
        }
        return std::optional<PullRequest>();
    } catch (const Poco::Exception&) {
        return bad_answer("not JSON, or cut off");
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

}  // namespace promotiond::github
