#include "http/request_reader.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

namespace promotiond::http {
namespace {

namespace beast = boost::beast::http;
using Parser = beast::request_parser<beast::string_body>;

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

bool all_digits(std::string_view text) {
    return !text.empty() && text.size() <= 19 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

class RequestReader::State {
public:
    explicit State(ReadLimits limits) : limits_(limits) { begin(); }

    void begin() {
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(limits_.head + 1));
        parser_->body_limit(limits_.body);
        parser_->eager(false);
        scanned_ = 0;
        phase_ = Phase::Head;
        request_ = Request{};
        expects_continue_ = false;
    }

    Step refuse(unsigned status, std::string detail) {
        phase_ = Phase::Refused;
        refusal_ = {status, std::move(detail)};
        return Step::Refused;
    }

    Step advance(std::string& buffer) {
        switch (phase_) {
            case Phase::Refused: return Step::Refused;
            case Phase::Head: return read_head(buffer);
            case Phase::Body: return read_body(buffer);
        }
        return Step::Refused;
    }

    Request request_;
    Refusal refusal_;
    bool expects_continue_ = false;

private:
    enum class Phase { Head, Body, Refused };

    // What must not be in a head, found as the bytes come, so that nobody waits for the deadline.
    const char* scan(const std::string& buffer, std::size_t end) {
        for (; scanned_ < end; ++scanned_) {
            const auto c = static_cast<unsigned char>(buffer[scanned_]);
            if (c >= 0x20 && c != 0x7f) continue;
            const char before = scanned_ == 0 ? '\0' : buffer[scanned_ - 1];
            if (c == '\n' && before != '\r') return "a line ends in LF without CR";
            if (c == '\n' && scanned_ + 1 < end) {
                const char after = buffer[scanned_ + 1];
                if (after == ' ' || after == '\t') return "a header line is folded";
            }
            if (c == '\r') {
                if (scanned_ + 1 >= end) return nullptr;
                if (buffer[scanned_ + 1] != '\n') return "a CR stands without LF";
            } else if (c != '\n' && c != '\t') {
                return "a control character is in the head";
            }
            // The byte behind LF decides about folding: look at this LF again when it has come.
            if (c == '\n' && scanned_ + 1 >= end) return nullptr;
        }
        return nullptr;
    }

    Step read_head(std::string& buffer) {
        if (buffer.empty()) return Step::NeedHead;
        if (static_cast<unsigned char>(buffer[0]) == 0x16) {
            return refuse(400, "this looks like TLS; the address speaks plain HTTP");
        }
        const std::size_t blank = buffer.find("\r\n\r\n");
        const bool whole = blank != std::string::npos;
        const std::size_t size = whole ? blank + 4 : buffer.size();
        const std::size_t line = buffer.find("\r\n");
        if (std::min(line, buffer.size()) > limits_.target + 32) {
            return refuse(414, "the request target is longer than " +
                                   std::to_string(limits_.target) + " bytes");
        }
        if (size > limits_.head) {
            return refuse(431, "the request's head is longer than " + std::to_string(limits_.head) +
                                   " bytes");
        }
        if (const char* wrong = scan(buffer, size)) {
            return refuse(400, std::string("the request is malformed: ") + wrong);
        }
        if (!whole) return Step::NeedHead;
        boost::system::error_code error;
        parser_->put(boost::asio::buffer(buffer.data(), size), error);
        buffer.erase(0, size);
        if (error == beast::error::body_limit) {
            return refuse(413,
                          "the body is longer than " + std::to_string(limits_.body) + " bytes");
        }
        if (error == beast::error::bad_version) {
            return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        }
        if (error) return refuse(400, "the request is malformed: " + error.message());
        return accept_head();
    }

    Step accept_head() {
        const auto& message = parser_->get();
        if (message.version() != 10 && message.version() != 11) {
            return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        }
        request_.method = std::string(message.method_string());
        request_.target = std::string(message.target());
        request_.keep_alive = message.keep_alive();
        for (const auto& field : message) {
            request_.headers.emplace_back(lower(field.name_string()), std::string(field.value()));
        }
        if (request_.headers.size() > limits_.fields) {
            return refuse(431, "the request has more than " + std::to_string(limits_.fields) +
                                   " header fields");
        }
        if (!check_framing() || !check_host(message.version()) || !check_target() ||
            !check_expectation(message.version())) {
            return Step::Refused;
        }
        parser_->eager(true);
        phase_ = Phase::Body;
        return Step::Head;
    }

    bool check_framing() {
        const std::size_t lengths = request_.count("content-length");
        const std::size_t codings = request_.count("transfer-encoding");
        if (lengths + codings > 1) {
            refuse(400, "the body's length is said more than once");
            return false;
        }
        request_.has_body = lengths + codings == 1;
        if (lengths == 1 && !all_digits(*request_.single("content-length"))) {
            refuse(400, "Content-Length is not a number of bytes");
            return false;
        }
        if (codings == 1) {
            if (lower(*request_.single("transfer-encoding")) != "chunked") {
                refuse(501, "the only transfer coding taken here is chunked");
                return false;
            }
            if (parser_->get().version() == 10) {
                refuse(400, "HTTP/1.0 knows no chunks");
                return false;
            }
        }
        // Without either there is no body: RFC 9112 6.3, and Beast reads it so.
        return true;
    }

    bool check_host(unsigned version) {
        const std::size_t hosts = request_.count("host");
        if (hosts > 1 || (version == 11 && hosts == 0)) {
            refuse(400, "exactly one Host header is needed");
            return false;
        }
        return true;
    }

    // RFC 9112 3.2: origin form, or absolute form whose path is taken.
    bool check_target() {
        std::string& target = request_.target;
        const std::string scheme = lower(std::string_view(target).substr(0, 8));
        if (scheme.starts_with("http://") || scheme == "https://") {
            const std::size_t authority = scheme.starts_with("http://") ? 7 : 8;
            const std::size_t end = target.find_first_of("/?", authority);
            if (end == authority || target.size() == authority) {
                refuse(400, "the request target names no host");
                return false;
            }
            target = end == std::string::npos ? "/" : target.substr(end);
            if (target.front() == '?') target.insert(0, "/");
        }
        if (target.empty() || target.front() != '/') {
            refuse(request_.method == "CONNECT" ? 405 : 400, "the request target is not a path");
            return false;
        }
        if (target.size() > limits_.target) {
            refuse(414, "the request target is longer than " + std::to_string(limits_.target) +
                            " bytes");
            return false;
        }
        const bool clean = std::all_of(target.begin(), target.end(), [](char c) {
            const auto byte = static_cast<unsigned char>(c);
            return byte > 0x20 && byte < 0x7f && c != '#';
        });
        if (!clean) refuse(400, "the request target has characters that must be percent-encoded");
        return clean;
    }

    bool check_expectation(unsigned version) {
        if (request_.count("expect") == 0) return true;
        const std::string* expect = request_.single("expect");
        if (expect == nullptr || lower(*expect) != "100-continue") {
            refuse(417, "the only expectation met here is 100-continue");
            return false;
        }
        expects_continue_ = version == 11 && request_.has_body;
        return true;
    }

    Step read_body(std::string& buffer) {
        boost::system::error_code error;
        while (!parser_->is_done()) {
            // Beast 1.81 asserts, and so ends the process, when "0\r\n\r" comes without the last
            // byte. What is left of a chunked body never has fewer than the 5 of "0\r\n\r\n".
            if (buffer.size() < (parser_->chunked() ? 5u : 1u)) return Step::NeedBody;
            const std::size_t used =
                parser_->put(boost::asio::buffer(buffer.data(), buffer.size()), error);
            buffer.erase(0, used);
            if (error == beast::error::need_more) {
                // A chunk's own head is bounded too; without this an endless extension would grow.
                if (used == 0 && buffer.size() > limits_.head) {
                    return refuse(400, "a chunk's head or trailer is too long");
                }
                if (used == 0) return Step::NeedBody;
                error = {};
                continue;
            }
            if (error == beast::error::body_limit) {
                return refuse(413,
                              "the body is longer than " + std::to_string(limits_.body) + " bytes");
            }
            if (error) return refuse(400, "the body is malformed: " + error.message());
        }
        request_.body = std::move(parser_->get().body());
        return Step::Whole;
    }

    ReadLimits limits_;
    std::optional<Parser> parser_;
    std::size_t scanned_ = 0;
    Phase phase_ = Phase::Head;
};

RequestReader::RequestReader(ReadLimits limits) : state_(std::make_unique<State>(limits)) {}
RequestReader::~RequestReader() = default;

RequestReader::Step RequestReader::advance(std::string& buffer) { return state_->advance(buffer); }
Request& RequestReader::request() { return state_->request_; }
bool RequestReader::expects_continue() const { return state_->expects_continue_; }
const RequestReader::Refusal& RequestReader::refusal() const { return state_->refusal_; }

Request RequestReader::take() {
    Request whole = std::move(state_->request_);
    state_->begin();
    return whole;
}

}  // namespace promotiond::http
