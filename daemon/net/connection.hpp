// Connection: one TCP stream, plain or TLS, whose every wait ends at a deadline or on request.
//
// The socket is non-blocking and every wait is a poll with an end, so that neither a silent nor a
// dripping peer holds a caller past its limit. Thread-safety: one thread at a time. Owns its
// descriptor.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/clock.hpp"
#include "net/egress.hpp"
#include "net/http_client.hpp"

namespace promotiond::net {

template <class T>
using Attempt = std::variant<T, HttpError>;

// When an operation must end. Cancellation is noticed at once.
struct Limit {
    SteadyTime deadline;
    std::stop_token stop;

    // Why an operation that was cut short ended: Cancelled or Timeout.
    [[nodiscard]] HttpError failure(std::string_view doing) const;
    // The earlier of this limit and `within` from now.
    [[nodiscard]] Limit within(std::chrono::milliseconds within) const;
};

class Fd {
public:
    explicit Fd(int fd = -1) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd();
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_;
};

// OpenSSL's own counting; the name says how it is freed.
struct SslFree {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using SslSession = std::unique_ptr<SSL, SslFree>;

class Connection {
public:
    // `name` is host:port as errors show it.
    [[nodiscard]] static Attempt<Connection> open(const Address& address, std::uint16_t port,
                                                  std::string name, const Limit& limit);
    Connection(Connection&&) noexcept = default;
    Connection& operator=(Connection&&) noexcept = default;

    // TLS with the certificate checked against `host` (a name or literal address).
    [[nodiscard]] std::optional<HttpError> start_tls(SSL_CTX& context, const std::string& host,
                                                     const Limit& limit);

    [[nodiscard]] std::optional<HttpError> write_all(std::string_view bytes, const Limit& limit);
    // Bytes read; 0 = the peer ended the stream properly.
    [[nodiscard]] Attempt<std::size_t> read_some(std::span<char> into, const Limit& limit);

    // False if the peer closed or sent something while the connection lay idle.
    [[nodiscard]] bool is_quiet() const;
    // The bare socket, for callers that speak their own protocol. Ends this object's use.
    [[nodiscard]] int release() noexcept { return fd_.release(); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    void rename(std::string name) { name_ = std::move(name); }

private:
    Connection(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
    [[nodiscard]] std::optional<HttpError> wait_tls(int result, std::string_view doing,
                                                    const Limit& limit);

    Fd fd_;
    SslSession ssl_;  // after fd_: freed before the descriptor is closed
    std::string name_;
};

}  // namespace promotiond::net
