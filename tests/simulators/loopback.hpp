// A port for a server of the tests: its own from the first moment, so that nobody else can take it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <stdexcept>

namespace promotiond::simulators {

// Makes a new TCP socket listen on loopback, and returns its port. Throws where it cannot.
[[nodiscard]] inline std::uint16_t listen_on_loopback(int socket) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket, generic, size) != 0 || ::listen(socket, 16) != 0 ||
        ::getsockname(socket, generic, &size) != 0)
        throw std::runtime_error("cannot listen on loopback");
    return ntohs(address.sin_port);
}

}  // namespace promotiond::simulators
