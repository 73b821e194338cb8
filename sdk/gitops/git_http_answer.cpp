// Answers: heads, what refusals mean, and bodies in whatever frame they come.
#include <algorithm>
#include <charconv>
#include <ctime>

#include "git_http.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::size_t kMaxHeadBytes = 64 * 1024;
constexpr std::size_t kReadBytes = 32 * 1024;

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
                         ? " wants credentials and is given none"
                         : " does not accept the credentials") +
                    status};
    if (head.code == 403)
        return {ErrorKind::Unauthorized, where + " forbids this to the credentials" + status};
    if (head.code == 404 || head.code == 410)
        return {ErrorKind::NotFound,
                where + " does not exist, or the credentials may not see it" + status};
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

}  // namespace promotiond::sdk::inline v1::gitops
