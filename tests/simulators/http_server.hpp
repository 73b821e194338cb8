// HttpServer: an HTTP peer in the test's own process that answers as scripted, faults included.
//
// One connection at a time to a script step: each request takes the next answer; the last one
// stays. Whose requests come in no certain order are answered by what they say. Port 0 on loopback.
// Thread-safety: all functions from any thread. The destructor ends its threads.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace promotiond::simulators {

struct ScriptedAnswer {
    std::string bytes;  // the whole answer as it goes over the wire
    enum class After { KeepOpen, Close, StaySilent } after = After::Close;
    std::chrono::milliseconds per_byte{0};  // drips; 0 = at once
};

// "HTTP/1.1 <status>" with Content-Length; kept open.
[[nodiscard]] ScriptedAnswer whole(int code, const std::string& body,
                                   const std::string& more_headers = {});

// A certificate for a name or address, signed by a key of its own; PEM.
struct Identity {
    std::string certificate;
    std::string key;
};
enum class Validity { Good, Expired };
[[nodiscard]] Identity make_identity(const std::string& subject_alternative_name,
                                     Validity validity = Validity::Good);

class HttpServer {
public:
    using Answering = std::function<ScriptedAnswer(const std::string& request)>;

    explicit HttpServer(std::vector<ScriptedAnswer> answers);
    // Called on the connections' threads, by several at a time.
    explicit HttpServer(Answering answer);
    // client_ca: PEM; nobody without a certificate that it vouches for is served. Empty = anybody.
    HttpServer(std::vector<ScriptedAnswer> answers, const Identity& identity,
               const std::string& client_ca = {});
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::string url(const std::string& path = "/") const;
    // Raw requests (head and body), in order.
    [[nodiscard]] std::vector<std::string> requests() const;
    [[nodiscard]] int connections() const;  // so far
    [[nodiscard]] int open_connections() const;

private:
    void listen_on_loopback();
    void accept_all(const std::stop_token& stop);
    void serve(int fd, const std::stop_token& stop);
    ScriptedAnswer next();

    std::vector<ScriptedAnswer> answers_;
    Answering answering_;  // in place of them
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, &SSL_CTX_free};
    int listener_ = -1;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::vector<std::string> requests_;
    std::size_t used_ = 0;
    int connections_ = 0;
    int closed_ = 0;
    std::vector<std::jthread> workers_;
    std::jthread acceptor_;
};

}  // namespace promotiond::simulators
