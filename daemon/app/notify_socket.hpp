// NotifySocket: what the daemon tells its service manager, in systemd's protocol (sd_notify(3)):
// datagrams of NAME=value lines to the socket that NOTIFY_SOCKET names, written by hand because
// that is all it takes. Without such a socket nothing is told.
//
// Thread-safety: one thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace promotiond::app {

class NotifySocket {
public:
    // Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child
    // speaks for the daemon; to be called while there is one thread. Invalid: the address is
    // neither a path nor an abstract name, or too long.
    [[nodiscard]] static Result<NotifySocket> from_environment();
    // Tells nobody.
    NotifySocket() = default;

    void ready(std::string_view status);
    // A reload has begun; ready() ends it, whether it went well or not.
    void reloading(std::string_view status);
    // A stop has begun, which takes `most` at the longest: the service manager is not to take it
    // for one that hangs before, however short the unit's own time is (EXTEND_TIMEOUT_USEC).
    void stopping(std::string_view status, std::chrono::microseconds most);
    // The daemon moves.
    void alive();

    // Within which time alive() must come again; nothing = nobody waits for it.
    [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

private:
    void tell(const std::string& lines);

    std::string address_;  // as the kernel takes it: an abstract one begins with a zero byte
    std::optional<std::chrono::microseconds> watchdog_;
    bool failed_ = false;  // and said so
};

}  // namespace promotiond::app
