// Base64 (RFC 4648 section 4), as Kubernetes writes bytes in JSON and YAML.
//
// Thread-safety: a pure function.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace promotiond::platform {

// White space between the characters is passed over, as PEM-minded people wrap their lines. None:
// another character, or a length that cannot be. A Secret, since that is what it nearly always is.
[[nodiscard]] std::optional<Secret> base64_decoded(std::string_view text);

}  // namespace promotiond::platform
