// TLS on both addresses, and new certificates without a restart.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstring>

#include "tests/unit/http_fixture.hpp"

using namespace http_test;

namespace {

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* handle) const {
        Free(handle);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;
using File = std::unique_ptr<FILE, Freed<std::fclose>>;

std::string name_of(X509* certificate) {
    std::array<char, 64> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                              static_cast<int>(name.size()));
    return name.data();
}

// Writes a new key and a certificate for it, signed by itself, in the name.
http::TlsFiles certify(const Folder& folder, const std::string& file, const std::string& name) {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
    http::TlsFiles files{folder.write(file + ".crt", ""), folder.write(file + ".key", "")};
    const File crt(std::fopen(files.certificate.c_str(), "w"));
    REQUIRE(PEM_write_X509(crt.get(), certificate.get()) == 1);
    const File pem(std::fopen(files.key.c_str(), "w"));
    REQUIRE(PEM_write_PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return files;
}

class TlsClient {
public:
    explicit TlsClient(const std::string& address) : plain_(address) {
        SSL_set_fd(session_.get(), plain_.socket());
        REQUIRE(SSL_connect(session_.get()) == 1);
    }
    [[nodiscard]] std::string server_name() const {
        const Certificate certificate(SSL_get1_peer_certificate(session_.get()));
        return name_of(certificate.get());
    }
    // The status of the answer, read to the end of its head; 0 if none came.
    unsigned ask(const std::string& bytes) {
        REQUIRE(SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
                static_cast<int>(bytes.size()));
        std::string answer;
        std::array<char, 4096> chunk{};
        while (answer.find("\r\n\r\n") == std::string::npos) {
            const int n = SSL_read(session_.get(), chunk.data(), static_cast<int>(chunk.size()));
            if (n <= 0) return 0;
            answer.append(chunk.data(), static_cast<std::size_t>(n));
        }
        return static_cast<unsigned>(std::stoi(answer.substr(9, 3)));
    }

private:
    Client plain_;
    Context context_{SSL_CTX_new(TLS_client_method())};
    Session session_{SSL_new(context_.get())};
};

struct Certified {
    Certified() {
        options.tls = certify(folder, "front", "front-1");
        options.health_tls = certify(folder, "health", "health-1");
    }
    Folder folder;
    http::Options options;
};

}  // namespace

TEST_CASE("http: with certificates both addresses speak TLS, and nothing else") {
    const Certified made;
    Running daemon(made.options);
    TlsClient sender(daemon.server->listen_address());
    CHECK(sender.server_name() == "front-1");
    CHECK(sender.ask(signed_event()) == 202);
    CHECK(sender.ask(signed_event()) == 202);
    TlsClient prober(daemon.server->health_address());
    CHECK(prober.server_name() == "health-1");
    CHECK(prober.ask(get("/readyz")) == 200);

    const std::size_t before = daemon.core.seen();
    Client plain(daemon.server->listen_address());
    CHECK(plain.ask(signed_event()).status == 0);
    CHECK(daemon.core.seen() == before);
    CHECK(TlsClient(daemon.server->listen_address()).ask(signed_event()) == 202);
}

TEST_CASE("http: after a reload new connections see the new certificate, old ones go on") {
    const Certified made;
    Running daemon(made.options);
    TlsClient before(daemon.server->listen_address());
    certify(made.folder, "front", "front-2");
    certify(made.folder, "health", "health-2");
    REQUIRE(daemon.server->reload());
    CHECK(TlsClient(daemon.server->listen_address()).server_name() == "front-2");
    CHECK(TlsClient(daemon.server->health_address()).server_name() == "health-2");
    CHECK(before.ask(signed_event()) == 202);
}

TEST_CASE("http: if one certificate cannot be used all old ones stay") {
    const Certified made;
    Running daemon(made.options);
    certify(made.folder, "front", "front-2");
    made.folder.write("health.crt", "no certificate");
    const auto failed = daemon.server->reload();
    REQUIRE_FALSE(failed);
    CHECK(failed.error().message.find("health.crt") != std::string::npos);
    CHECK(TlsClient(daemon.server->listen_address()).server_name() == "front-1");
    CHECK(TlsClient(daemon.server->health_address()).server_name() == "health-1");
}

TEST_CASE("http: a key that is another certificate's is refused at start") {
    Certified made;
    made.options.tls->key = made.options.health_tls->key;
    made.options.listen = made.options.health = "127.0.0.1:0";
    FakeCore core;
    FakeSecrets secrets;
    const ManualClock clock;
    Metrics metrics;
    const auto opened =
        http::Server::open(made.options, http::Core{core, core, secrets, clock}, nullptr, metrics);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == ErrorKind::Invalid);
}
