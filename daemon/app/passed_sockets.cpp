#include "app/passed_sockets.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace promotiond::app {
namespace {

std::string taken(const char* name) {
    const char* value = std::getenv(name);
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name);
    return text;
}

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string next_name(std::string_view& names) {
    const auto colon = names.find(':');
    const std::string name(names.substr(0, colon));
    names.remove_prefix(colon == std::string_view::npos ? names.size() : colon + 1);
    return name;
}

std::optional<int> option(int fd, int which) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(fd, SOL_SOCKET, which, &value, &size) != 0) return std::nullopt;
    return value;
}

bool listens(int fd) {
    const auto family = option(fd, SO_DOMAIN);
    return option(fd, SO_TYPE) == SOCK_STREAM && option(fd, SO_ACCEPTCONN) == 1 &&
           (family == AF_INET || family == AF_INET6);
}

}  // namespace

Result<PassedSockets> PassedSockets::from_environment(int first) {
    const auto pid = number(taken("LISTEN_PID"));
    const auto count = number(taken("LISTEN_FDS"));
    const std::string all_names = taken("LISTEN_FDNAMES");
    PassedSockets passed;
    if (pid != ::getpid() || !count) return passed;

    std::string_view names = all_names;
    for (int i = 0; i < *count; ++i) {
        const int fd = first + i;
        const std::string name = next_name(names);
        if (name != "http" && name != "health") {
            return Error{ErrorKind::Invalid,
                         "the service manager passes a socket named '" + name +
                             "'; in its unit, FileDescriptorName= must be http or health"};
        }
        if (!listens(fd)) {
            return Error{ErrorKind::Invalid,
                         "what the service manager passes as '" + name +
                             "' is no listening TCP socket; in its unit, ListenStream= must be an "
                             "address and a port, and Accept= no"};
        }
        auto& place = name == "http" ? passed.http : passed.health;
        if (place) {
            return Error{ErrorKind::Invalid, "the service manager passes two sockets named '" +
                                                 name + "'; promotiond takes one of each"};
        }
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
        place = fd;
    }
    return passed;
}

}  // namespace promotiond::app
