#include "http/connection.hpp"

#include <array>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

namespace promotiond::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

// After an answer that closes, what the peer still sends is read and thrown away for this long and
// this much: closing with unread bytes would reset the connection and lose the answer.
constexpr std::chrono::milliseconds kLinger{2'000};
constexpr std::chrono::milliseconds kLingerAtStop{200};
constexpr std::size_t kLingerMost = 4u << 20;

template <class Stream>
class Session final : public Connection, public std::enable_shared_from_this<Session<Stream>> {
public:
    template <class... Arguments>
    Session(ConnectionHost& host, std::shared_ptr<asio::ssl::context> tls, std::string peer,
            std::string key, Arguments&&... arguments)
        : host_(host),
          tls_(std::move(tls)),
          peer_(std::move(peer)),
          key_(std::move(key)),
          stream_(std::forward<Arguments>(arguments)...),
          reader_(host.options().limits) {
        host_.opened(*this, key_);
    }
    ~Session() override {
        if (busy_) host_.in_flight(-1);
        host_.ended(*this, key_);
    }

    void begin() {
        expires(host_.options().header_timeout);
        if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
            step();
        } else {
            stream_.async_handshake(asio::ssl::stream_base::server,
                                    [self = this->shared_from_this()](error_code error) {
                                        if (error)
                                            return self->host_.refused(
                                                self->peer_, "no TLS: " + error.message());
                                        self->expires(self->host_.options().header_timeout);
                                        self->step();
                                    });
        }
    }

    void finish() override {
        if (!busy_ && buffer_.empty() && awaiting_head_) cut();
    }
    void cut() override {
        const auto self = std::move(kept_);
        error_code error;
        lowest().socket().close(error);
    }

private:
    beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }
    void expires(std::chrono::milliseconds after) { lowest().expires_after(after); }
    // An answer that is not taken in time goes with its connection; without this the kernel would
    // go on offering what it has of it.
    void reset_on_close(bool reset) {
        error_code error;
        lowest().socket().set_option(asio::socket_base::linger(reset, 0), error);
    }

    // Goes on with what the buffer holds until more is needed or a request is in hand.
    void step() {
        while (true) {
            switch (reader_.advance(buffer_)) {
                case RequestReader::Step::NeedHead: return read_head();
                case RequestReader::Step::NeedBody: return read();
                case RequestReader::Step::Head:
                    if (!take_head()) return;
                    break;
                case RequestReader::Step::Whole: return serve();
                case RequestReader::Step::Refused: return refuse();
            }
        }
    }

    void read_head() {
        awaiting_head_ = true;
        if (buffer_.empty() && host_.draining()) return close();
        read();
    }

    void read() {
        stream_.async_read_some(asio::buffer(chunk_),
                                [self = this->shared_from_this()](error_code error, std::size_t n) {
                                    self->received(error, n);
                                });
    }

    void received(error_code error, std::size_t n) {
        if (error) return lost(error);
        // The head's deadline begins with its first byte and is not moved by later ones.
        if (awaiting_head_ && buffer_.empty()) expires(host_.options().header_timeout);
        buffer_.append(chunk_.data(), n);
        step();
    }

    void lost(error_code error) {
        const bool in_the_middle = !awaiting_head_ || !buffer_.empty();
        if (!in_the_middle) return;
        if (error == beast::error::timeout) {
            return host_.refused(peer_, "the request did not come within its time");
        }
        if (error != asio::error::eof) return;
        Request& request = reader_.request();
        identify(request);
        Response response =
            problem(400, "the connection ended before the request was whole", request);
        response.rejected = "malformed";
        response.close = true;
        write(request, std::move(response));
    }

    void identify(Request& request) {
        request.peer = peer_;
        if (request.client.empty()) request.client = peer_;
        if (request.request_id.empty()) request.request_id = host_.next_request_id();
    }

    // False if the request was answered unread.
    bool take_head() {
        awaiting_head_ = false;
        Request& request = reader_.request();
        identify(request);
        expires(host_.options().body_timeout);
        if (auto response = host_.service().head(request)) {
            // Where an unread body ends is not known before it is read: this was the last request.
            response->close = response->close || request.has_body;
            Request refused = request.has_body ? request : reader_take_empty();
            write(refused, std::move(*response));
            return false;
        }
        if (reader_.expects_continue()) return write_continue();
        return true;
    }

    // A request without body is whole already; the reader goes on to the next.
    Request reader_take_empty() {
        (void)reader_.advance(buffer_);
        return reader_.take();
    }

    bool write_continue() {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(stream_, asio::buffer(kContinue),
                          [self = this->shared_from_this()](error_code error, std::size_t) {
                              if (!error) self->step();
                          });
        return false;
    }

    void refuse() {
        Request& request = reader_.request();
        identify(request);
        const auto& refusal = reader_.refusal();
        host_.refused(peer_, refusal.detail);
        Response response = problem(refusal.status, refusal.detail, request);
        response.rejected = refusal.status == 413 ? "too-large" : "malformed";
        response.close = true;
        write(request, std::move(response));
    }

    void serve() {
        busy_ = true;
        host_.in_flight(1);
        lowest().expires_never();
        Request request = reader_.take();
        answering_ = Request{};
        answering_.method = request.method;
        answering_.request_id = request.request_id;
        answering_.route = request.route;
        answering_.keep_alive = request.keep_alive;
        // No operation owns the connection meanwhile, and neither may whoever answers: that can be
        // another thread, after the listener's end.
        kept_ = this->shared_from_this();
        host_.service().serve(std::move(request), [weak = this->weak_from_this(),
                                                   post = host_.poster()](Response response) {
            post([weak, response = std::move(response)]() mutable {
                if (const auto self = weak.lock()) self->answered(std::move(response));
            });
        });
    }

    void answered(Response response) {
        if (!busy_) return;
        busy_ = false;
        const auto self = std::move(kept_);
        host_.in_flight(-1);
        write(answering_, std::move(response));
    }

    void write(const Request& request, Response response) {
        const bool keep = request.keep_alive && !response.close && !host_.draining();
        host_.service().answered(request.route, response);
        out_ = serialise(response, request, keep);
        expires(host_.options().write_timeout);
        reset_on_close(true);
        asio::async_write(stream_, asio::buffer(out_),
                          [self = this->shared_from_this(), keep](error_code error, std::size_t) {
                              if (error) return;
                              self->reset_on_close(false);
                              self->out_ = {};
                              if (!keep) return self->close();
                              self->expires(self->buffer_.empty()
                                                ? self->host_.options().idle_timeout
                                                : self->host_.options().header_timeout);
                              self->step();
                          });
    }

    void close() {
        expires(host_.draining() ? kLingerAtStop : kLinger);
        if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
            error_code error;
            lowest().socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
            if (!error) linger();
        } else {
            stream_.async_shutdown([self = this->shared_from_this()](error_code) {});
        }
    }

    void linger() {
        stream_.async_read_some(asio::buffer(chunk_),
                                [self = this->shared_from_this()](error_code error, std::size_t n) {
                                    self->lingered_ += n;
                                    if (!error && self->lingered_ < kLingerMost) self->linger();
                                });
    }

    ConnectionHost& host_;
    std::shared_ptr<asio::ssl::context> tls_;  // outlives the stream
    std::string peer_;
    std::string key_;
    Stream stream_;
    RequestReader reader_;
    std::string buffer_;  // received, not yet taken by the reader
    std::string out_;
    std::array<char, 8192> chunk_{};
    Request answering_;              // without its body and headers
    std::shared_ptr<Session> kept_;  // this, while a request is being answered
    bool busy_ = false;
    bool awaiting_head_ = true;
    std::size_t lingered_ = 0;
};

}  // namespace

void begin_connection(ConnectionHost& host, asio::ip::tcp::socket socket,
                      std::shared_ptr<asio::ssl::context> tls, std::string peer, std::string key) {
    if (tls) {
        asio::ssl::context& context = *tls;
        using Stream = beast::ssl_stream<beast::tcp_stream>;
        std::make_shared<Session<Stream>>(host, std::move(tls), std::move(peer), std::move(key),
                                          std::move(socket), context)
            ->begin();
    } else {
        std::make_shared<Session<beast::tcp_stream>>(host, nullptr, std::move(peer), std::move(key),
                                                     std::move(socket))
            ->begin();
    }
}

}  // namespace promotiond::http
