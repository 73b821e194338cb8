#include "pull_request_answer.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <sstream>

#include "manifest_scalar.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// So often a promotion is repeated for labels and people that a passing fault kept from being set.
constexpr std::uint32_t kTriesForOptions = 3;
constexpr std::size_t kLargestDiff = 32u << 10;  // bytes kept in the details

void add_diff(Poco::JSON::Object& details, Mirror& mirror, const ObjectId& commit) {
    auto diff = mirror.diff(commit);
    if (diff && diff->size() <= kLargestDiff && is_utf8(*diff)) details.set("diff", *diff);
}

}  // namespace

std::string text_of(const Poco::JSON::Object& object) {
    std::ostringstream out;
    object.stringify(out);
    return out.str();
}

Poco::JSON::Object::Ptr read_details(std::string_view details) {
    try {
        return Poco::JSON::Parser().parse(std::string(details)).extract<Poco::JSON::Object::Ptr>();
    } catch (const Poco::Exception&) {
        return {};
    }
}

bool passes(const Error& error) {
    return error.kind == ErrorKind::Transient || error.kind == ErrorKind::Throttled;
}

Outcome settled(const PullRequest& request) {
    const std::string name = "pull request #" + std::to_string(request.number);
    if (request.state == PullRequestState::Merged) {
        return Outcome::done(request.url).with_summary(name + " was merged");
    }
    const std::string why = request.obstacle.empty() ? "" : " (" + request.obstacle + ")";
    return Outcome::rejected(name + " was closed without a merge" + why + ": " + request.url);
}

Result<void> hold(PullRequest& request, const PullRequestOptions& options, Forge& forge) {
    if (!request.auto_merge || options.auto_merge) return {};
    auto stopped = forge.stop_auto_merge(request);
    if (stopped) request.auto_merge = false;
    const bool lasting =
        !stopped && !passes(stopped.error()) && stopped.error().kind != ErrorKind::Cancelled;
    return lasting ? Result<void>() : std::move(stopped);
}

Poco::JSON::Object::Ptr details_of(const PullRequestConfig& config, Mirror& mirror,
                                   const PullRequest& request, const Prepared& prepared) {
    Poco::JSON::Object::Ptr details = new Poco::JSON::Object;  // Poco's own shared pointer
    details->set("number", static_cast<Poco::UInt64>(request.number));
    details->set("url", request.url);
    details->set("branch", request.head_branch);
    details->set("base", request.base_branch);
    details->set("commit", request.head_sha);
    details->set("title", request.title);
    details->set("body", request.body);
    details->set("etag", request.etag);
    details->set("repository", config.url);
    details->set("baseCommit", prepared.base_head);
    Poco::JSON::Array::Ptr changed = new Poco::JSON::Array;
    for (const auto& line : prepared.changed) changed->add(line);
    details->set("changed", changed);
    add_diff(*details, mirror, request.head_sha);
    return details;
}

void keep_warnings(Poco::JSON::Object& details, const Result<std::vector<std::string>>& applied,
                   Call& call) {
    Poco::JSON::Array list;
    for (const auto& warning :
         applied ? *applied : std::vector<std::string>{applied.error().message}) {
        call.log(Level::Warn, warning);
        list.add(warning);
    }
    details.set("warnings", list);
}

Outcome complete(const Promotion& promotion, Call& call, const PullRequestConfig& config,
                 Mirror& mirror, Forge& forge, const PullRequest& request, Opened opened,
                 const Prepared& prepared) {
    if (request.state != PullRequestState::Open) return settled(request);
    auto warnings = forge.apply(request, config.options);
    if (!warnings && passes(warnings.error()) && promotion.attempt < kTriesForOptions) {
        return Outcome::from(warnings.error());
    }
    auto details = details_of(config, mirror, request, prepared);
    keep_warnings(*details, warnings, call);
    return Outcome::pending(request.url, std::to_string(request.number))
        .with_summary("pull request #" + std::to_string(request.number) +
                      (opened == Opened::Updated ? " updated: " : " opened: ") + request.title)
        .with_details(text_of(*details));
}

}  // namespace promotiond::sdk::inline v1::gitops
