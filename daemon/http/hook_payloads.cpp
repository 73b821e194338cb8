// What forges' hooks are about: the few members of their bodies that say it.
#include <algorithm>

#include "http/hooks.hpp"
#include "http/json_object.hpp"

namespace promotiond::http {
namespace {

std::string hex_or_nothing(const std::string& commit) {
    const bool hex = std::all_of(commit.begin(), commit.end(), [](unsigned char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    return hex && commit.size() >= 40 && commit.size() <= 64 ? commit : std::string();
}

// The end of a repository's address: an organisation has more than one host, with a user name or
// without, and a repository that is called like its project has two addresses.
std::string from_git_on(const std::string& url) {
    const auto at = url.find("/_git/");
    const auto end = url.find_first_of("?#", at);
    return at == std::string::npos ? std::string() : url.substr(at, end - at);
}

// The queue's branches are called gh-readonly-queue/BASE/pr-NUMBER-COMMIT.
std::string number_in_queue(const std::string& branch) {
    const auto name = branch.rfind("/pr-");
    if (name == std::string::npos) return {};
    const auto begin = name + 4;
    const auto end = branch.find('-', begin);
    const std::string number =
        end == std::string::npos ? std::string() : branch.substr(begin, end - begin);
    const bool digits = number.find_first_not_of("0123456789") == std::string::npos;
    return digits ? number : std::string();
}

}  // namespace

Result<Sighting> read_github_hook(std::string_view event, const std::string& body) {
    const auto root = json_object(body);
    if (!root) return root.error();
    Sighting sighting;
    // pull_request, pull_request_review and their like name it, merge_group by its branch;
    // check_run, check_suite and status name the commit.
    const std::string page = text_in(object_in(*root, "pull_request"), "html_url");
    if (!page.empty()) sighting.locations.push_back(page);
    const std::string queued =
        number_in_queue(text_in(object_in(*root, "merge_group"), "head_ref"));
    const std::string repository = text_in(object_in(*root, "repository"), "html_url");
    if (!queued.empty() && !repository.empty()) {
        sighting.locations.push_back(repository + "/pull/" + queued);
    }
    if (event == "status") sighting.commit = hex_or_nothing(text_in(*root, "sha"));
    for (const char* check : {"check_run", "check_suite"}) {
        if (event != check) continue;
        sighting.commit = hex_or_nothing(text_in(object_in(*root, check), "head_sha"));
    }
    return sighting;
}

Result<Sighting> read_azure_hook(const std::string& body) {
    const auto root = json_object(body);
    if (!root) return root.error();
    const auto resource = object_in(*root, "resource");
    const auto repository = object_in(resource, "repository");
    Sighting sighting;
    if (resource.isNull() || !resource->get("pullRequestId").isInteger()) return sighting;
    const std::string page =
        "/pullrequest/" + std::to_string(resource->get("pullRequestId").convert<Poco::Int64>());
    for (const char* member : {"webUrl", "remoteUrl"}) {
        const std::string end = from_git_on(text_in(repository, member));
        if (end.empty()) continue;
        sighting.locations.push_back(end + page);
        break;
    }
    return sighting;
}

}  // namespace promotiond::http
