// Which keys of a secret hold no secret.
//
// Thread-safety: a pure function.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace promotiond::platform {

// Masking such values in the log would hide ordinary words.
[[nodiscard]] inline bool is_public_key(std::string_view key) {
    constexpr std::array<std::string_view, 6> kPublic{"username", "ca.crt",      "caFile",
                                                      "tls.crt",  "known_hosts", "identity.pub"};
    return std::find(kPublic.begin(), kPublic.end(), key) != kPublic.end();
}

}  // namespace promotiond::platform
