#include "net/exchange.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>

namespace promotiond::net {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

constexpr std::size_t kMostHeaderBytes = 64u << 10;
constexpr int kMostInformational = 8;  // 1xx answers before the real one

// The client frames the message and owns the connection, so these are not the caller's to say.
constexpr std::string_view kOwnHeaders[] = {
    "connection",          "transfer-encoding", "te",     "trailer", "upgrade", "keep-alive",
    "proxy-authorization", "proxy-connection",  "expect",
};

bool same_name(std::string_view a, std::string_view b) {
    return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

bool is_token(std::string_view text) {
    constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kPunctuation.find(c) != std::string_view::npos;
    });
}

bool is_field_value(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

Error invalid(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

Result<void> check_headers(const Request& request) {
    int hosts = 0;
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name)) return invalid("a header's name is empty or no RFC 9110 token");
        if (!is_field_value(value))
            return invalid("the value of header " + name +
                           " has a line break or control character");
        if (same_name(name, "host") && ++hosts > 1)
            return invalid("the Host header is given twice");
        if (same_name(name, "content-length") && value != std::to_string(request.body.size()))
            return invalid("the Content-Length header does not fit the body; leave it out");
        for (const auto own : kOwnHeaders) {
            if (same_name(name, own))
                return invalid("header " + name + " belongs to the connection; leave it out");
        }
    }
    return {};
}

void append(std::string& head, std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
}

// The answer of one exchange as it is being read.
class Reader {
public:
    Reader(Connection& connection, const ExchangeOptions& options, const Limit& limit)
        : connection_(connection), options_(options), limit_(limit) {
        renew();
    }

    std::optional<HttpError> run() {
        std::array<char, 16384> chunk;
        while (true) {
            const auto read = connection_.read_some(chunk, limit_);
            if (const auto* error = std::get_if<HttpError>(&read)) return cut_short(*error);
            const auto size = std::get<std::size_t>(read);
            if (size == 0) return at_end();
            begun_ = true;
            if (auto error = feed({chunk.data(), size})) return error;
            if (parser_->is_done()) return std::nullopt;
        }
    }

    [[nodiscard]] bool begun() const noexcept { return begun_; }

    Answer take() {
        Answer answer;
        answer.reusable = parser_->keep_alive() && !ended_ && pending_.empty();
        auto message = parser_->release();
        answer.response.code = message.result_int();
        for (const auto& field : message)
            answer.response.headers.emplace_back(field.name_string(), field.value());
        answer.response.body = std::move(message.body());
        return answer;
    }

private:
    void renew() {
        parser_.emplace();
        parser_->header_limit(kMostHeaderBytes);
        parser_->body_limit(options_.max_body_bytes);
        parser_->eager(true);
        parser_->skip(options_.head);
    }

    HttpError bad(const std::string& what) const {
        return {Failure::BadAnswer, "bad answer of " + connection_.name() + ": " + what};
    }

    HttpError cut_short(const HttpError& error) const {
        // Half an answer is a bad answer; an answer that never began is a broken connection.
        if (begun_ && error.failure == Failure::Connect)
            return bad("cut short (" + error.message + ")");
        return error;
    }

    std::optional<HttpError> at_end() {
        if (!begun_)
            return HttpError{Failure::Connect,
                             connection_.name() + " closed the connection without an answer"};
        ended_ = true;
        boost::system::error_code error;
        if (parser_->got_some() && parser_->is_header_done()) parser_->put_eof(error);
        if (!error && parser_->is_done()) return std::nullopt;
        return bad("it ended before its announced length");
    }

    std::optional<HttpError> feed(std::string_view bytes) {
        pending_.append(bytes);
        while (!pending_.empty() && !parser_->is_done()) {
            boost::system::error_code error;
            const auto used = parser_->put(boost::asio::buffer(pending_), error);
            pending_.erase(0, used);
            if (error == http::error::need_more) return std::nullopt;
            if (error == http::error::body_limit)
                return bad("its body is longer than the " +
                           std::to_string(options_.max_body_bytes) + " bytes allowed");
            if (error) return bad(error.message());
            if (parser_->is_done() && is_informational()) {
                if (++informational_ > kMostInformational) return bad("too many 1xx answers");
                if (parser_->get().result_int() == 101) return bad("it switches protocols unasked");
                renew();
            } else if (used == 0) {
                return std::nullopt;
            }
        }
        if (parser_->is_done() && !pending_.empty())
            return bad("bytes follow the end of the answer");
        return std::nullopt;
    }

    bool is_informational() const { return parser_->get().result_int() / 100 == 1; }

    Connection& connection_;
    const ExchangeOptions& options_;
    const Limit& limit_;
    std::optional<Parser> parser_;
    std::string pending_;
    int informational_ = 0;
    bool begun_ = false;
    bool ended_ = false;
};

}  // namespace

bool is_idempotent(std::string_view method) {
    constexpr std::string_view kMethods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

std::optional<std::string_view> header(const Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
        if (same_name(key, name)) return value;
    }
    return std::nullopt;
}

Result<Wire> to_wire(const Request& request, const Url& url, const WireOptions& options) {
    if (!is_token(request.method)) return invalid("the method is no RFC 9110 token");
    if (request.method == "CONNECT") return invalid("CONNECT is not a request; use dial");
    if (auto checked = check_headers(request); !checked) return std::move(checked).error();
    Wire wire;
    wire.body = request.body;
    auto& head = wire.head;
    head.append(request.method).append(" ");
    if (options.absolute_form) head.append("http://").append(url.host_header());
    head.append(url.target).append(" HTTP/1.1\r\n");
    if (!header(request.headers, "host")) append(head, "Host", url.host_header());
    if (!header(request.headers, "user-agent")) append(head, "User-Agent", options.user_agent);
    if (!header(request.headers, "accept-encoding")) append(head, "Accept-Encoding", "identity");
    if (!options.proxy_authorization.empty())
        append(head, "Proxy-Authorization", options.proxy_authorization);
    for (const auto& [name, value] : request.headers) {
        if (!same_name(name, "content-length")) append(head, name, value);
    }
    const bool has_body = !request.body.empty() || request.method == "POST" ||
                          request.method == "PUT" || request.method == "PATCH";
    if (has_body) append(head, "Content-Length", std::to_string(request.body.size()));
    head.append("\r\n");
    return wire;
}

std::variant<Answer, ExchangeFailure> exchange(Connection& connection, const Wire& wire,
                                               const ExchangeOptions& options, const Limit& limit) {
    auto unsent = connection.write_all(wire.head, limit);
    if (!unsent) unsent = connection.write_all(wire.body, limit);
    const bool cut =
        unsent && (unsent->failure == Failure::Timeout || unsent->failure == Failure::Cancelled);
    if (cut) return ExchangeFailure{*unsent, false};
    // A peer that refuses early (413) answers and closes while the body is still being sent; the
    // answer is worth more than the broken pipe.
    Reader reader(connection, options, limit);
    if (auto error = reader.run())
        return ExchangeFailure{unsent && !reader.begun() ? *unsent : *error, !reader.begun()};
    auto answer = reader.take();
    if (unsent) answer.reusable = false;
    return answer;
}

Attempt<int> read_connect_answer(Connection& connection, const Limit& limit) {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
        char byte = 0;
        const auto read = connection.read_some({&byte, 1}, limit);
        if (const auto* error = std::get_if<HttpError>(&read)) return *error;
        if (std::get<std::size_t>(read) == 0)
            return HttpError{Failure::Connect, "the proxy " + connection.name() +
                                                   " closed the connection without an answer"};
        head += byte;
        if (head.size() > kMostHeaderBytes)
            return HttpError{Failure::BadAnswer,
                             "the proxy " + connection.name() + " sends no end of headers"};
    }
    http::response_parser<http::string_body> parser;
    parser.skip(true);
    boost::system::error_code error;
    parser.put(boost::asio::buffer(head), error);
    if (error || !parser.is_header_done())
        return HttpError{Failure::BadAnswer,
                         "the proxy " + connection.name() + " does not answer in HTTP"};
    return static_cast<int>(parser.get().result_int());
}

}  // namespace promotiond::net
