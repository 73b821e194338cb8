#include "git_http.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <ctime>

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::size_t kMaxHeadBytes = 64 * 1024;
constexpr std::size_t kReadBytes = 32 * 1024;
// A request body up to here is sent with its length, a longer one in chunks (git's own client does
// the same at http.postBuffer, 1 MiB).
constexpr std::size_t kPostBufferBytes = 1024 * 1024;
// An unread rest up to here is read so that the connection can be used again.
constexpr std::size_t kMaxDrainBytes = 64 * 1024;

Error bad_answer(const std::string& why) {
    return {ErrorKind::Transient, "bad answer from the git server: " + why};
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return result;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
    std::uint64_t value = 0;
    const auto [end, failure] =
        std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

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

std::string printable(std::string_view text, std::size_t limit_bytes) {
    std::string result;
    for (std::size_t i = 0; i < text.size() && result.size() < limit_bytes; ++i) {
        const char c = text[i];
        if (c == '\x1b') {  // an escape sequence of a terminal: to its final letter
            if (i + 1 < text.size() && text[i + 1] == '[') ++i;
            while (i + 1 < text.size() && (text[i + 1] < '@' || text[i + 1] > '~')) ++i;
            ++i;
            continue;
        }
        // 0x80..0x9f are control characters only in 8-bit sets; here they are parts of UTF-8.
        const bool control = (c >= 0 && c < 0x20) || c == 0x7f;
        if (!control) result += c;
        else if (!result.empty() && result.back() != ' ') result += ' ';
    }
    while (!result.empty() && result.back() == ' ') result.pop_back();
    return result;
}

std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view text, std::chrono::system_clock::time_point now) {
    using std::chrono::seconds;
    const auto clamp = [](seconds wait) {
        return std::chrono::milliseconds(std::clamp(wait, seconds(1), kMaxRetryAfter));
    };
    text = trimmed(text);
    if (text.empty()) return std::nullopt;
    if (text.find_first_not_of("0123456789") == std::string_view::npos) {
        const auto count = parse_number(text.substr(0, 9), 10);
        return clamp(seconds(count.value_or(0)));
    }
    std::tm parts{};
    const std::string copy(text);
    if (::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr)
        return std::nullopt;
    const auto then = std::chrono::system_clock::from_time_t(::timegm(&parts));
    return clamp(std::chrono::ceil<seconds>(then - now));
}

std::string_view GitHttp::Head::field(std::string_view name) const {
    for (const auto& [key, value] : fields)
        if (key == name) return value;
    return {};
}

std::size_t GitHttp::Head::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; }));
}

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

Result<void> GitHttp::receive_head(std::string_view expected_type) {
    auto head = read_head();
    if (!head) {
        disconnect();
        return head.error();
    }
    if (auto framed = take_framing(*head); !framed) {
        disconnect();
        return framed;
    }
    if (head->code != 200) {
        Error error = refused(*head);
        disconnect();
        return error;
    }
    const auto type = lower(head->field("content-type"));
    if (trimmed(type.substr(0, type.find(';'))) == expected_type) return {};
    disconnect();
    return Error{ErrorKind::Invalid, "https://" + address_->display() +
                                         " does not speak git's smart protocol (it answered with "
                                         "content type '" +
                                         printable(type, 80) + "'); check the repository's URL"};
}

Result<GitHttp::Head> GitHttp::read_head() {
    while (true) {
        Head head;
        auto line = read_line();
        if (!line) return line.error();
        // "HTTP/1.1 200 OK"
        const bool known = line->rfind("HTTP/1.1 ", 0) == 0 || line->rfind("HTTP/1.0 ", 0) == 0;
        const auto code = known ? parse_number(std::string_view(*line).substr(9, 3), 10)
                                : std::optional<std::uint64_t>();
        if (!code || *code < 100 || *code > 599) return bad_answer("it is not HTTP/1.1");
        head.code = static_cast<int>(*code);
        keep_ = (*line)[7] == '1';
        std::size_t bytes = line->size();
        while (true) {
            line = read_line();
            if (!line) return line.error();
            if (line->empty()) break;
            bytes += line->size();
            if (bytes > kMaxHeadBytes) return bad_answer("its head is longer than 64 KiB");
            const auto colon = line->find(':');
            if (colon == std::string::npos || colon == 0 || (*line)[0] == ' ' || (*line)[0] == '\t')
                return bad_answer("a header line has no name");
            head.fields.emplace_back(lower(std::string_view(*line).substr(0, colon)),
                                     trimmed(std::string_view(*line).substr(colon + 1)));
        }
        if (head.code >= 200) return head;  // others are interim answers
    }
}

Result<void> GitHttp::take_framing(const Head& head) {
    const auto length = head.field("content-length");
    const auto coding = lower(head.field("transfer-encoding"));
    if (lower(head.field("connection")).find("close") != std::string::npos) keep_ = false;
    if (head.count("content-length") > 1 || head.count("transfer-encoding") > 1 ||
        (!length.empty() && !coding.empty()))
        return bad_answer("it gives two lengths");
    if (head.count("content-encoding") > 0 && lower(head.field("content-encoding")) != "identity")
        return bad_answer("it is compressed, which was not asked for");
    body_left_ = 0;
    if (!coding.empty()) {
        if (coding != "chunked") return bad_answer("unknown transfer coding");
        body_ = Body::Chunked;
    } else if (!length.empty()) {
        const auto size = parse_number(length, 10);
        if (!size) return bad_answer("its length is not a number");
        body_left_ = *size;
        body_ = *size > 0 ? Body::Length : Body::None;
    } else {
        body_ = Body::UntilClose;
        keep_ = false;
    }
    used_before_ = true;
    return {};
}

Error GitHttp::refused(const Head& head) const {
    const std::string where = "https://" + address_->display();
    const std::string status = " (HTTP " + std::to_string(head.code) + ")";
    const auto now = std::chrono::system_clock::time_point(call_->now());
    const auto wait = parse_retry_after(head.field("retry-after"), now);
    if (head.code >= 300 && head.code < 400)
        return {ErrorKind::Invalid,
                where + " has moved" + status +
                    "; redirects are not followed with credentials: set the repository's new URL"};
    if (head.code == 429 || head.code == 503 || (head.code == 403 && wait))
        return {ErrorKind::Throttled, where + " asks to slow down" + status, wait};
    if (head.code == 401)
        return {ErrorKind::Unauthorized,
                where +
                    (credentials_->password.empty() && credentials_->bearer.empty()
                         ? " wants credentials and the secret gives none"
                         : " does not accept the secret's credentials") +
                    status};
    if (head.code == 403)
        return {ErrorKind::Unauthorized,
                where + " forbids this to the secret's credentials" + status};
    if (head.code == 404 || head.code == 410)
        return {ErrorKind::NotFound,
                where + " does not exist, or the secret's credentials may not see it" + status};
    if (head.code >= 500 || head.code == 408)
        return {ErrorKind::Transient, where + " has a problem of its own" + status};
    return {ErrorKind::Invalid, where + " refuses the request" + status};
}

Result<void> GitHttp::fill() {
    if (!connection_) return bad_answer("the connection is closed");
    if (taken_ == received_.size()) {
        received_.clear();
        taken_ = 0;
    }
    const std::size_t before = received_.size();
    received_.resize(before + kReadBytes);
    auto got = connection_->read(received_.data() + before, kReadBytes);
    received_.resize(before + (got ? *got : 0));
    if (!got) return got.error();
    if (*got == 0) return bad_answer("the connection ended before the answer did");
    return {};
}

Result<std::string> GitHttp::read_line() {
    while (true) {
        const auto end = received_.find('\n', taken_);
        if (end != std::string::npos) {
            std::string line = received_.substr(taken_, end - taken_);
            taken_ = end + 1;
            if (!line.empty() && line.back() == '\r') line.pop_back();
            return line;
        }
        if (received_.size() - taken_ > kMaxHeadBytes)
            return bad_answer("a line of its head is longer than 64 KiB");
        if (auto filled = fill(); !filled) return filled.error();
    }
}

// From the buffer first; a large read goes past it.
Result<std::size_t> GitHttp::read_raw(char* into, std::size_t size) {
    const std::size_t buffered = received_.size() - taken_;
    if (buffered == 0) {
        if (!connection_) return bad_answer("the connection is closed");
        return connection_->read(into, size);
    }
    const std::size_t count = std::min(buffered, size);
    std::copy_n(received_.data() + taken_, count, into);
    taken_ += count;
    return count;
}

Result<std::size_t> GitHttp::read_counted(char* into, std::size_t size) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size, body_left_));
    auto got = read_raw(into, count);
    if (!got) return got;
    if (*got == 0) return bad_answer("the connection ended before the answer did");
    body_left_ -= *got;
    return got;
}

Result<std::size_t> GitHttp::read_chunked(char* into, std::size_t size) {
    if (body_left_ == 0) {
        auto line = read_line();
        if (!line) return line.error();
        const auto length = parse_number(trimmed(line->substr(0, line->find(';'))), 16);
        if (!length) return bad_answer("a chunk has no length");
        if (*length == 0) {
            for (line = read_line(); line && !line->empty();) line = read_line();  // trailers
            if (!line) return line.error();
            body_ = Body::None;
            return std::size_t{0};
        }
        body_left_ = *length;
    }
    auto got = read_counted(into, size);
    if (!got || body_left_ > 0) return got;
    auto line = read_line();
    if (!line) return line.error();
    if (!line->empty()) return bad_answer("a chunk is longer than it said");
    return got;
}

Result<std::size_t> GitHttp::read(char* into, std::size_t size) {
    Result<std::size_t> got = std::size_t{0};
    switch (body_) {
        case Body::None: return got;
        case Body::Length:
            got = read_counted(into, size);
            if (got && body_left_ == 0) body_ = Body::None;
            break;
        case Body::Chunked: got = read_chunked(into, size); break;
        case Body::UntilClose:
            got = read_raw(into, size);
            if (got && *got == 0) body_ = Body::None;
            break;
    }
    if (!got) disconnect();
    return got;
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
