#include "github.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>
#include <Poco/URI.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "answer.hpp"

namespace promotiond::github {
namespace {

using sdk::Error;
using sdk::ErrorKind;
using sdk::HttpResponse;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestOptions;
using sdk::gitops::PullRequestText;
using Object = Poco::JSON::Object;

constexpr std::uint64_t kLargestAnswer = 8u << 20;  // bytes: a page of 100 pull requests
constexpr std::size_t kMostAssignees = 10;          // GitHub's own limit

std::string text_of(const Object& object) {
    std::ostringstream out;
    object.stringify(out);
    return out.str();
}

std::string encoded(const std::string& text) {
    std::string out;
    Poco::URI::encode(text, "!*'();:@&=+$,/?#[]", out);
    return out;
}

Poco::JSON::Array array_of(const std::vector<std::string>& names) {
    Poco::JSON::Array array;
    for (const auto& name : names) array.add(name);
    return array;
}

bool is_name(const std::string& text) {
    const bool letters = std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    return letters && !text.empty() && text != "." && text != "..";
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

void set_api(Site& site, const std::string& authority, const std::string& api_url) {
    constexpr std::string_view kCloud = ".ghe.com";
    if (!api_url.empty()) {
        site.api = api_url;
        while (site.api.ends_with('/')) site.api.pop_back();
        // Enterprise Server has REST below /api/v3 and GraphQL beside it.
        const bool versioned = site.api.ends_with("/v3");
        site.graphql = site.api.substr(0, site.api.size() - (versioned ? 3 : 0));
        site.graphql += versioned ? "graphql" : "/graphql";
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
    if (!api_url.empty() && !api_url.starts_with("https://")) {
        return Error{ErrorKind::Invalid, "apiUrl must begin with https://"};
    }
    site.host = authority.substr(0, authority.find(':'));
    std::transform(site.host.begin(), site.host.end(), site.host.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // The port of an ssh address says nothing about the API's.
    set_api(site, url.starts_with("https://") ? authority : site.host, api_url);
    return site;
}

Result<HttpResponse> exchange(const sdk::Call& call, const Access& access, sdk::HttpRequest request,
                              const std::string& doing) {
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

std::string GitHub::pulls() const { return "/repos/" + site_.owner + "/" + site_.repo + "/pulls"; }

Result<HttpResponse> GitHub::send(const std::string& method, const std::string& path,
                                  const std::string& body, const std::string& doing) {
    sdk::HttpRequest request;
    request.method = method;
    request.url = site_.api + path;
    request.body = body;
    return exchange(call_, access_, std::move(request), doing);
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
    const auto response = send("GET",
                               pulls() + "?state=open&head=" + encoded(site_.owner + ":" + head) +
                                   "&base=" + encoded(base) + "&per_page=100",
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
    if (!response) return Error(response.error());
    auto request = read(*response, doing);
    if (request && (request->head_branch != head || request->base_branch != base)) {
        return Error{ErrorKind::Transient, doing + ": bad answer: it has other branches"};
    }
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

Result<std::optional<PullRequest>> GitHub::by_number(std::uint64_t number,
                                                     const std::string& etag) {
    const std::string doing = "cannot look at pull request #" + std::to_string(number);
    sdk::HttpRequest request;
    request.url = site_.api + pulls() + "/" + std::to_string(number);
    if (!etag.empty()) request.headers.emplace_back("If-None-Match", etag);
    const auto response = exchange(call_, access_, std::move(request), doing);
    if (!response) return Error(response.error());
    if (response->code == 304) return std::optional<PullRequest>();
    auto found = read(*response, doing);
    if (!found) return std::move(found).error();
    if (found->number != number) {
        return Error{ErrorKind::Transient, doing + ": bad answer: it has another number"};
    }
    return std::optional(*std::move(found));
}

void GitHub::add_names(const std::string& path,
                       const std::map<std::string, std::vector<std::string>>& names,
                       const std::string& doing, std::vector<std::string>& warnings) {
    Object body;
    for (const auto& [key, list] : names) {
        if (!list.empty()) body.set(key, array_of(list));
    }
    if (body.size() == 0) return;
    const auto response = send("POST", path, text_of(body), doing);
    if (!response) warnings.push_back(response.error().message);
}

Result<std::vector<std::string>> GitHub::apply(const PullRequest& existing,
                                               const PullRequestOptions& options) {
    std::vector<std::string> warnings;
    const std::string number = std::to_string(existing.number);
    const std::string issue = "/repos/" + site_.owner + "/" + site_.repo + "/issues/" + number;
    std::vector<std::string> labels;
    for (const auto& label : options.labels) {
        const auto& there = existing.labels;
        if (std::find(there.begin(), there.end(), label) == there.end()) labels.push_back(label);
    }
    add_names(issue + "/labels", {{"labels", labels}}, "cannot add labels", warnings);
    add_names(pulls() + "/" + number + "/requested_reviewers",
              {{"reviewers", options.reviewers}, {"team_reviewers", options.team_reviewers}},
              "cannot ask for reviews", warnings);
    std::vector<std::string> assignees = options.assignees;
    assignees.resize(std::min(assignees.size(), kMostAssignees));
    add_names(issue + "/assignees", {{"assignees", assignees}}, "cannot assign", warnings);
    if (options.auto_merge && !existing.auto_merge && !existing.draft) {
        if (auto done = merge_when_allowed(existing, options.merge_method); !done) {
            warnings.push_back(done.error().message);
        }
    }
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
