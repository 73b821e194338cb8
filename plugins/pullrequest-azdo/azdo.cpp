#include "azdo.hpp"

#include <Poco/JSON/Object.h>

#include <algorithm>
#include <utility>

#include "forge/answer.hpp"

namespace promotiond::azdo {
namespace {

using forge::text_of;
using sdk::Error;
using sdk::ErrorKind;
using sdk::HttpRequest;
using sdk::HttpResponse;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestState;
using sdk::gitops::PullRequestText;
using Object = Poco::JSON::Object;

constexpr std::size_t kPage = 100;
constexpr std::size_t kMostPages = 10;  // of pull requests between the same two branches

std::string ref_of(const std::string& branch) { return "refs/heads/" + branch; }

Poco::JSON::Array references(const std::vector<std::uint64_t>& ids) {
    Poco::JSON::Array array;
    for (const auto id : ids) {
        Object reference;
        reference.set("id", std::to_string(id));
        array.add(reference);
    }
    return array;
}

}  // namespace

AzureRepos::AzureRepos(const sdk::Call& call, Site site, Access access, Options options)
    : call_(call),
      site_(std::move(site)),
      access_(std::move(access)),
      options_(std::move(options)) {}

std::string AzureRepos::pulls() const { return site_.api() + "/pullrequests"; }

std::string AzureRepos::pull(std::uint64_t number) const {
    return pulls() + "/" + std::to_string(number);
}

Result<HttpResponse> AzureRepos::ask(HttpRequest request, const std::string& doing,
                                     const std::string& preview) {
    request.url += (request.url.find('?') == std::string::npos ? "?" : "&");
    request.url += "api-version=" + options_.api_version + preview;
    return exchange(call_, access_, std::move(request), doing);
}

Result<HttpResponse> AzureRepos::send(const std::string& method, const std::string& url,
                                      const std::string& body, const std::string& doing) {
    HttpRequest request;
    request.method = method;
    request.url = url;
    request.body = body;
    return ask(std::move(request), doing);
}

Result<Seen> AzureRepos::read(const HttpResponse& response, const std::string& doing) {
    auto seen = read_pull_request(response.body, site_);
    if (!seen) return context(std::move(seen).error(), doing);
    seen_ = *seen;
    return seen;
}

Result<Seen> AzureRepos::look(std::uint64_t number) {
    const std::string doing = "cannot look at pull request #" + std::to_string(number);
    const auto response = send("GET", pull(number), "", doing);
    if (!response) return Error(response.error());
    auto seen = read(*response, doing);
    if (seen && seen->request.number != number) {
        return Error{ErrorKind::Transient, doing + ": bad answer: it has another number"};
    }
    return seen;
}

Result<Seen> AzureRepos::patch(std::uint64_t number, const std::string& body,
                               const std::string& doing) {
    const auto response = send("PATCH", pull(number), body, doing);
    if (!response) return Error(response.error());
    auto seen = read(*response, doing);
    if (seen && seen->request.number != number) {
        return Error{ErrorKind::Transient, doing + ": bad answer: it has another number"};
    }
    return seen;
}

// A list cuts descriptions to 400 characters, so the one that is found is read by itself.
Result<std::optional<PullRequest>> AzureRepos::find_open(const std::string& head,
                                                         const std::string& base) {
    const std::string doing = "cannot list pull requests of " + site_.project + "/" + site_.repo;
    for (std::size_t page = 0; page < kMostPages; ++page) {
        const auto response =
            send("GET",
                 pulls() + "?searchCriteria.status=active&searchCriteria.sourceRefName=" +
                     encoded(ref_of(head)) + "&$top=" + std::to_string(kPage) +
                     "&$skip=" + std::to_string(page * kPage),
                 "", doing);
        if (!response) return Error(response.error());
        const auto listed = read_page(response->body, site_, head, base);
        if (!listed) return context(Error(listed.error()), doing);
        if (listed->number) {
            auto seen = look(*listed->number);
            if (!seen) return std::move(seen).error();
            const PullRequest& request = seen->request;
            const bool still =
                request.state == PullRequestState::Open && request.head_branch == head;
            return still ? std::optional(request) : std::optional<PullRequest>();
        }
        if (listed->size < kPage) break;
    }
    return std::optional<PullRequest>();
}

Result<PullRequest> AzureRepos::create(const std::string& head, const std::string& base,
                                       const PullRequestText& text, bool draft) {
    const std::string doing = "cannot create the pull request from " + head + " into " + base;
    const PullRequestText fit = fitted(text);
    Object body;
    body.set("sourceRefName", ref_of(head));
    body.set("targetRefName", ref_of(base));
    body.set("title", fit.title);
    body.set("description", fit.body);
    body.set("isDraft", draft);
    if (!options_.work_items.empty()) body.set("workItemRefs", references(options_.work_items));
    auto response = send("POST", pulls(), text_of(body), doing);
    work_items_set_ = response.has_value();
    const bool refused = !response && (response.error().kind == ErrorKind::Invalid ||
                                       response.error().kind == ErrorKind::NotFound);
    if (refused && !options_.work_items.empty()) {  // a work item is no reason not to promote
        body.remove("workItemRefs");
        response = send("POST", pulls(), text_of(body), doing);
    }
    if (!response) return Error(response.error());
    auto seen = read(*response, doing);
    if (!seen) return std::move(seen).error();
    if (seen->request.head_branch != head || seen->request.base_branch != base) {
        return Error{ErrorKind::Transient, doing + ": bad answer: it has other branches"};
    }
    created_ = seen->request.number;
    return seen->request;
}

Result<PullRequest> AzureRepos::update(const PullRequest& existing, const PullRequestText& text) {
    const PullRequestText fit = fitted(text);
    const bool new_title = !is_same_text(existing.title, fit.title);
    const bool new_body = !is_same_text(existing.body, fit.body);
    if (!new_title && !new_body) return existing;
    const std::string doing = "cannot update pull request #" + std::to_string(existing.number);
    Object body;
    body.set("title", fit.title);
    body.set("description", fit.body);
    auto seen = patch(existing.number, text_of(body), doing);
    if (!seen) return std::move(seen).error();
    const PullRequest& now = seen->request;
    const bool ignored = (new_title && is_same_text(now.title, existing.title)) ||
                         (new_body && is_same_text(now.body, existing.body));
    if (now.state == PullRequestState::Open && ignored) return not_done(doing);
    return now;
}

Result<void> AzureRepos::close(const PullRequest& existing) {
    const std::string doing = "cannot abandon pull request #" + std::to_string(existing.number);
    Object body;
    body.set("status", "abandoned");
    const auto seen = patch(existing.number, text_of(body), doing);
    if (seen && seen->request.state != PullRequestState::Open) return {};
    // Refused, since it was settled already, or answered and not done.
    const auto now = look(existing.number);
    if (now && now->request.state != PullRequestState::Open) return {};
    if (!seen) return Error(seen.error());
    return not_done(doing);
}

Result<std::optional<PullRequest>> AzureRepos::by_number(std::uint64_t number,
                                                         const std::string& /*etag*/) {
    auto seen = look(number);
    if (!seen) return std::move(seen).error();
    return std::optional(std::move(seen->request));
}

}  // namespace promotiond::azdo
