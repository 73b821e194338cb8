#include "github.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/URI.h>

#include <algorithm>
#include <utility>

#include "answer.hpp"
#include "forge/answer.hpp"

namespace promotiond::github {
namespace {

using forge::text_of;
using sdk::Error;
using sdk::ErrorKind;
using sdk::HttpResponse;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestText;
using Object = Poco::JSON::Object;

constexpr std::uint64_t kLargestAnswer = 8u << 20;  // bytes: a page of 100 pull requests

bool is_name(const std::string& text) {
    const bool letters = std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    return letters && !text.empty() && text != "." && text != "..";
}

// No user, which would be a password on the way to logs, no query, and a host to ask.
bool is_api_address(const std::string& url) {
    constexpr std::string_view kScheme = "https://";
    if (!url.starts_with(kScheme) || url.size() == kScheme.size()) return false;
    if (std::isalnum(static_cast<unsigned char>(url[kScheme.size()])) == 0) return false;
    return std::all_of(url.begin(), url.end(), [](char c) {
        return c > 0x20 && c < 0x7F && c != '@' && c != '?' && c != '#' && c != '\\';
    });
}

// host[:port] and path of the three spellings of a repository's address.
std::pair<std::string, std::string> authority_and_path(std::string url) {
    bool scp = true;
    for (const std::string scheme : {"https://", "ssh://"}) {
        if (!url.starts_with(scheme)) continue;
        url.erase(0, scheme.size());
        scp = false;
    }
    if (const auto at = url.find('@'); at < url.find('/')) url.erase(0, at + 1);
    const auto cut = url.find(scp ? ':' : '/');
    if (cut == std::string::npos) return {};
    return {url.substr(0, cut), url.substr(cut + 1)};
}

// {"resource": "PullRequest", "field": "head", "code": "invalid"}: no such branch, although it has
// just been pushed. Somebody deleted it, or the API is behind git.
Error conflict_if_branch_is_gone(Error error) {
    const bool gone = error.kind == ErrorKind::Invalid &&
                      error.message.find("; head invalid") != std::string::npos;
    if (gone) error.kind = ErrorKind::Conflict;
    return error;
}

void set_api(Site& site, const std::string& authority, const std::string& api_url) {
    constexpr std::string_view kCloud = ".ghe.com";
    if (!api_url.empty()) {
        site.api = api_url;
        while (site.api.ends_with('/')) site.api.pop_back();
        // Enterprise Server has REST below /api/v3 and GraphQL beside it.
        constexpr std::string_view kVersion = "/v3";
        const bool versioned = site.api.ends_with(kVersion);
        site.graphql =
            site.api.substr(0, site.api.size() - (versioned ? kVersion.size() : 0)) + "/graphql";
    } else if (site.host == "github.com") {
        site.api = "https://api.github.com";
        site.graphql = site.api + "/graphql";
    } else if (site.host.ends_with(kCloud)) {
        site.api = "https://api." + site.host;
        site.graphql = site.api + "/graphql";
    } else {
        site.api = "https://" + authority + "/api/v3";
        site.graphql = "https://" + authority + "/api/graphql";
    }
}

}  // namespace

std::string encoded(const std::string& text) {
    std::string out;
    Poco::URI::encode(text, "!*'();:@&=+$,/?#[]", out);
    return out;
}

Result<Site> site_of(const std::string& url, const std::string& api_url) {
    const auto [authority, full_path] = authority_and_path(url);
    std::string path = full_path;
    if (path.ends_with('/')) path.pop_back();
    if (path.ends_with(".git")) path.resize(path.size() - 4);
    const auto slash = path.find('/');
    Site site;
    if (slash != std::string::npos) {
        site.owner = path.substr(0, slash);
        site.repo = path.substr(slash + 1);
    }
    if (authority.empty() || !is_name(site.owner) || !is_name(site.repo)) {
        return Error{ErrorKind::Invalid,
                     "url \"" + url + "\" is not https://HOST/OWNER/REPOSITORY"};
    }
    if (!api_url.empty() && !is_api_address(api_url)) {
        return Error{ErrorKind::Invalid,
                     "the API's address (apiUrl, or githubAppBaseURL in the secret) is not "
                     "https://HOST/PATH"};
    }
    site.host = authority.substr(0, authority.find(':'));
    std::transform(site.host.begin(), site.host.end(), site.host.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // Where ssh goes through port 443 it has a host of its own (docs.github.com, "Using SSH over
    // the HTTPS port", 2026-11).
    if (site.host == "ssh.github.com") site.host = "github.com";
    // The port of an ssh address says nothing about the API's.
    set_api(site, url.starts_with("https://") ? authority : site.host, api_url);
    return site;
}

Result<HttpResponse> exchange(const sdk::Call& call, const Access& access, sdk::HttpRequest request,
                              const std::string& doing) {
    forge::charge(request, access.urgency);
    request.headers.insert(request.headers.end(),
                           {{"Accept", "application/vnd.github+json"},
                            {"X-GitHub-Api-Version", "2022-11-28"},
                            {"Authorization", "Bearer " + std::string(access.token.reveal())}});
    if (!request.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    request.max_response_bytes = kLargestAnswer;
    request.ca_pem = access.ca_pem;
    request.proxy = access.proxy;
    auto response = call.http(request);
    if (!response) return context(std::move(response).error(), doing);
    if ((response->code >= 200 && response->code < 300) || response->code == 304) return response;
    return context(read_problem(*response, access.token.reveal(), call.now()), doing);
}

GitHub::GitHub(const sdk::Call& call, Site site, Access access)
    : call_(call), site_(std::move(site)), access_(std::move(access)) {}

std::string GitHub::repository() const { return "/repos/" + site_.owner + "/" + site_.repo; }

std::string GitHub::pulls() const { return repository() + "/pulls"; }

Result<HttpResponse> GitHub::send(const std::string& method, const std::string& path,
                                  const std::string& body, const std::string& doing) {
    sdk::HttpRequest request;
    request.method = method;
    request.url = site_.api + path;
    request.body = body;
    return exchange(call_, access_, std::move(request), doing);
}

Result<HttpResponse> GitHub::look_again(const std::string& path, const std::string& doing) {
    sdk::HttpRequest request;
    request.url = site_.api + path;
    const std::string url = request.url;
    const auto known = access_.remembered != nullptr ? access_.remembered->find(url) : std::nullopt;
    if (known) request.headers.emplace_back("If-None-Match", known->etag);
    auto response = exchange(call_, access_, std::move(request), doing);
    if (!response || access_.remembered == nullptr) return response;
    if (response->code == 304 && known) {
        response->body = known->body;
    } else if (const std::string etag(response->header("etag")); !etag.empty()) {
        access_.remembered->keep(url, {etag, response->body});
    }
    return response;
}

Result<PullRequest> GitHub::read(const HttpResponse& response, const std::string& doing) {
    auto request = read_pull_request(response.body, site_);
    if (!request) return context(std::move(request).error(), doing);
    request->etag = std::string(response.header("etag"));
    return request;
}

Result<std::optional<PullRequest>> GitHub::find_open(const std::string& head,
                                                     const std::string& base) {
    const std::string doing = "cannot list pull requests of " + site_.owner + "/" + site_.repo;
    const auto response = send(
        "GET", pulls() + "?state=open&head=" + encoded(site_.owner + ":" + head) + "&per_page=100",
        "", doing);
    if (!response) return Error(response.error());
    auto found = pick_pull_request(response->body, site_, head, base);
    if (!found) return context(std::move(found).error(), doing);
    return found;
}

Result<PullRequest> GitHub::create(const std::string& head, const std::string& base,
                                   const PullRequestText& text, bool draft) {
    const std::string doing = "cannot create the pull request from " + head + " into " + base;
    Object body;
    body.set("title", text.title);
    body.set("head", head);
    body.set("base", base);
    body.set("body", text.body);
    body.set("draft", draft);
    const auto response = send("POST", pulls(), text_of(body), doing);
    if (!response) return conflict_if_branch_is_gone(response.error());
    auto request = read(*response, doing);
    if (request && (request->head_branch != head || request->base_branch != base)) {
        return Error{ErrorKind::Transient, doing + ": bad answer: it has other branches"};
    }
    if (request) created_ = request->number;
    return request;
}

Result<PullRequest> GitHub::update(const PullRequest& existing, const PullRequestText& text) {
    const std::string number = std::to_string(existing.number);
    const std::string doing = "cannot update pull request #" + number;
    Object body;
    body.set("title", text.title);
    body.set("body", text.body);
    const auto response = send("PATCH", pulls() + "/" + number, text_of(body), doing);
    if (!response) return Error(response.error());
    auto request = read(*response, doing);
    if (request && request->number != existing.number) {
        return Error{ErrorKind::Transient, doing + ": bad answer: it has another number"};
    }
    return request;
}

Result<void> GitHub::close(const PullRequest& existing) {
    const std::string number = std::to_string(existing.number);
    Object body;
    body.set("state", "closed");
    sdk::HttpRequest request;
    request.method = "PATCH";
    request.url = site_.api + pulls() + "/" + number;
    request.body = text_of(body);
    forge::charge(request, at_least(forge::Urgency::Merge));
    const auto response =
        exchange(call_, access_, std::move(request), "cannot close pull request #" + number);
    if (!response) return Error(response.error());
    return {};
}

}  // namespace promotiond::github
