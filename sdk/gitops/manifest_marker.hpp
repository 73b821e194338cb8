// Markers in comments: `# {"$promotion": "ns:pipeline:env"}` and the like, as text. Pure; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace promotiond::sdk::inline v1::gitops {

inline constexpr std::string_view kMarkerKey = "$promotion";
inline constexpr std::string_view kImageMarkerKey = "$imagepolicy";

// The marker's value, if the comment (from its first '#' to the end of its line) is one: behind
// the leading '#'s a whole JSON object of strings with the key; other keys may stand beside it.
// Anything else is an ordinary comment.
[[nodiscard]] std::optional<std::string> marker_in(std::string_view comment,
                                                   std::string_view key = kMarkerKey);

}  // namespace promotiond::sdk::inline v1::gitops
