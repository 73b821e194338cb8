#include "tests/simulators/http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "tests/simulators/loopback.hpp"

namespace promotiond::simulators {
namespace {

constexpr int kSliceMs = 50;

std::string pem_of(const auto& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
    write(bio.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate certificate_of(const std::string& pem) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new_mem_buf(pem.data(), -1),
                                                         &BIO_free);
    return {PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), &X509_free};
}

// A stream that is plain or TLS; blocking, with polls so that a stop is seen.
struct Stream {
    int fd;
    SSL* ssl;

    bool readable(const std::stop_token& stop) const {
        if (ssl != nullptr && SSL_pending(ssl) > 0) return true;
        while (!stop.stop_requested()) {
            pollfd entry{fd, POLLIN, 0};
            if (poll(&entry, 1, kSliceMs) > 0) return true;
        }
        return false;
    }
    long read(char* into, std::size_t size) const {
        if (ssl != nullptr) return SSL_read(ssl, into, static_cast<int>(size));
        return ::recv(fd, into, size, 0);
    }
    bool write(std::string_view bytes) const {
        while (!bytes.empty()) {
            const long sent = ssl != nullptr
                                  ? SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()))
                                  : ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
};

std::size_t body_length(const std::string& head) {
    const auto at = head.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

// One whole request, or nothing when the peer went away.
std::string read_request(const Stream& stream, const std::stop_token& stop) {
    std::string request;
    while (true) {
        const auto end = request.find("\r\n\r\n");
        if (end != std::string::npos && request.size() >= end + 4 + body_length(request))
            return request;
        char chunk[4096];
        if (!stream.readable(stop)) return {};
        const long size = stream.read(chunk, sizeof chunk);
        if (size <= 0) return {};
        request.append(chunk, static_cast<std::size_t>(size));
    }
}

}  // namespace

ScriptedAnswer whole(int code, const std::string& body, const std::string& more_headers) {
    return {"HTTP/1.1 " + std::to_string(code) + " Scripted\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" + body,
            ScriptedAnswer::After::KeepOpen};
}

Identity make_identity(const std::string& subject_alternative_name, Validity validity) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
    const bool expired = validity == Validity::Expired;
    X509_gmtime_adj(X509_getm_notBefore(made.get()), expired ? -7200 : -60);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), expired ? -3600 : 3600);
    X509_set_pubkey(made.get(), key.get());
    X509_NAME* name = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("simulator"), -1, -1, 0);
    X509_set_issuer_name(made.get(), name);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                                                    subject_alternative_name.c_str());
    X509_add_ext(made.get(), extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(made.get(), key.get(), EVP_sha256());
    return {pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, made.get()); }), pem_of([&](BIO* bio) {
                PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
            })};
}

HttpServer::HttpServer(std::vector<ScriptedAnswer> answers) : answers_(std::move(answers)) {
    listen_on_loopback();
}

HttpServer::HttpServer(Answering answer) : answering_(std::move(answer)) { listen_on_loopback(); }

HttpServer::HttpServer(std::vector<ScriptedAnswer> answers, const Identity& identity,
                       const std::string& client_ca)
    : answers_(std::move(answers)) {
    tls_.reset(SSL_CTX_new(TLS_server_method()));
    // OpenSSL's own socket calls raise it when the client refuses the certificate and leaves.
    std::signal(SIGPIPE, SIG_IGN);
    const auto x509 = certificate_of(identity.certificate);
    const std::unique_ptr<BIO, decltype(&BIO_free)> key(BIO_new_mem_buf(identity.key.data(), -1),
                                                        &BIO_free);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pkey(
        PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
    SSL_CTX_use_certificate(tls_.get(), x509.get());
    SSL_CTX_use_PrivateKey(tls_.get(), pkey.get());
    if (!client_ca.empty()) {
        const auto trusted = certificate_of(client_ca);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(tls_.get()), trusted.get());
        SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    listen_on_loopback();
}

HttpServer::~HttpServer() {
    acceptor_.request_stop();
    acceptor_.join();
    for (auto& worker : workers_) worker.request_stop();
    stopped_.notify_all();
    workers_.clear();
    ::close(listener_);
}

void HttpServer::listen_on_loopback() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    port_ = simulators::listen_on_loopback(listener_);
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

void HttpServer::accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd entry{listener_, POLLIN, 0};
        if (poll(&entry, 1, kSliceMs) <= 0) continue;
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) continue;
        const std::lock_guard lock(mutex_);
        ++connections_;
        workers_.emplace_back([this, fd](const std::stop_token& end) { serve(fd, end); });
    }
}

void HttpServer::serve(int fd, const std::stop_token& stop) {
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(tls_ ? SSL_new(tls_.get()) : nullptr,
                                                        &SSL_free);
    const Stream stream{fd, ssl.get()};
    bool open = true;
    if (ssl) {
        SSL_set_fd(ssl.get(), fd);
        open = stream.readable(stop) && SSL_accept(ssl.get()) == 1;
    }
    while (open) {
        const auto request = read_request(stream, stop);
        if (request.empty()) break;
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(request);
        }
        const auto answer = answering_ ? answering_(request) : next();
        std::unique_lock lock(mutex_);
        if (answer.per_byte.count() == 0) {
            lock.unlock();
            open = stream.write(answer.bytes);
            lock.lock();
        } else {
            for (std::size_t i = 0; i < answer.bytes.size() && open; ++i) {
                lock.unlock();
                open = stream.write({&answer.bytes[i], 1});
                lock.lock();
                stopped_.wait_for(lock, stop, answer.per_byte, [] { return false; });
                open = open && !stop.stop_requested();
            }
        }
        if (answer.after == ScriptedAnswer::After::StaySilent)
            stopped_.wait(lock, stop, [] { return false; });
        open = open && answer.after == ScriptedAnswer::After::KeepOpen;
    }
    ::close(fd);
    const std::lock_guard lock(mutex_);
    ++closed_;
}

ScriptedAnswer HttpServer::next() {
    const std::lock_guard lock(mutex_);
    return answers_.at(std::min(used_++, answers_.size() - 1));
}

std::string HttpServer::url(const std::string& path) const {
    return (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) + path;
}

std::vector<std::string> HttpServer::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

int HttpServer::connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
}

int HttpServer::open_connections() const {
    const std::lock_guard lock(mutex_);
    return connections_ - closed_;
}

}  // namespace promotiond::simulators
