#include "platform/directory_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace promotiond::platform {

namespace {

constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                   IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                   IN_ONLYDIR;
constexpr std::chrono::milliseconds kPause{30};
constexpr int kMostPauses = 20;  // somebody who never stops writing must not keep us waiting

// What the events say does not matter: after any of them everything is looked at again.
void drain(int fd) {
    std::array<char, 4096> events{};
    while (::read(fd, events.data(), events.size()) > 0) {
    }
}

}  // namespace

DirectoryWatch::DirectoryWatch()
    : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool DirectoryWatch::add(const std::filesystem::path& directory) {
    return ::inotify_add_watch(inotify_.fd(), directory.c_str(), kChanges) >= 0;
}

Woken DirectoryWatch::wait(std::chrono::milliseconds timeout) {
    std::array<pollfd, 2> watched{{{stop_.fd(), POLLIN, 0}, {inotify_.fd(), POLLIN, 0}}};
    bool changed = false;
    for (int pauses = 0; pauses < kMostPauses; ++pauses) {
        const auto time = changed ? kPause : timeout;
        const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(time.count()));
        if (ready < 0 && errno != EINTR) return Woken::Stopped;  // only a bug can bring EBADF
        if ((watched[0].revents & POLLIN) != 0) return Woken::Stopped;
        if (ready == 0) return changed ? Woken::Changed : Woken::TimedOut;
        if (ready > 0) {
            drain(inotify_.fd());
            changed = true;
        }
    }
    return changed ? Woken::Changed : Woken::TimedOut;
}

void DirectoryWatch::stop() {
    const std::uint64_t one = 1;
    // An eventfd takes eight bytes or says EAGAIN because it is set already.
    [[maybe_unused]] const ssize_t written = ::write(stop_.fd(), &one, sizeof one);
}

}  // namespace promotiond::platform
