// PassedSockets: sockets that the service manager has bound and listens on already, in systemd's
// protocol (sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and descriptors from 3
// on. They take the place of the addresses in the configuration; so a port below 1024 needs no
// privilege, and events wait in the kernel while the daemon is started anew.
//
// Thread-safety: one thread.
#pragma once

#include <optional>

#include "base/result.hpp"

namespace promotiond::app {

struct PassedSockets {
    // Descriptors that listen; whoever takes them closes them.
    std::optional<int> http;    // FileDescriptorName=http, for server.listen
    std::optional<int> health;  // FileDescriptorName=health, for server.health

    // Takes the variables out of the environment, so that no child believes that they are its own.
    // Neither is set if nothing was passed, or not to this process. `first` is the number of the
    // first descriptor. Invalid: a name that is neither of the two, the same twice, or a descriptor
    // that is no listening TCP socket.
    [[nodiscard]] static Result<PassedSockets> from_environment(int first = 3);
};

}  // namespace promotiond::app
