// signature: the X-Signature header of Flux's generic-hmac provider.
#pragma once

#include <string>
#include <string_view>

namespace promotiond::webhook {

// "sha256=<lower-case hex>" of HMAC-SHA256. The key's bytes are used as they are, a trailing line
// break included, as the senders and receivers in use do.
[[nodiscard]] std::string signature_of(std::string_view key, std::string_view body);

}  // namespace promotiond::webhook
