#include "tests/simulators/connect_proxy.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tests/simulators/loopback.hpp"

namespace promotiond::simulators {
namespace {

constexpr int kSliceMs = 50;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

bool send_all(int fd, const char* bytes, std::size_t size) {
    while (size > 0) {
        const auto sent = ::send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes += sent;
        size -= static_cast<std::size_t>(sent);
    }
    return true;
}

// Byte by byte, so that nothing of the tunnel is taken with it.
std::string read_head(int fd, const std::stop_token& stop) {
    std::string head;
    while (!head.ends_with("\r\n\r\n") && !stop.stop_requested()) {
        pollfd entry{fd, POLLIN, 0};
        if (poll(&entry, 1, kSliceMs) <= 0) continue;
        char byte = 0;
        if (::recv(fd, &byte, 1, 0) != 1) return {};
        head += byte;
    }
    return head;
}

// What one direction has ready goes over; 0 = its end, or an error.
std::size_t pass_on(int from, int to, std::size_t most) {
    std::array<char, 4096> chunk;
    const auto size = ::recv(from, chunk.data(), std::min(most, chunk.size()), 0);
    if (size <= 0 || !send_all(to, chunk.data(), static_cast<std::size_t>(size))) return 0;
    return static_cast<std::size_t>(size);
}

}  // namespace

ConnectProxy::ConnectProxy(std::uint16_t target_port, std::size_t dies_after)
    : target_port_(target_port), dies_after_(dies_after) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    port_ = listen_on_loopback(listener_);
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

ConnectProxy::~ConnectProxy() {
    acceptor_.request_stop();
    acceptor_.join();
    tunnels_.clear();
    ::close(listener_);
}

void ConnectProxy::accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd entry{listener_, POLLIN, 0};
        if (poll(&entry, 1, kSliceMs) <= 0) continue;
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) continue;
        tunnels_.emplace_back([this, fd](const std::stop_token& end) { serve(fd, end); });
    }
}

void ConnectProxy::serve(int near, const std::stop_token& stop) {
    std::size_t number = 0;
    {
        auto head = read_head(near, stop);
        const std::lock_guard lock(mutex_);
        number = heads_.size();
        heads_.push_back(std::move(head));
    }
    const int far = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto target = loopback(target_port_);
    bool open = ::connect(far, reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0;
    const std::string answer =
        open ? "HTTP/1.1 200 Connection established\r\n\r\n" : "HTTP/1.1 502 Bad Gateway\r\n\r\n";
    open = send_all(near, answer.data(), answer.size()) && open;
    std::size_t left = dies_after_ == 0 ? SIZE_MAX : dies_after_;
    while (open && left > 0 && !stop.stop_requested()) {
        pollfd entries[]{{near, POLLIN, 0}, {far, POLLIN, 0}};
        if (poll(entries, 2, kSliceMs) <= 0) continue;
        const std::lock_guard passing(passing_);
        if (number < stalled_) break;
        if (entries[0].revents != 0) open = pass_on(near, far, SIZE_MAX) > 0;
        if (open && entries[1].revents != 0) {
            const auto passed = pass_on(far, near, left);
            open = passed > 0;
            left -= passed;
        }
    }
    while (open && left > 0 && !stop.stop_requested()) (void)poll(nullptr, 0, kSliceMs);
    ::close(far);
    ::close(near);
}

std::string ConnectProxy::url(const std::string& credentials) const {
    return "http://" + (credentials.empty() ? credentials : credentials + "@") +
           "127.0.0.1:" + std::to_string(port_);
}

void ConnectProxy::stall() {
    const std::scoped_lock lock(mutex_, passing_);
    stalled_ = heads_.size();
}

std::vector<std::string> ConnectProxy::heads() const {
    const std::lock_guard lock(mutex_);
    return heads_;
}

}  // namespace promotiond::simulators
