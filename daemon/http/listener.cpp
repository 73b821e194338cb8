#include "http/listener.hpp"

#include <pthread.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <condition_variable>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/guarded.hpp"
#include "base/log.hpp"
#include "http/connection.hpp"
#include "http/peer.hpp"

namespace promotiond::http {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Tls = std::shared_ptr<asio::ssl::context>;

Result<Tcp::endpoint> endpoint_from(const std::string& text) {
    const Error bad{ErrorKind::Invalid,
                    "'" + text +
                        "' is no address to listen on; write it as 127.0.0.1:8082, "
                        "[::1]:8082 or :8082"};
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return bad;
    std::string host = text.substr(0, colon);
    if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc{} || at != end) return bad;
    if (host.empty()) return Tcp::endpoint(Tcp::v6(), port);
    if (host == "localhost") host = "127.0.0.1";
    boost::system::error_code failed;
    const auto address = asio::ip::make_address(host, failed);
    if (failed) return bad;
    return Tcp::endpoint(address, port);
}

Result<Tls> tls_context(const std::optional<TlsFiles>& files) {
    if (!files) return Tls{};
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    boost::system::error_code error;
    context->use_certificate_chain_file(files->certificate.string(), error);
    if (error) {
        return Error{ErrorKind::Invalid, "cannot use the certificate " +
                                             files->certificate.string() + ": " + error.message()};
    }
    context->use_private_key_file(files->key.string(), asio::ssl::context::pem, error);
    if (error || SSL_CTX_check_private_key(context->native_handle()) != 1) {
        return Error{ErrorKind::Invalid, "cannot use the key " + files->key.string() +
                                             " with the certificate " +
                                             files->certificate.string()};
    }
    return context;
}

Error cannot_listen(const std::string& address, const boost::system::error_code& error) {
    const bool used = error == asio::error::address_in_use;
    return Error{used ? ErrorKind::Conflict : ErrorKind::Invalid,
                 "cannot listen on " + address + ": " + error.message() +
                     (used ? "; is another daemon running?" : "")};
}

// Opens and binds; the acceptor does not listen yet.
Result<void> bind_to(Tcp::acceptor& acceptor, const std::string& address) {
    const auto endpoint = endpoint_from(address);
    if (!endpoint) return endpoint.error();
    boost::system::error_code error;
    acceptor.open(endpoint->protocol(), error);
    if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint->address().is_v6() && endpoint->address().is_unspecified()) {
        acceptor.set_option(asio::ip::v6_only(false), error);
    }
    if (!error) acceptor.bind(*endpoint, error);
    if (error) return cannot_listen(address, error);
    return {};
}

// One that someone else has bound and listens on.
Result<void> take_over(Tcp::acceptor& acceptor, int socket) {
    boost::system::error_code error;
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
    acceptor.assign(bound.ss_family == AF_INET ? Tcp::v4() : Tcp::v6(), socket, error);
    if (error) return cannot_listen("the socket that was passed", error);
    return {};
}

}  // namespace

Result<void> check_address(const std::string& address) {
    asio::io_context io;
    Tcp::acceptor acceptor(io);
    return bind_to(acceptor, address);
}

Result<void> check_tls(const std::optional<TlsFiles>& files) {
    const auto made = tls_context(files);
    if (!made) return made.error();
    return {};
}

bool same_address(const std::string& a, const std::string& b) {
    const auto one = endpoint_from(a);
    const auto other = endpoint_from(b);
    if (!one || !other || one->port() == 0 || one->port() != other->port()) return false;
    return one->address() == other->address() || one->address().is_unspecified() ||
           other->address().is_unspecified();
}

// Outlives the listener in the hands of whoever still owes an answer.
struct PostGate {
    Guarded<asio::io_context*> io;
};

class Listener::State final : public ConnectionHost {
public:
    explicit State(ListenOptions options) : options_(std::move(options)), acceptor_(io_) {
        *gate_->io.access() = &io_;
    }
    ~State() override { stop(std::chrono::milliseconds{0}); }

    Result<void> bind() {
        auto tls = tls_context(options_.tls);
        if (!tls) return std::move(tls).error();
        *tls_.access() = std::move(*tls);
        if (options_.socket) return take_over(acceptor_, *options_.socket);
        if (auto bound = bind_to(acceptor_, options_.address); !bound) return bound;
        boost::system::error_code error;
        acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error) return cannot_listen(options_.address, error);
        return {};
    }

    void start(Service& service) {
        service_ = &service;
        accept();
        thread_ = std::jthread([this] {
            pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
            io_.run();
        });
    }

    void stop(std::chrono::milliseconds grace) {
        if (!thread_.joinable()) return close_gate();
        asio::post(io_, [this] { drain(); });
        {
            auto open = open_.access();
            ended_.wait_for(open.lock(), grace, [&] { return *open == 0 && drained_; });
        }
        asio::post(io_, [this] { cut(); });
        {
            // Cut connections only have handlers to run; none of them waits.
            auto open = open_.access();
            ended_.wait_for(open.lock(), std::chrono::seconds{2},
                            [&] { return *open == 0 && drained_; });
        }
        close_gate();
        io_.stop();
        thread_.join();
        cut();  // what the thread did not come to
    }

    // ConnectionHost: all on the I/O thread.
    Service& service() override { return *service_; }
    const ListenOptions& options() const override { return options_; }
    bool draining() const override { return draining_; }
    std::function<void(std::function<void()>)> poster() const override {
        return [gate = gate_](std::function<void()> work) {
            auto io = gate->io.access();
            if (*io != nullptr) asio::post(**io, std::move(work));
        };
    }
    std::string next_request_id() override { return std::to_string(++requests_); }
    void opened(Connection& connection, const std::string& key) override {
        connections_.insert(&connection);
        ++peers_[key];
        count();
    }
    void ended(Connection& connection, const std::string& key) override {
        connections_.erase(&connection);
        if (const auto peer = peers_.find(key); peer != peers_.end() && --peer->second == 0) {
            peers_.erase(peer);
        }
        count();
    }
    void in_flight(int change) override {
        in_flight_ += change;
        service_->load(connections_.size(), static_cast<std::size_t>(in_flight_));
    }
    void refused(const std::string& peer, const std::string& detail) override {
        // Anybody can cause these lines: at most ten a second.
        const auto now = std::chrono::steady_clock::now();
        if (now - lines_since_ > std::chrono::seconds{1}) {
            lines_since_ = now;
            lines_ = 0;
        }
        if (++lines_ > 10) return;
        log::info("PROMO-4007", "a connection was closed for what it sent",
                  {{"client", peer}, {"reason", detail}});
    }

    std::string address() const {
        boost::system::error_code error;
        const auto endpoint = acceptor_.local_endpoint(error);
        if (error) return bound_;
        const std::string host = endpoint.address().to_string();
        return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
               std::to_string(endpoint.port());
    }
    void remember_address() { bound_ = address(); }

    Result<std::function<void()>> read_tls() {
        auto tls = tls_context(options_.tls);
        if (!tls) return std::move(tls).error();
        return std::function<void()>([this, fresh = std::move(*tls)] { *tls_.access() = fresh; });
    }
    const std::string& bound() const { return bound_; }

private:
    void count() {
        {
            auto open = open_.access();
            *open = connections_.size();
        }
        ended_.notify_all();
        service_->load(connections_.size(), static_cast<std::size_t>(in_flight_));
    }

    void accept() {
        acceptor_.async_accept([this](boost::system::error_code error, Tcp::socket socket) {
            if (draining_ || error == asio::error::operation_aborted) return;
            if (!error) {
                admit(std::move(socket));
                return accept();
            }
            // Out of descriptors, most likely: wait for some to come back.
            log::warn("PROMO-4008", "cannot accept a connection", {{"reason", error.message()}});
            pause_.expires_after(std::chrono::milliseconds{100});
            pause_.async_wait([this](boost::system::error_code waited) {
                if (!waited) accept();
            });
        });
    }

    void admit(Tcp::socket socket) {
        boost::system::error_code error;
        const auto endpoint = socket.remote_endpoint(error);
        const auto peer = error ? std::nullopt : Address::parse(endpoint.address().to_string());
        if (!peer || connections_.size() >= options_.connections) return;
        const std::string key = peer->limit_key();
        const auto known = peers_.find(key);
        if (known != peers_.end() && known->second >= options_.connections_per_peer) return;
        socket.set_option(Tcp::no_delay(true), error);
        Tls tls = *tls_.access();
        begin_connection(*this, std::move(socket), std::move(tls), peer->text(), key);
    }

    void drain() {
        draining_ = true;
        boost::system::error_code error;
        acceptor_.close(error);
        pause_.cancel();
        const auto all = connections_;
        for (Connection* connection : all) connection->finish();
        {
            auto open = open_.access();
            drained_ = true;
        }
        ended_.notify_all();
    }

    void cut() {
        const auto all = connections_;
        for (Connection* connection : all) connection->cut();
    }

    void close_gate() { *gate_->io.access() = nullptr; }

    ListenOptions options_;
    std::shared_ptr<PostGate> gate_ = std::make_shared<PostGate>();
    Guarded<Tls> tls_;
    Service* service_ = nullptr;
    std::string bound_;
    std::set<Connection*> connections_;
    std::unordered_map<std::string, std::size_t> peers_;
    long in_flight_ = 0;
    std::uint64_t requests_ = 0;
    bool draining_ = false;
    std::chrono::steady_clock::time_point lines_since_{};
    int lines_ = 0;
    Guarded<std::size_t> open_;
    bool drained_ = false;  // under open_'s lock
    std::condition_variable ended_;
    // Last, so that handlers it still holds are destroyed while everything above lives.
    asio::io_context io_{1};
    // A request in hand is no work to Asio: without this the thread would end before its answer.
    asio::executor_work_guard<asio::io_context::executor_type> until_stopped_{io_.get_executor()};
    Tcp::acceptor acceptor_;
    asio::steady_timer pause_{io_};
    std::jthread thread_;
};

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}
Listener::~Listener() = default;

Result<std::unique_ptr<Listener>> Listener::open(ListenOptions options) {
    auto state = std::make_unique<State>(std::move(options));
    auto bound = state->bind();
    if (!bound) return std::move(bound).error();
    state->remember_address();
    return std::unique_ptr<Listener>(new Listener(std::move(state)));
}

void Listener::start(Service& service) { state_->start(service); }
void Listener::stop(std::chrono::milliseconds grace) { state_->stop(grace); }
std::function<void(std::function<void()>)> Listener::poster() const { return state_->poster(); }
Result<std::function<void()>> Listener::read_tls() { return state_->read_tls(); }
std::string Listener::address() const { return state_->bound(); }

}  // namespace promotiond::http
