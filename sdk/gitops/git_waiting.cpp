#include "git_waiting.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::chrono::milliseconds kSlice{100};

int in_milliseconds(std::chrono::milliseconds length) {
    return static_cast<int>(std::max<std::int64_t>(length.count(), 1));
}

}  // namespace

std::optional<Error> Waiting::over() const {
    // cancelled() is true past the deadline too, so the deadline is asked first.
    if (call_->remaining() <= std::chrono::milliseconds::zero())
        return Error{ErrorKind::Transient, "the deadline passed before git was done"};
    if (call_->cancelled()) return Error{ErrorKind::Cancelled, "asked to stop"};
    return std::nullopt;
}

Result<void> Waiting::for_socket(int fd, short events) const {
    while (true) {
        if (auto stop = over()) return *stop;
        pollfd entry{fd, events, 0};
        const int ready = ::poll(&entry, 1, in_milliseconds(std::min(kSlice, call_->remaining())));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR)
            return Error{ErrorKind::Internal,
                         std::string("cannot wait for a socket: ") + std::strerror(errno)};
    }
}

Result<void> Waiting::nap(std::chrono::milliseconds length) const {
    const auto end = std::chrono::steady_clock::now() + length;
    while (true) {
        if (auto stop = over()) return *stop;
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left <= std::chrono::milliseconds::zero()) return {};
        // Interrupted or not, the loop looks again.
        (void)::poll(nullptr, 0, in_milliseconds(std::min(kSlice, left)));
    }
}

}  // namespace promotiond::sdk::inline v1::gitops
