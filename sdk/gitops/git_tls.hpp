// One TLS connection to a git server over a socket from the host.
//
// TLS 1.2 or newer, the certificate and the host's name are always checked. Every wait ends with
// the call. One thread; ends with the connection closed.
#ifndef PROMOTIOND_GITOPS_GIT_TLS_HPP
#define PROMOTIOND_GITOPS_GIT_TLS_HPP

#include <openssl/ssl.h>

#include <memory>
#include <string_view>

#include <promotiond/gitops/mirror.hpp>
#include "git_address.hpp"
#include "git_waiting.hpp"

namespace promotiond::sdk::inline v1::gitops {

class TlsConnection {
public:
    // Unauthorized: the host's address rules refuse it. Transient: connect, TLS (also an untrusted
    // certificate), deadline. Invalid: ca_pem is no certificate. Cancelled.
    [[nodiscard]] static Result<TlsConnection> open(const Call& call, const GitAddress& address,
                                                    const Credentials& credentials);

    // All of it. Transient when the other side has gone.
    [[nodiscard]] Result<void> write(std::string_view bytes);
    // At least one byte; 0 = the other side said goodbye properly. Transient: it was cut off.
    [[nodiscard]] Result<std::size_t> read(char* into, std::size_t size);

private:
    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    TlsConnection(const Call& call, Socket socket) : waiting_(call), socket_(std::move(socket)) {}
    [[nodiscard]] Result<void> handshake(const GitAddress& address, const Credentials& credentials);
    [[nodiscard]] Result<void> wait_as_told(int ssl_error);

    Waiting waiting_;
    Socket socket_;  // declared before ssl_, which uses its descriptor
    std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
