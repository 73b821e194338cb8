// The part of HTTP/1.1 that git's smart protocol needs (RFC 9112; git's http-protocol.txt).
//
// Strict: a body that ends early, two lengths, or a redirect is an error, never a shorter answer.
// One connection is kept for the exchanges of one repository. The credentials go with the first
// request: no challenge is answered, so a wrong password costs one request.
//
// One thread. Not a general client: requests have fixed headers, answers are read as a stream.
#ifndef PROMOTIOND_GITOPS_GIT_HTTP_HPP
#define PROMOTIOND_GITOPS_GIT_HTTP_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "git_tls.hpp"

namespace promotiond::sdk::inline v1::gitops {

// Longest Retry-After that is believed.
inline constexpr std::chrono::seconds kMaxRetryAfter{3600};

class GitHttp {
public:
    // Both must outlive this object.
    GitHttp(const Call& call, const GitAddress& address, const Credentials& credentials)
        : call_(&call), address_(&address), credentials_(&credentials) {}

    // Sends "GET <path>/info/refs?service=<service>" and reads the answer's head. Unauthorized
    // (401, 403), NotFound (404), Throttled (429, 503), Transient (other 5xx, connection), Invalid
    // (a redirect, another 4xx, not a git server).
    [[nodiscard]] Result<void> get_refs(std::string_view service);
    // "POST <path>/<service>": begin, any number of pieces, then finish reads the answer's head.
    void begin_post(std::string_view service);
    [[nodiscard]] Result<void> post(std::string_view piece);
    [[nodiscard]] Result<void> finish_post();
    // The next bytes of the answer's body; 0 = it ended where it said it would.
    [[nodiscard]] Result<std::size_t> read(char* into, std::size_t size);
    // The caller needs no more of this answer. Keeps the connection if the rest is short.
    void end_exchange();

private:
    enum class Body { None, Length, Chunked, UntilClose };
    struct Head {
        int code = 0;
        std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
        [[nodiscard]] std::string_view field(std::string_view name) const;
        [[nodiscard]] std::size_t count(std::string_view name) const;
    };

    [[nodiscard]] Result<void> ensure_connected();
    [[nodiscard]] Result<void> send_head(std::string_view request_line, std::string_view fields,
                                         std::string_view body);
    [[nodiscard]] Result<void> receive_head(std::string_view expected_type);
    [[nodiscard]] Result<Head> read_head();
    [[nodiscard]] Result<void> take_framing(const Head& head);
    [[nodiscard]] Error refused(const Head& head) const;
    [[nodiscard]] Result<std::string> read_line();
    [[nodiscard]] Result<std::size_t> read_raw(char* into, std::size_t size);
    [[nodiscard]] Result<std::size_t> read_counted(char* into, std::size_t size);
    [[nodiscard]] Result<std::size_t> read_chunked(char* into, std::size_t size);
    [[nodiscard]] Result<void> fill();
    [[nodiscard]] Result<void> send_chunk(std::string_view piece);
    void disconnect();

    const Call* call_;
    const GitAddress* address_;
    const Credentials* credentials_;
    std::optional<TlsConnection> connection_;
    bool used_before_ = false;  // the connection has served an exchange
    std::string received_;      // read from the connection, not yet taken
    std::size_t taken_ = 0;

    std::string service_;
    std::string pending_;  // of the request's body, not yet sent
    bool chunking_ = false;

    Body body_ = Body::None;
    std::uint64_t body_left_ = 0;  // of the body, or of the current chunk
    bool keep_ = false;            // the other side will keep the connection
};

// Seconds or an HTTP date (RFC 9110 10.2.3), clamped to 1 s .. kMaxRetryAfter.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view text, std::chrono::system_clock::time_point now);

// For people: control characters become spaces, escape sequences and what follows 500 bytes go.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit_bytes = 500);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
