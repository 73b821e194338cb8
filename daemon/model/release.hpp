// Release: a new image tag, told instead of seen. An application of a GitOps repository with
// gitops-promotion.yaml is a Pipeline whose first environment stands for the image registry: a
// release is the event that the tag is there, and the way on is that of every other promotion.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

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
};

// True for Pipelines that were made of gitops-promotion.yaml.
[[nodiscard]] bool takes_releases(const Pipeline& pipeline);
[[nodiscard]] bool takes(const Pipeline& pipeline, const Release& release);

// Invalid: no image has such a tag, or a member is missing.
[[nodiscard]] Result<void> check_release(const Release& release);
// The event that the tag is there. Its time is that of its arrival.
[[nodiscard]] Event release_event(const Release& release);

}  // namespace promotiond::model
