// wire: a request as the bytes of HTTP/1.1, checked so that no part of it breaks the frame.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace promotiond::net {

// The request's bytes in two parts, so that a large body is not copied.
struct Wire {
    std::string head;
    std::string_view body;  // of the request
};

struct WireOptions {
    std::string_view user_agent;
    bool absolute_form = false;  // RFC 9112 3.2.2: to a proxy
    std::string proxy_authorization;
};

// Invalid: method or header name that is no token, a line break or control character in a value, a
// header that the client itself answers for, a Content-Length that does not fit the body.
[[nodiscard]] Result<Wire> to_wire(const Request& request, const Url& url,
                                   const WireOptions& options);

// RFC 9110 9.2.2.
[[nodiscard]] bool is_idempotent(std::string_view method);

}  // namespace promotiond::net
