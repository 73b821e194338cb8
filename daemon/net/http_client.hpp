// HttpClient: the one outbound HTTP client of the daemon. Kubernetes, forges and webhooks all go
// through it, so TLS policy, proxy, address rules, deadlines, size limits and metrics are in one
// place.
//
// An exchange either delivers a whole, length-checked answer or says precisely what failed;
// stream() hands the answer on as it arrives and still says at the end whether it was whole.
// Redirects are never followed. Names are resolved once, checked against the rules, and the checked
// address is the one connected to. Connections are kept and reused per origin; a request that met a
// stale one is sent again only if it is safe (RFC 9110 idempotent).
//
// Thread-safety: all functions from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"

namespace promotiond::net {

// An address range such as 10.0.0.0/8 or fd00::/8, or a host name pattern such as *.example.com.
struct EgressRules {
    // Checked in this order: allow, deny, then the built-in refusals: link-local (169.254/16,
    // fe80::/10), cloud metadata (169.254.169.254, fd00:ec2::254, 168.63.129.16,
    // metadata.google.internal), unspecified, multicast and broadcast. IPv4-mapped IPv6 addresses
    // are judged as IPv4. Anything else is allowed unless only_allowed is set.
    std::vector<std::string> allow = {};
    std::vector<std::string> deny = {};
    bool only_allowed = false;
};

// Invalid names the entry that is neither a range nor a name. A client that was given a broken deny
// list all the same refuses everything that is not allowed.
[[nodiscard]] Result<void> check(const EgressRules& rules);

using Headers = std::vector<std::pair<std::string, std::string>>;

// Case-insensitive; the first of that name.
[[nodiscard]] std::optional<std::string_view> header(const Headers& headers, std::string_view name);

struct Request {
    std::string method = "GET";
    std::string url;
    Headers headers;
    std::string body;
    // For the whole exchange; none = the client's default for send(), no limit for stream().
    std::optional<std::chrono::milliseconds> timeout;
    // stream() only: the longest wait for the next byte of the answer, and for the request to be
    // taken; none = the client's default timeout.
    std::optional<std::chrono::milliseconds> idle_timeout;
    SteadyTime deadline = SteadyTime::max();  // the exchange ends by then in any case
    // Body; none = the client's default for send(), no limit for stream().
    std::optional<std::uint64_t> max_response_bytes;
    std::string ca_pem;  // trusted instead of the system's
    std::string client_certificate_pem;
    Secret client_key_pem;
    std::string tls_server_name;  // what the certificate must say; empty = the URL's host
    // Wins over the client's own; judged by the egress rules, as the client's own is not. Behind a
    // proxy the destination is judged by name (or literal address), since the proxy resolves it.
    std::string proxy;  // empty = the client's own setting
    // Asked when the connection stands, right before the first byte of the request: false =
    // Cancelled, with nothing sent. Absent = always.
    std::function<bool()> may_send;
};

struct Response {
    int code = 0;
    Headers headers;
    std::string body;
};

// Takes an answer as it arrives. Called in the thread that calls stream(); the time spent here does
// not count as idle. Both are set; either ends the exchange by returning false.
struct StreamHandler {
    // Once, before the first piece: code and headers, no body. 1xx answers are not shown.
    std::function<bool(const Response& head)> head;
    // The next bytes of the body, without chunk framing, valid during the call. Never empty; where
    // one piece ends means nothing.
    std::function<bool(std::string_view piece)> piece;
};

// Why there is no answer; finer than ErrorKind because plugins act on it (ext/http.h).
enum class Failure { Invalid, Refused, Connect, Tls, Timeout, BadAnswer, Cancelled };
struct HttpError {
    Failure failure = Failure::Connect;
    std::string message;  // names host and port, never credentials or query
};

class HttpClient {
public:
    struct Options {
        EgressRules egress = {};
        std::string proxy =
            {};  // http://[user:password@]host:port for http and https; empty = none
        std::vector<std::string> no_proxy =
            {};  // host suffixes and address ranges that are reached directly
        std::vector<std::pair<std::string, std::string>> ca_by_host =
            {};  // host -> PEM bundle, trusted instead of the system's
        std::chrono::milliseconds timeout{30'000};
        std::chrono::milliseconds connect_timeout{10'000};
        std::uint64_t max_response_bytes = 8u << 20;
        std::string user_agent = {};
    };

    explicit HttpClient(Options options, Metrics& metrics);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    [[nodiscard]] std::variant<Response, HttpError> send(const Request& request,
                                                         std::stop_token stop = {});

    // Nothing once the body came to its proper end or the handler had enough; a body that is cut
    // short is BadAnswer or Connect, a silence longer than idle_timeout is Timeout. `stop` ends it
    // within milliseconds. The pieces taken before an error stay taken: nothing is sent again after
    // the first byte of an answer. Nothing is kept in memory but the piece in hand.
    [[nodiscard]] std::optional<HttpError> stream(const Request& request,
                                                  const StreamHandler& handler,
                                                  std::stop_token stop = {});

    // A connected TCP socket under the same rules and proxy (CONNECT); the caller owns and closes
    // it. Blocking and close-on-exec.
    [[nodiscard]] std::variant<int, HttpError> dial(const std::string& host, std::uint16_t port,
                                                    const std::string& proxy, SteadyTime deadline,
                                                    std::stop_token stop = {});

    // The PEM bundle configured for a host, or null: for callers that do TLS on a dialled socket.
    [[nodiscard]] const std::string* ca_for(std::string_view host) const;

private:
    class State;
    std::unique_ptr<State> state_;
};

// HttpError as an Error whose kind says what to do.
[[nodiscard]] Error to_error(const HttpError& error);

}  // namespace promotiond::net
