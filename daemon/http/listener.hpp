// Listener: one address, its connections and the one thread that serves them (Boost.Asio).
//
// A connection costs a buffer, not a thread. Every wait has an absolute deadline: a sender that
// drips is cut off when its time is up, however many bytes it sent. While an answer is being worked
// out nothing is read, so pipelined requests wait in the kernel.
//
// Thread-safety: open, start, stop from one thread; posters and read_tls from any.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "http/request_reader.hpp"
#include "http/server.hpp"
#include "http/service.hpp"

namespace promotiond::http {

struct ListenOptions {
    std::string name;     // of the thread
    std::string address;  // "127.0.0.1:8082", "[::1]:0"
    // Listens already, in place of the address; the listener takes it over.
    std::optional<int> socket;
    std::optional<TlsFiles> tls;
    ReadLimits limits;
    std::chrono::milliseconds header_timeout{10'000};
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds idle_timeout{60'000};
    std::chrono::milliseconds write_timeout{30'000};
    std::size_t connections_per_peer = 512;
    std::size_t connections = 4096;
};

// What open() would refuse, each on its own and without a trace: the address is bound and let go of
// at once, nobody can connect meanwhile. Errors as open()'s.
[[nodiscard]] Result<void> check_address(const std::string& address);
[[nodiscard]] Result<void> check_tls(const std::optional<TlsFiles>& files);
// True if both cannot be listened on at once.
[[nodiscard]] bool same_address(const std::string& a, const std::string& b);

class Listener {
public:
    // Binds and listens. Invalid: the address, the socket or the certificate; Conflict: the address is in use.
    [[nodiscard]] static Result<std::unique_ptr<Listener>> open(ListenOptions options);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // The service must outlive stop().
    void start(Service& service);
    // Takes no more connections, closes idle ones, lets requests in hand finish within the grace,
    // joins the thread.
    void stop(std::chrono::milliseconds grace);

    // Runs it on the I/O thread, or drops it if that has ended. Copies may outlive the listener.
    [[nodiscard]] std::function<void(std::function<void()>)> poster() const;
    // Reads the certificate anew; what is returned puts it to use for connections to come. Two
    // steps, so that several listeners change together or not at all. Invalid: it cannot be used.
    [[nodiscard]] Result<std::function<void()>> read_tls();
    [[nodiscard]] std::string address() const;

private:
    class State;
    explicit Listener(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::http
