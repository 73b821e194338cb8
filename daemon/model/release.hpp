// Release: a new image tag, told instead of seen. An application of a GitOps repository with
// gitops-promotion.yaml is a Pipeline whose first environment stands for the image registry: a
// release is the event that the tag is there, and the way on is that of every other promotion.
//
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/event.hpp"
#include "model/pipeline.hpp"

namespace promotiond::model {

inline constexpr std::string_view kReleaseApiVersion = "gitops-promotion/v1";
inline constexpr std::string_view kReleaseKind = "Image";
// The environment before the first one of gitops-promotion.yaml.
inline constexpr std::string_view kReleaseEnvironment = "release";

struct Release {
    std::string group;
    std::string app;
    std::string tag;
    std::string ns;  // of the Pipeline; empty = there is only one of that group and application
    std::optional<WallTime> at = {};  // when the tag came to be, if its registry says so
};

// What a registry tells: the image as the registry names it, without the tag.
struct PushedTag {
    std::string image;  // "ghcr.io/example/web"
    std::string tag;
    std::optional<WallTime> at = {};
};

// An image that is an application; registries know of no groups.
struct ReleasedImage {
    std::string image;  // as PushedTag has it
    std::string tags;   // which of them are releases: "v*"; * ? [] as in a shell
    std::string group;
    std::string app;
    std::string ns;  // as in Release
};

// A release of each application that the image is; none if its tag is no release.
[[nodiscard]] std::vector<Release> releases_of(const PushedTag& pushed,
                                               const std::vector<ReleasedImage>& images);

// True for Pipelines that were made of gitops-promotion.yaml.
[[nodiscard]] bool takes_releases(const Pipeline& pipeline);
[[nodiscard]] bool takes(const Pipeline& pipeline, const Release& release);

// Invalid: no image has such a tag, or a member is missing.
[[nodiscard]] Result<void> check_release(const Release& release);
// The event that the tag is there; of the release's time, if it has one.
[[nodiscard]] Event release_event(const Release& release);

}  // namespace promotiond::model
