#include "app/notify_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/log.hpp"

namespace promotiond::app {
namespace {

std::string taken(const char* name) {
    const char* value = std::getenv(name);
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name);
    return text;
}

std::optional<std::int64_t> number(const std::string& text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// One line, and without what the log would not show either.
std::string status_line(std::string_view status) {
    std::string line = "STATUS=" + log::redacted(status);
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line + "\n";
}

// systemd compares it with its own reading of this very clock, so the daemon's Clock is not asked.
std::string monotonic_usec() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::to_string(static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000);
}

}  // namespace

Result<NotifySocket> NotifySocket::from_environment() {
    NotifySocket made;
    made.address_ = taken("NOTIFY_SOCKET");
    const auto usec = number(taken("WATCHDOG_USEC"));
    const std::string pid = taken("WATCHDOG_PID");
    if (made.address_.empty()) return made;
    const bool path = made.address_.front() == '/';
    if ((!path && made.address_.front() != '@') || made.address_.size() < 2 ||
        made.address_.size() >= sizeof(sockaddr_un::sun_path)) {
        return Error{ErrorKind::Invalid,
                     "NOTIFY_SOCKET=" + made.address_ +
                         " is neither a path nor an abstract name of a socket; the service "
                         "manager is not told anything"};
    }
    if (!path) made.address_.front() = '\0';
    const bool ours = pid.empty() || number(pid) == ::getpid();
    if (usec && *usec > 0 && ours) made.watchdog_ = std::chrono::microseconds{*usec};
    return made;
}

void NotifySocket::ready(std::string_view status) { tell("READY=1\n" + status_line(status)); }

void NotifySocket::reloading(std::string_view status) {
    tell("RELOADING=1\nMONOTONIC_USEC=" + monotonic_usec() + "\n" + status_line(status));
}

void NotifySocket::stopping(std::string_view status, std::chrono::microseconds most) {
    tell("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(most.count()) + "\n" +
         status_line(status));
}

void NotifySocket::alive() { tell("WATCHDOG=1\n"); }

void NotifySocket::tell(const std::string& lines) {
    if (address_.empty()) return;
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, address_.data(), address_.size());
    // An abstract name ends where the length says, a path with its zero byte.
    const auto size =
        offsetof(sockaddr_un, sun_path) + address_.size() + (address_.front() == '\0' ? 0 : 1);
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto sent =
        fd < 0 ? -1
               : ::sendto(fd, lines.data(), lines.size(), MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&to), static_cast<socklen_t>(size));
    const int why = errno;
    if (fd >= 0) ::close(fd);
    if (sent >= 0 || failed_) return;
    failed_ = true;
    log::warn("PROMO-0013", "the service manager cannot be told", {{"reason", std::strerror(why)}});
}

}  // namespace promotiond::app
