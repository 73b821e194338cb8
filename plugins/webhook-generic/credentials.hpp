// credentials: what the secret of a webhook holds, under the keys of Flux's generic and
// generic-hmac providers.
#pragma once

#include <promotiond/strategy.hpp>
#include <string>

#include "payload.hpp"

namespace promotiond::webhook {

struct Credentials {
    std::string address;  // wins over the configured url; trimmed
    std::string proxy;
    sdk::Secret token;  // the HMAC key; empty = unsigned
    Headers headers;
    std::string authorization;  // "Basic ..." of username and password; empty = none
    std::string ca_pem;
    std::string certificate_pem;
    sdk::Secret key_pem;
};

// Transient: no such secret yet; Invalid: half of a pair (username/password, certificate/key), an
// empty token, headers that are no flat YAML map; Transient: the store cannot be asked.
[[nodiscard]] sdk::Result<Credentials> read_credentials(const std::string& secret,
                                                        const sdk::Call& call);

// A YAML map of text to text, at most 64 KiB. Errors never quote it.
[[nodiscard]] sdk::Result<Headers> headers_from_yaml(const std::string& text);

}  // namespace promotiond::webhook
