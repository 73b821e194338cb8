// Request and Response as the handlers see them, and how an answer becomes bytes.
//
// Plain values without I/O. A Request reaches a handler only when it is whole and within limits.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace promotiond::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method;
    std::string target;  // as sent, origin form; never empty
    Headers headers;     // names in lower case, in the order they came
    std::string body;
    bool keep_alive = true;
    bool has_body = false;   // a length or chunks were announced, be it of nothing
    std::string peer;        // address of the TCP peer
    std::string client;      // the peer, or who a trusted proxy says it is
    bool forwarded = false;  // some proxy header is present, trusted or not
    std::string request_id;  // for logs and answers
    std::string actor;       // who an operator's token says it is
    bool unknown_bearer =
        false;               // a token that the configuration does not know, but the platform may
    bool forwards = false;   // to the replica that leads; nobody has been authorized here
    std::string_view route;  // pattern in the table of routes, for metrics; static storage

    // The only value of that name (lower case): nothing if it is absent or there more than once.
    [[nodiscard]] const std::string* single(std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view name) const;
};

struct Response {
    unsigned status = 200;
    std::string media = {};  // of the body; empty = no body
    std::string body = {};
    Headers headers = {};  // besides Content-Type, Content-Length, Connection and Date
    bool close = false;
    std::string rejected =
        {};  // why an event was turned down, as metrics name it; empty = it was not
};

// True if a comma-separated list (RFC 9110 5.6.1) has that element, which is in lower case.
[[nodiscard]] bool lists(std::string_view list, std::string_view element);

// How a replica that stands by names itself in Via.
inline constexpr std::string_view kReplicaHop = "1.1 promotiond";

[[nodiscard]] std::string_view title_of(unsigned status);

// application/problem+json (RFC 9457). Values known to be secret are masked in the detail.
[[nodiscard]] Response problem(unsigned status, std::string_view detail, const Request& request);

// RFC 9110's preferred form in GMT, "Sun, 06 Nov 1994 08:49:37 GMT"; seconds since 1970.
[[nodiscard]] std::string http_date(long long seconds);

// The bytes of an answer. Header values with control characters are left out: an answer can never
// be split by what it quotes.
[[nodiscard]] std::string serialise(const Response& response, const Request& request,
                                    bool keep_alive);

}  // namespace promotiond::http
