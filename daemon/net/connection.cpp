#include "net/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "net/tls.hpp"

namespace promotiond::net {
namespace {

// Without a wake-up call a stop is looked for this often; and no poll is longer than the other.
constexpr std::chrono::milliseconds kSlice{100};
constexpr std::chrono::milliseconds kLongestPoll{60'000};

std::string text_of(int error) { return std::generic_category().message(error); }

// True once the descriptor is ready; false when the limit cut the wait short.
bool wait_for(int fd, short events, const Limit& limit) {
    const Fd wake(limit.stop.stop_possible() ? ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1);
    const std::stop_callback on_stop(limit.stop, [&] { (void)::eventfd_write(wake.get(), 1); });
    const auto slice = limit.stop.stop_possible() && wake.get() < 0 ? kSlice : kLongestPoll;
    while (!limit.stop.stop_requested()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            limit.deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return false;
        // A negative descriptor is passed over (poll(2)).
        pollfd entries[]{{fd, events, 0}, {wake.get(), POLLIN, 0}};
        const int ready = poll(entries, 2, static_cast<int>(std::min(left, slice).count()));
        if (ready > 0 && entries[0].revents != 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
    return false;
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

SocketAddress socket_address(const Address& address, std::uint16_t port) {
    SocketAddress out;
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&v4.sin_addr, address.bytes().data() + 12, sizeof v4.sin_addr);
        std::memcpy(&out.storage, &v4, sizeof v4);
        out.size = sizeof v4;
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, address.bytes().data(), Address::kBytes);
        std::memcpy(&out.storage, &v6, sizeof v6);
        out.size = sizeof v6;
    }
    return out;
}

}  // namespace

HttpError Limit::failure(std::string_view doing) const {
    if (stop.stop_requested())
        return {Failure::Cancelled, "asked to stop during " + std::string(doing)};
    return {Failure::Timeout, "the time allowed was over during " + std::string(doing)};
}

Limit Limit::within(std::chrono::milliseconds within) const {
    return {std::min(deadline, std::chrono::steady_clock::now() + within), stop};
}

Fd::~Fd() {
    if (fd_ >= 0) ::close(fd_);
}

Attempt<Connection> Connection::open(const Address& address, std::uint16_t port, std::string name,
                                     const Limit& limit) {
    const auto failed = [&](int error) {
        return HttpError{Failure::Connect, "cannot connect to " + name + " (" + address.text() +
                                               "): " + text_of(error)};
    };
    const auto target = socket_address(address, port);
    Fd fd(::socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd.get() < 0) return failed(errno);
    const int on = 1;
    // Requests are written whole; waiting for more to fill a segment only adds delay.
    (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto* generic = reinterpret_cast<const sockaddr*>(&target.storage);
    if (::connect(fd.get(), generic, target.size) != 0) {
        if (errno != EINPROGRESS) return failed(errno);
        if (!wait_for(fd.get(), POLLOUT, limit)) return limit.failure("the connection to " + name);
        int error = 0;
        socklen_t size = sizeof error;
        if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
        if (error != 0) return failed(error);
    }
    return Connection(std::move(fd), std::move(name));
}

std::optional<HttpError> Connection::start_tls(SSL_CTX& context, const std::string& host,
                                               const Limit& limit) {
    auto session = tls_session(context, fd_.get(), host);
    if (!session)
        return HttpError{Failure::Tls, "cannot set up TLS to " + name_ + ": " + tls_error_text()};
    ssl_ = std::move(session);
    while (true) {
        ERR_clear_error();
        const int result = SSL_connect(ssl_.get());
        if (result == 1) return std::nullopt;
        const long verdict = SSL_get_verify_result(ssl_.get());
        auto error = wait_tls(result, "the TLS handshake with ", limit);
        if (!error) continue;
        if (error->failure == Failure::Timeout || error->failure == Failure::Cancelled)
            return error;
        if (verdict != X509_V_OK)
            return HttpError{Failure::Tls, "the certificate of " + name_ + " is refused: " +
                                               X509_verify_cert_error_string(verdict)};
        return HttpError{Failure::Tls, error->message};
    }
}

// Waits for what the TLS layer wants; an error if it wants nothing or the limit came first.
std::optional<HttpError> Connection::wait_tls(int result, std::string_view doing,
                                              const Limit& limit) {
    const int want = SSL_get_error(ssl_.get(), result);
    const auto what = std::string(doing) + name_;
    if (want == SSL_ERROR_WANT_READ || want == SSL_ERROR_WANT_WRITE) {
        const short events = want == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        if (!wait_for(fd_.get(), events, limit)) return limit.failure(what);
        // A peer that never stops sending must not turn the loop around this into a busy wait past
        // the limit.
        if (std::chrono::steady_clock::now() >= limit.deadline) return limit.failure(what);
        return std::nullopt;
    }
    const int system = errno;
    if (ERR_peek_error() == 0 && want == SSL_ERROR_SYSCALL && system != 0)
        return HttpError{Failure::Connect, what + " broke: " + text_of(system)};
    return HttpError{Failure::Connect, what + " broke: " + tls_error_text()};
}

std::optional<HttpError> Connection::write_all(std::string_view bytes, const Limit& limit) {
    while (!bytes.empty()) {
        if (ssl_) {
            std::size_t written = 0;
            ERR_clear_error();
            const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
            if (result == 1) {
                bytes.remove_prefix(written);
            } else if (auto error = wait_tls(result, "sending to ", limit)) {
                return error;
            }
            continue;
        }
        const auto written = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (written >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN || errno == EINTR) {
            if (!wait_for(fd_.get(), POLLOUT, limit)) return limit.failure("sending to " + name_);
        } else {
            return HttpError{Failure::Connect, "sending to " + name_ + " broke: " + text_of(errno)};
        }
    }
    return std::nullopt;
}

Attempt<std::size_t> Connection::read_some(std::span<char> into, const Limit& limit) {
    while (true) {
        // A peer that drips always has something to read; only the clock ends that.
        if (limit.stop.stop_requested() || std::chrono::steady_clock::now() >= limit.deadline)
            return limit.failure("waiting for the answer of " + name_);
        if (ssl_) {
            std::size_t read = 0;
            ERR_clear_error();
            const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &read);
            if (result == 1) return read;
            if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
            if (auto error = wait_tls(result, "waiting for the answer of ", limit)) return *error;
            continue;
        }
        const auto read = ::recv(fd_.get(), into.data(), into.size(), 0);
        if (read >= 0) return static_cast<std::size_t>(read);
        if (errno != EAGAIN && errno != EINTR)
            return HttpError{Failure::Connect,
                             "waiting for the answer of " + name_ + " broke: " + text_of(errno)};
        if (!wait_for(fd_.get(), POLLIN, limit))
            return limit.failure("waiting for the answer of " + name_);
    }
}

bool Connection::is_quiet() const {
    char byte = 0;
    const auto seen = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    const bool nothing = seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    return nothing && (!ssl_ || SSL_has_pending(ssl_.get()) == 0);
}

}  // namespace promotiond::net
