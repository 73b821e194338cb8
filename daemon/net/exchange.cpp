#include "net/exchange.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace promotiond::net {
namespace {

namespace http = boost::beast::http;

// A Beast body that hands each piece on and keeps nothing.
struct PieceBody {
    struct value_type {
        const StreamHandler* handler = nullptr;
        bool enough = false;  // the handler wants no more
    };

    class reader {
    public:
        template <bool kRequest, class Fields>
        reader(http::header<kRequest, Fields>&, value_type& sink) : sink_(sink) {}

        void init(const boost::optional<std::uint64_t>&, boost::system::error_code& error) {
            error = {};
        }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
            error = {};
            std::size_t size = 0;
            for (const boost::asio::const_buffer piece : boost::beast::buffers_range_ref(buffers)) {
                if (piece.size() == 0) continue;
                size += piece.size();
                if (sink_.handler->piece({static_cast<const char*>(piece.data()), piece.size()}))
                    continue;
                sink_.enough = true;
                error = boost::asio::error::operation_aborted;
                break;
            }
            return size;
        }
        void finish(boost::system::error_code& error) { error = {}; }

    private:
        value_type& sink_;
    };
};

using Parser = http::response_parser<PieceBody>;

constexpr std::size_t kMostHeaderBytes = 64u << 10;
constexpr int kMostInformational = 8;  // 1xx answers before the real one

// The answer of one exchange as it is being read.
class Reader {
public:
    Reader(Connection& connection, const ExchangeOptions& options, const StreamHandler& handler,
           const Limit& limit)
        : connection_(connection), options_(options), handler_(handler), limit_(limit) {
        renew();
    }

    std::optional<HttpError> run() {
        std::array<char, 16384> chunk;
        while (true) {
            const auto waits =
                options_.idle_timeout ? limit_.within(*options_.idle_timeout) : limit_;
            const auto read = connection_.read_some(chunk, waits);
            if (const auto* error = std::get_if<HttpError>(&read)) return cut_short(*error);
            const auto size = std::get<std::size_t>(read);
            if (size == 0) return at_end();
            begun_ = true;
            pending_.append(chunk.data(), size);
            if (auto error = feed()) return error;
            if (enough_ || parser_->is_done()) return std::nullopt;
        }
    }

    [[nodiscard]] bool begun() const noexcept { return begun_; }
    [[nodiscard]] bool reusable() const {
        return parser_->is_done() && parser_->keep_alive() && !ended_ && pending_.empty();
    }

private:
    void renew() {
        parser_.emplace();
        parser_->header_limit(kMostHeaderBytes);
        if (options_.max_body_bytes) {
            parser_->body_limit(*options_.max_body_bytes);
        } else {
            parser_->body_limit(boost::none);
        }
        parser_->skip(options_.head);
        parser_->get().body().handler = &handler_;
    }

    HttpError bad(const std::string& what) const {
        return {Failure::BadAnswer, "bad answer of " + connection_.name() + ": " + what};
    }

    HttpError cut_short(const HttpError& error) const {
        // Half an answer is a bad answer; an answer that never began is a broken connection.
        if (begun_ && error.failure == Failure::Connect)
            return bad("cut short (" + error.message + ")");
        const bool stalled = error.failure == Failure::Timeout && options_.idle_timeout &&
                             std::chrono::steady_clock::now() < limit_.deadline;
        if (!stalled) return error;
        return {Failure::Timeout, "nothing came from " + connection_.name() + " for " +
                                      std::to_string(options_.idle_timeout->count()) + " ms"};
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

    // Parses what is pending as far as it goes.
    std::optional<HttpError> feed() {
        std::size_t used = 0;
        auto error = parse(used);
        pending_.erase(0, used);
        if (!error && !enough_ && parser_->is_done() && !pending_.empty())
            return bad("bytes follow the end of the answer");
        return error;
    }

    std::optional<HttpError> parse(std::size_t& used) {
        while (used < pending_.size() && !parser_->is_done()) {
            const bool in_body = parser_->is_header_done();
            boost::system::error_code error;
            const auto taken = parser_->put(
                boost::asio::buffer(pending_.data() + used, pending_.size() - used), error);
            used += taken;
            enough_ = parser_->get().body().enough;
            if (enough_ || error == http::error::need_more) return std::nullopt;
            if (error == http::error::body_limit)
                return bad("its body is longer than the " +
                           std::to_string(options_.max_body_bytes.value_or(0)) + " bytes allowed");
            if (error) return bad(error.message());
            if (!in_body && parser_->is_header_done()) {
                if (auto unfit = take_head()) return unfit;
                if (enough_) return std::nullopt;
            } else if (taken == 0) {
                return std::nullopt;
            }
        }
        return std::nullopt;
    }

    std::optional<HttpError> take_head() {
        const auto& message = parser_->get();
        if (message.result_int() / 100 == 1) {
            if (++informational_ > kMostInformational) return bad("too many 1xx answers");
            if (message.result_int() == 101) return bad("it switches protocols unasked");
            renew();
            return std::nullopt;
        }
        Response head;
        head.code = static_cast<int>(message.result_int());
        for (const auto& field : message)
            head.headers.emplace_back(field.name_string(), field.value());
        enough_ = !handler_.head(head);
        return std::nullopt;
    }

    Connection& connection_;
    const ExchangeOptions& options_;
    const StreamHandler& handler_;
    const Limit& limit_;
    std::optional<Parser> parser_;
    std::string pending_;
    int informational_ = 0;
    bool begun_ = false;
    bool ended_ = false;
    bool enough_ = false;
};

}  // namespace

std::variant<ExchangeEnd, ExchangeFailure> exchange(Connection& connection, const Wire& wire,
                                                    const ExchangeOptions& options,
                                                    const StreamHandler& handler,
                                                    const Limit& limit) {
    const auto sending = options.idle_timeout ? limit.within(*options.idle_timeout) : limit;
    auto unsent = connection.write_all(wire.head, sending);
    if (!unsent) unsent = connection.write_all(wire.body, sending);
    const bool cut =
        unsent && (unsent->failure == Failure::Timeout || unsent->failure == Failure::Cancelled);
    if (cut) return ExchangeFailure{*unsent, false};
    // A peer that refuses early (413) answers and closes while the body is still being sent; the
    // answer is worth more than the broken pipe.
    Reader reader(connection, options, handler, limit);
    if (auto error = reader.run())
        return ExchangeFailure{unsent && !reader.begun() ? *unsent : *error, !reader.begun()};
    return reader.reusable() && !unsent ? ExchangeEnd::Reusable : ExchangeEnd::Closing;
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
