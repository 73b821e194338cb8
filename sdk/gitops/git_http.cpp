// Asking: connections, requests and the bodies that go with them.
#include "git_http.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <charconv>
#include <utility>

namespace promotiond::sdk::inline v1::gitops {
namespace {

// A request body up to here is sent with its length, a longer one in chunks (git's own client does
// the same at http.postBuffer, 1 MiB).
constexpr std::size_t kPostBufferBytes = 1024 * 1024;
// An unread rest up to here is read so that the connection can be used again.
constexpr std::size_t kMaxDrainBytes = 64 * 1024;

// RFC 6750, else RFC 7617. The result holds the credentials and is kept as a Secret.
Secret authorization_field(const Credentials& credentials) {
    if (!credentials.bearer.empty()) {
        std::string plain("Authorization: Bearer ");
        plain.reserve(plain.size() + credentials.bearer.size() + 2);
        plain += credentials.bearer.reveal();
        plain += "\r\n";
        Secret result(plain);
        OPENSSL_cleanse(plain.data(), plain.size());
        return result;
    }
    if (credentials.username.empty() && credentials.password.empty()) return {};
    std::string plain = credentials.username + ":";
    plain += credentials.password.reveal();
    std::string encoded(4 * ((plain.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                     reinterpret_cast<const unsigned char*>(plain.data()),
                                     static_cast<int>(plain.size()));
    encoded.resize(static_cast<std::size_t>(size));
    Secret result("Authorization: Basic " + encoded + "\r\n");
    OPENSSL_cleanse(plain.data(), plain.size());
    OPENSSL_cleanse(encoded.data(), encoded.size());
    return result;
}

}  // namespace

void GitHttp::disconnect() {
    connection_.reset();
    received_.clear();
    taken_ = 0;
    body_ = Body::None;
    used_before_ = false;
}

Result<void> GitHttp::ensure_connected() {
    if (connection_) return {};
    auto opened = TlsConnection::open(*call_, *address_, *credentials_);
    if (!opened) return opened.error();
    connection_.emplace(std::move(*opened));
    return {};
}

Result<void> GitHttp::get_refs(std::string_view service) {
    service_ = service;
    const std::string line =
        "GET " + address_->path + "/info/refs?service=" + service_ + " HTTP/1.1\r\n";
    const std::string type = "application/x-" + service_ + "-advertisement";
    end_exchange();
    // A kept connection may have been closed by the other side meanwhile. Asking for refs has no
    // effect there, so it can be asked again on a new connection.
    const bool kept = connection_ && used_before_;
    auto done = send_head(line, "Accept: */*\r\n", {});
    if (done) done = receive_head(type);
    const bool stale = kept && !done && done.error().kind == ErrorKind::Transient && !connection_;
    if (!stale || Waiting(*call_).over()) return done;
    done = send_head(line, "Accept: */*\r\n", {});
    return done ? receive_head(type) : done;
}

Result<void> GitHttp::send_head(std::string_view request_line, std::string_view fields,
                                std::string_view body) {
    if (auto connected = ensure_connected(); !connected) return connected;
    std::string text(request_line);
    // Hosts of several forges look for "git/" to tell git from a browser.
    text += "Host: " + address_->host_and_port() + "\r\nUser-Agent: git/2.0 (promotiond)\r\n";
    text += fields;
    const Secret authorization = authorization_field(*credentials_);
    text.reserve(text.size() + authorization.size() + body.size() + 4);
    text += authorization.reveal();
    text += "\r\n";
    const std::size_t head_size = text.size();
    text += body;  // one write for head and body: one segment for most requests
    auto sent = connection_->write(text);
    OPENSSL_cleanse(text.data(), head_size);
    if (!sent) disconnect();
    return sent;
}

void GitHttp::begin_post(std::string_view service) {
    end_exchange();
    service_ = service;
    pending_.clear();
    chunking_ = false;
}

Result<void> GitHttp::post(std::string_view piece) {
    pending_ += piece;
    if (pending_.size() <= kPostBufferBytes) return {};
    const std::string body = std::exchange(pending_, {});
    if (!chunking_) {
        chunking_ = true;
        auto sent = send_head("POST " + address_->path + "/" + service_ + " HTTP/1.1\r\n",
                              "Accept: application/x-" + service_ +
                                  "-result\r\nContent-Type: application/x-" + service_ +
                                  "-request\r\nTransfer-Encoding: chunked\r\n",
                              {});
        if (!sent) return sent;
    }
    return send_chunk(body);
}

Result<void> GitHttp::send_chunk(std::string_view piece) {
    char size[24];
    const auto [end, failure] = std::to_chars(size, size + sizeof size, piece.size(), 16);
    (void)failure;  // 24 characters hold any size
    std::string text(size, end);
    text += "\r\n";
    text += piece;
    text += "\r\n";
    auto sent = connection_ ? connection_->write(text)
                            : Result<void>(Error{ErrorKind::Transient, "the connection is gone"});
    if (!sent) disconnect();
    return sent;
}

Result<void> GitHttp::finish_post() {
    const std::string body = std::exchange(pending_, {});
    Result<void> sent;
    if (chunking_) {
        if (!body.empty()) sent = send_chunk(body);
        if (sent) sent = send_chunk({});
    } else {
        sent = send_head("POST " + address_->path + "/" + service_ + " HTTP/1.1\r\n",
                         "Accept: application/x-" + service_ +
                             "-result\r\nContent-Type: application/x-" + service_ +
                             "-request\r\nContent-Length: " + std::to_string(body.size()) + "\r\n",
                         body);
    }
    if (!sent) return sent;
    return receive_head("application/x-" + service_ + "-result");
}

void GitHttp::end_exchange() {
    if (!connection_) return;
    char rest[4096];
    std::size_t drained = 0;
    while (keep_ && body_ != Body::None && drained <= kMaxDrainBytes) {
        const auto got = read(rest, sizeof rest);
        if (!got) return;  // read() has disconnected
        drained += *got;
    }
    if (!keep_ && used_before_) disconnect();
    // Bytes that belong to no answer would be taken for the next one.
    if (body_ != Body::None || taken_ != received_.size()) disconnect();
}

}  // namespace promotiond::sdk::inline v1::gitops
