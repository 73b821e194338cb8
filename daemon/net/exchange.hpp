// exchange: one HTTP/1.1 request and its whole answer on a connection. Boost.Beast parses; this
// adds what a careful client checks.
//
// Thread-safety: pure apart from the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/connection.hpp"
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

struct Answer {
    Response response;
    bool reusable = false;  // the connection may carry another exchange
};

struct ExchangeFailure {
    HttpError error;
    bool no_answer_begun = false;  // not one byte came: the connection may have been stale
};

struct ExchangeOptions {
    bool head = false;  // the answer has no body
    std::uint64_t max_body_bytes = 0;
};

[[nodiscard]] std::variant<Answer, ExchangeFailure> exchange(Connection& connection,
                                                             const Wire& wire,
                                                             const ExchangeOptions& options,
                                                             const Limit& limit);

// Reads the head of a proxy's answer to CONNECT and not one byte more; the status code.
[[nodiscard]] Attempt<int> read_connect_answer(Connection& connection, const Limit& limit);

// RFC 9110 9.2.2.
[[nodiscard]] bool is_idempotent(std::string_view method);

}  // namespace promotiond::net
