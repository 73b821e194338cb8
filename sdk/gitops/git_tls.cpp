#include "git_tls.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

namespace promotiond::sdk::inline v1::gitops {
namespace {

struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, FreeContext>;
struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCertificate {
    void operator()(X509* certificate) const { X509_free(certificate); }
};

int descriptor_of(BIO* bio) {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

bool worth_a_retry(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// OpenSSL's own socket BIO uses write(2), which raises SIGPIPE in a process that is not ours to
// configure; hence these few lines with MSG_NOSIGNAL.
int bio_write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    const auto sent =
        ::send(descriptor_of(bio), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (sent < 0 && worth_a_retry(errno)) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* into, int size) {
    BIO_clear_retry_flags(bio);
    const auto got = ::recv(descriptor_of(bio), into, static_cast<std::size_t>(size), 0);
    if (got < 0 && worth_a_retry(errno)) BIO_set_retry_read(bio);
    return static_cast<int>(got);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* bio_method() {
    // Made once and kept: every connection shares it, also one that ends at process exit.
    static BIO_METHOD* const kMethod = [] {
        BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "dialled");
        if (method != nullptr) {
            BIO_meth_set_write(method, bio_write);
            BIO_meth_set_read(method, bio_read);
            BIO_meth_set_ctrl(method, bio_control);
        }
        return method;
    }();
    return kMethod;
}

std::string openssl_reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "connection closed";
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

Result<void> trust(SSL_CTX* context, const std::string& ca_pem) {
    if (ca_pem.empty()) {
        if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
        return Error{ErrorKind::Internal, "cannot use the system's CAs: " + openssl_reason()};
    }
    const int size = static_cast<int>(std::min<std::size_t>(ca_pem.size(), INT_MAX));
    const std::unique_ptr<BIO, FreeBio> bio(BIO_new_mem_buf(ca_pem.data(), size));
    int taken = 0;
    while (const std::unique_ptr<X509, FreeCertificate> certificate{
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get()) == 1) ++taken;
    }
    ERR_clear_error();  // the end of the text is reported as an error
    if (taken > 0) return {};
    return Error{ErrorKind::Invalid,
                 "the CA given for the repository holds no PEM certificate; check the secret"};
}

Result<ContextPtr> make_context(const Credentials& credentials) {
    ContextPtr context(SSL_CTX_new(TLS_client_method()));
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1)
        return Error{ErrorKind::Internal, "cannot set up TLS: " + openssl_reason()};
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    if (auto trusted = trust(context.get(), credentials.ca_pem); !trusted) return trusted.error();
    return context;
}

bool is_literal_address(const std::string& host) {
    in6_addr address{};
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// A literal address is checked against the certificate's IP names and, by RFC 6066 section 3, is
// not sent as SNI.
bool expect_host(SSL* ssl, const std::string& host) {
    if (is_literal_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host.c_str()) == 1 &&
           SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

}  // namespace

Result<TlsConnection> TlsConnection::open(const Call& call, const GitAddress& address,
                                          const Credentials& credentials) {
    auto socket = call.dial(address.host, address.port, credentials.proxy);
    if (!socket) return context(socket.error(), "cannot connect to " + address.host_and_port());
    TlsConnection connection(call, std::move(*socket));
    const int fd = connection.socket_.fd();
    const int flags = ::fcntl(fd, F_GETFL, 0);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return Error{ErrorKind::Internal, "cannot make the socket non-blocking"};
    // Requests are written in one piece; without this the last segment waits for an
    // acknowledgement.
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (auto done = connection.handshake(address, credentials); !done)
        return context(done.error(), "no TLS connection to " + address.host_and_port());
    return connection;
}

Result<void> TlsConnection::handshake(const GitAddress& address, const Credentials& credentials) {
    auto made = make_context(credentials);
    if (!made) return made.error();
    ssl_.reset(SSL_new(made->get()));
    BIO* bio = bio_method() != nullptr ? BIO_new(bio_method()) : nullptr;
    if (!ssl_ || bio == nullptr || !expect_host(ssl_.get(), address.host)) {
        BIO_free(bio);
        return Error{ErrorKind::Internal, "cannot set up TLS: " + openssl_reason()};
    }
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket_.fd())));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);  // takes the BIO
    while (true) {
        ERR_clear_error();
        const int done = SSL_connect(ssl_.get());
        if (done == 1) return {};
        const int error = SSL_get_error(ssl_.get(), done);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            if (auto ready = wait_as_told(error); !ready) return ready;
            continue;
        }
        const long verdict = SSL_get_verify_result(ssl_.get());
        if (verdict != X509_V_OK)
            return Error{ErrorKind::Transient,
                         std::string("the server's certificate is not trusted: ") +
                             X509_verify_cert_error_string(verdict) +
                             "; give its CA in the secret"};
        return Error{ErrorKind::Transient, openssl_reason()};
    }
}

Result<void> TlsConnection::wait_as_told(int ssl_error) {
    return waiting_.for_socket(socket_.fd(), ssl_error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN);
}

Result<void> TlsConnection::write(std::string_view bytes) {
    while (!bytes.empty()) {
        if (auto stop = waiting_.over()) return *stop;
        ERR_clear_error();
        std::size_t sent = 0;
        if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent) == 1) {
            bytes.remove_prefix(sent);
            continue;
        }
        const int error = SSL_get_error(ssl_.get(), 0);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return Error{ErrorKind::Transient,
                         "the connection broke while sending: " + openssl_reason()};
        if (auto ready = wait_as_told(error); !ready) return ready;
    }
    return {};
}

Result<std::size_t> TlsConnection::read(char* into, std::size_t size) {
    while (true) {
        if (auto stop = waiting_.over()) return *stop;
        ERR_clear_error();
        std::size_t got = 0;
        if (SSL_read_ex(ssl_.get(), into, size, &got) == 1) return got;
        const int error = SSL_get_error(ssl_.get(), 0);
        if (error == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return Error{ErrorKind::Transient,
                         "the connection was cut while receiving: " + openssl_reason()};
        if (auto ready = wait_as_told(error); !ready) return ready.error();
    }
}

}  // namespace promotiond::sdk::inline v1::gitops
