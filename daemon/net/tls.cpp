#include "net/tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>

namespace promotiond::net {
namespace {

struct Free {
    void operator()(BIO* bio) const noexcept { BIO_free(bio); }
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

Error invalid(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

Bio bio_of(std::string_view text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Without this OpenSSL would ask for a passphrase on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

// The socket calls of OpenSSL's own BIO raise SIGPIPE on a closed peer; these do not.
int socket_write(BIO* bio, const char* bytes, int size) {
    const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
    BIO_clear_retry_flags(bio);
    const auto written = ::send(fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return static_cast<int>(written);
}

int socket_read(BIO* bio, char* into, int size) {
    const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
    BIO_clear_retry_flags(bio);
    const auto read = ::recv(fd, into, static_cast<std::size_t>(size), 0);
    if (read < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    if (read == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return static_cast<int>(read);
}

long socket_control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* socket_method() {
    // Lives as long as the process, like OpenSSL's own methods.
    static BIO_METHOD* const kMethod = [] {
        BIO_METHOD* method =
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "promotiond socket");
        BIO_meth_set_write(method, socket_write);
        BIO_meth_set_read(method, socket_read);
        BIO_meth_set_ctrl(method, socket_control);
        return method;
    }();
    return kMethod;
}

Result<void> trust(SSL_CTX& context, const std::string& ca_pem) {
    if (ca_pem.empty()) {
        if (SSL_CTX_set_default_verify_paths(&context) != 1)
            return invalid("cannot read the system's trusted certificates: " + tls_error_text());
        return {};
    }
    const auto bio = bio_of(ca_pem);
    X509_STORE* store = SSL_CTX_get_cert_store(&context);
    int count = 0;
    while (const Certificate certificate{
        PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)}) {
        if (X509_STORE_add_cert(store, certificate.get()) != 1)
            return invalid("cannot use a certificate of the CA bundle: " + tls_error_text());
        ++count;
    }
    ERR_clear_error();
    if (count == 0) return invalid("the CA bundle holds no PEM certificate");
    // What an operator names is trusted as such, be it a root or not.
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return {};
}

Result<void> identify(SSL_CTX& context, const std::string& certificate_pem, const Secret& key_pem) {
    if (certificate_pem.empty() && key_pem.empty()) return {};
    if (certificate_pem.empty() || key_pem.empty())
        return invalid("a client certificate needs both the certificate and its key");
    const auto bio = bio_of(certificate_pem);
    const Certificate own(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_passphrase, nullptr));
    if (!own || SSL_CTX_use_certificate(&context, own.get()) != 1)
        return invalid("the client certificate is not a PEM certificate");
    while (X509* link = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
        if (SSL_CTX_add0_chain_cert(&context, link) != 1) X509_free(link);
    }
    ERR_clear_error();
    const auto key_bio = bio_of(key_pem.reveal());
    const Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) {
        ERR_clear_error();
        return invalid("the client key is not an unencrypted PEM private key");
    }
    if (SSL_CTX_use_PrivateKey(&context, key.get()) != 1 ||
        SSL_CTX_check_private_key(&context) != 1) {
        ERR_clear_error();
        return invalid("the client key does not fit the client certificate");
    }
    return {};
}

}  // namespace

std::string tls_error_text() {
    const auto code = ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0) return "connection closed";
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "error " + std::to_string(code);
}

Result<TlsContext> make_tls_context(const std::string& ca_pem,
                                    const std::string& client_certificate_pem,
                                    const Secret& client_key_pem) {
    TlsContext context(SSL_CTX_new(TLS_client_method()), SslFree{});
    if (!context)
        return Error{ErrorKind::Internal, "cannot make a TLS context: " + tls_error_text()};
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    if (auto trusted = trust(*context, ca_pem); !trusted) return std::move(trusted).error();
    if (auto identified = identify(*context, client_certificate_pem, client_key_pem); !identified)
        return std::move(identified).error();
    return context;
}

SslSession tls_session(SSL_CTX& context, int fd, const std::string& host) {
    SslSession session(SSL_new(&context));
    BIO* bio = BIO_new(socket_method());
    if (!session || bio == nullptr) {
        BIO_free(bio);
        return nullptr;
    }
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    BIO_set_init(bio, 1);
    SSL_set_bio(session.get(), bio, bio);
    X509_VERIFY_PARAM* check = SSL_get0_param(session.get());
    if (Address::parse(host)) {
        if (X509_VERIFY_PARAM_set1_ip_asc(check, host.c_str()) != 1) return nullptr;
        return session;
    }
    X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(check, host.c_str(), host.size()) != 1) return nullptr;
    if (SSL_set_tlsext_host_name(session.get(), host.c_str()) != 1) return nullptr;
    return session;
}

}  // namespace promotiond::net
