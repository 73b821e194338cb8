// ConnectProxy: an HTTP proxy that opens tunnels (CONNECT) to one place, whatever host is asked
// for, so that names of tests need no name server.
//
// Port 0 on loopback. Thread-safety: all functions from any thread. The destructor ends its
// threads.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace promotiond::simulators {

class ConnectProxy {
public:
    // dies_after: bytes from the far side after which it closes both; 0 = never.
    explicit ConnectProxy(std::uint16_t target_port, std::size_t dies_after = 0);
    ~ConnectProxy();
    ConnectProxy(const ConnectProxy&) = delete;
    ConnectProxy& operator=(const ConnectProxy&) = delete;

    // "http://<credentials>@127.0.0.1:<port>"; credentials may be empty.
    [[nodiscard]] std::string url(const std::string& credentials = {}) const;
    // The heads of the CONNECT requests, in order.
    [[nodiscard]] std::vector<std::string> heads() const;
    // Tunnels that are open stay open and pass nothing on any more; later ones do.
    void stall();

private:
    void accept_all(const std::stop_token& stop);
    void serve(int near, const std::stop_token& stop);

    std::uint16_t target_port_;
    std::size_t dies_after_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> heads_;
    std::mutex passing_;       // while anything goes over
    std::size_t stalled_ = 0;  // tunnels, in the order of their heads
    std::vector<std::jthread> tunnels_;
    std::jthread acceptor_;
};

}  // namespace promotiond::simulators
