#include "model/release.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace promotiond::model {
namespace {

constexpr std::size_t kLongestTag = 128;  // OCI distribution specification, "Pulling manifests"

bool is_tag(const std::string& tag) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '.' || c == '-';
    };
    return !tag.empty() && tag.size() <= kLongestTag && tag.front() != '.' && tag.front() != '-' &&
           std::all_of(tag.begin(), tag.end(), fits);
}

}  // namespace

bool takes_releases(const Pipeline& pipeline) {
    return pipeline.app.api_version == kReleaseApiVersion && pipeline.app.kind == kReleaseKind &&
           !pipeline.environments.empty() &&
           pipeline.environments.front().name == kReleaseEnvironment;
}

bool takes(const Pipeline& pipeline, const Release& release) {
    if (!takes_releases(pipeline) || pipeline.app.name != release.app) return false;
    if (!release.ns.empty() && pipeline.id.ns != release.ns) return false;
    const auto& targets = pipeline.environments.front().targets;
    return !targets.empty() && targets.front().ns == release.group;
}

Result<void> check_release(const Release& release) {
    if (release.group.empty() || release.app.empty())
        return Error{ErrorKind::Invalid, "a release needs group, app and tag"};
    if (is_tag(release.tag)) return {};
    return Error{ErrorKind::Invalid,
                 "no image has the tag \"" + release.tag.substr(0, kLongestTag) +
                     "\": it takes up to 128 letters, digits and _ . -, the last two not first"};
}

std::vector<Release> releases_of(const PushedTag& pushed,
                                 const std::vector<ReleasedImage>& images) {
    std::vector<Release> releases;
    for (const auto& each : images) {
        const bool matches =
            each.image == pushed.image && ::fnmatch(each.tags.c_str(), pushed.tag.c_str(), 0) == 0;
        if (matches) releases.push_back({each.group, each.app, pushed.tag, each.ns, pushed.at});
    }
    return releases;
}

Event release_event(const Release& release) {
    Event event;
    event.object = {std::string(kReleaseApiVersion), std::string(kReleaseKind), release.group,
                    release.app};
    event.severity = "info";
    event.reason = "ReleaseSucceeded";
    event.message = "tag " + release.tag + " of " + release.group + "/" + release.app + " is there";
    event.revision = release.tag;
    event.timestamp = release.at;
    event.reporting_controller = "release";
    return event;
}

}  // namespace promotiond::model
