// Looks at a pull request, and what is in the way of its merge.
#include <algorithm>
#include <utility>

#include "answer.hpp"
#include "forge/answer.hpp"
#include "forge/names.hpp"
#include "github.hpp"
#include "standing.hpp"

namespace promotiond::github {
namespace {

using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using sdk::gitops::PullRequest;
using sdk::gitops::PullRequestState;

// What the next look needs of the last one that was handed on, in PullRequest::etag: a line each.
// Neither entity tags nor ids nor our own clauses hold line breaks.
struct Glance {
    std::string etag;
    std::string node_id;
    std::string base;
    std::string obstacle;
    std::string head_sha;
};

Glance glance_of(std::string_view text) {
    const auto line = [&text] {
        const std::string out(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(text.size(), out.size() + 1));
        return out;
    };
    Glance last;
    for (auto* part : {&last.etag, &last.node_id, &last.base, &last.obstacle, &last.head_sha})
        *part = line();
    return last;
}

std::string text_of_glance(const PullRequest& request) {
    return request.etag + "\n" + request.node_id + "\n" + request.base_branch + "\n" +
           request.obstacle + "\n" + request.head_sha;
}

bool may_pass(const Error& error) {
    return error.kind != ErrorKind::Invalid && error.kind != ErrorKind::Unauthorized;
}

}  // namespace

// Rulesets name their required checks by REST only (a classic rule's come with GraphQL).
void GitHub::add_rules(const std::string& base, Standing& standing) {
    const auto response =
        look_again(repository() + "/rules/branches/" + encoded(base) + "?per_page=100",
                   "cannot see the rules of " + base);
    const auto rules = response ? read_rules(response->body) : Result<Rules>(response.error());
    if (!rules) return;  // GitHub's "blocked" is told all the same
    for (const auto& check : forge::missing(rules->checks, standing.checks)) {
        standing.waits_for.push_back("check " + forge::words(check, {}));
    }
    if (!standing.waits_for.empty()) return;
    for (const auto& rule : rules->others) {
        if (rule == "required_signatures") standing.waits_for.emplace_back("signed commits");
        if (rule == "required_deployments") standing.waits_for.emplace_back("deployments");
        if (rule == "code_scanning") standing.waits_for.emplace_back("code scanning");
    }
}

Result<std::string> GitHub::obstacle(const std::string& node_id, const std::string& base) {
    auto standing = standing_of(node_id, "cannot see what keeps the pull request from its merge");
    if (!standing) return std::move(standing).error();
    if (standing->merge_state == "BLOCKED" && standing->waits_for.empty() && !standing->in_queue) {
        add_rules(base, *standing);
    }
    return obstacle_of(*standing);
}

bool GitHub::Reports::led_to(const std::string& obstacle) const {
    return !seen.empty() && std::all_of(seen.begin(), seen.end(), [&](const auto& report) {
        return report.unchanged && report.obstacle == obstacle;
    });
}

GitHub::Reports GitHub::reports_on(const std::string& commit, const std::string& node_id) {
    Reports reports;
    if (access_.remembered == nullptr || commit.empty()) return reports;
    for (const char* kind : {"/status", "/check-runs"}) {
        sdk::HttpRequest request;
        request.url = site_.api + repository() + "/commits/" + commit + kind + "?per_page=100";
        // Of the pull request too: another one of the same commit may wait for something else.
        Reports::Report report{.key = request.url + '#' + node_id};
        if (const auto known = access_.remembered->find(report.key)) {
            request.headers.emplace_back("If-None-Match", known->etag);
            report.etag = known->etag;
            report.obstacle = known->body;
        }
        const auto response =
            exchange(call_, access_, std::move(request), "cannot see what was reported");
        report.unchanged = response && response->code == 304;
        if (response && !report.unchanged) report.etag = response->header("etag");
        reports.seen.push_back(std::move(report));
    }
    return reports;
}

void GitHub::keep(const Reports& reports, const std::string& obstacle) {
    for (const auto& report : reports.seen) {
        if (!report.etag.empty()) access_.remembered->keep(report.key, {report.etag, obstacle});
    }
}

// Checks that report change nothing of the pull request itself: while something is in the way it is
// asked for besides, and only if that has changed is the whole read again. What reports say GitHub
// tells at no cost as long as it is the same; only of its merge queue it says nothing there.
Result<std::optional<PullRequest>> GitHub::by_number(std::uint64_t number,
                                                     const std::string& etag) {
    const Glance last = glance_of(etag);
    const std::string doing = "cannot look at pull request #" + std::to_string(number);
    const std::string url = site_.api + pulls() + "/" + std::to_string(number);
    sdk::HttpRequest request;
    request.url = url;
    if (!last.etag.empty()) request.headers.emplace_back("If-None-Match", last.etag);
    auto response = exchange(call_, access_, std::move(request), doing);
    if (!response) return std::move(response).error();
    std::optional<std::string> obstacle_now;
    if (response->code == 304) {
        if (last.obstacle.empty()) return std::optional<PullRequest>();
        const Reports reports =
            is_of_queue(last.obstacle) ? Reports() : reports_on(last.head_sha, last.node_id);
        if (reports.led_to(last.obstacle)) return std::optional<PullRequest>();
        auto now = obstacle(last.node_id, last.base);
        if (now) keep(reports, *now);
        if (!now || *now == last.obstacle) return std::optional<PullRequest>();
        obstacle_now = *std::move(now);
        response = send("GET", url.substr(site_.api.size()), "", doing);
        if (!response) return std::move(response).error();
    }
    auto found = read(*response, doing);
    if (!found) return std::move(found).error();
    if (found->number != number) {
        return Error{ErrorKind::Transient, doing + ": bad answer: it has another number"};
    }
    if (found->state == PullRequestState::Open && tells_merge_state(response->body)) {
        if (obstacle_now) {
            found->etag = last.etag;  // what has changed since is not in the obstacle
        } else if (auto now = obstacle(found->node_id, found->base_branch)) {
            obstacle_now = *std::move(now);
        } else {
            call_.log(sdk::Level::Debug, now.error().message);
            // Without a tag the whole comes again: what has changed is not yet understood.
            if (may_pass(now.error())) found->etag.clear();
            obstacle_now = last.obstacle;
        }
        found->obstacle = *obstacle_now;
        found->etag = text_of_glance(*found);
    }
    return std::optional(*std::move(found));
}

}  // namespace promotiond::github
