// Waiting between tries: until a stop is asked for, longer after each failure, and never in step
// with other replicas.
//
// Thread-safety: pause() has no state; Backoff is not thread-safe.
#pragma once

#include <chrono>
#include <stop_token>

namespace promotiond::platform {

// False: stopped meanwhile.
bool pause(std::chrono::milliseconds time, const std::stop_token& stop);

// The time, 20 % shorter or longer by lot.
[[nodiscard]] std::chrono::milliseconds jittered(std::chrono::milliseconds time);

class Backoff {
public:
    Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most)
        : first_(first), most_(most), next_(first) {}
    // How long to wait now; the next wait will be twice as long.
    [[nodiscard]] std::chrono::milliseconds next() {
        const auto now = next_;
        next_ = next_ * 2 < most_ ? next_ * 2 : most_;
        return jittered(now);
    }
    void reset() { next_ = first_; }

private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds most_;
    std::chrono::milliseconds next_;
};

}  // namespace promotiond::platform
