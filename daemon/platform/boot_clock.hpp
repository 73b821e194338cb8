// BootClock: the system's clock, whose steady time also goes on while the machine is suspended
// (CLOCK_BOOTTIME; clock_gettime(2)). For deadlines that other machines count as well, as a
// lease's.
//
// Its steady time may not be mixed with that of SystemClock. Thread-safety: all functions from any
// thread.
#pragma once

#include <time.h>

#include "base/clock.hpp"

namespace promotiond::platform {

class BootClock final : public Clock {
public:
    [[nodiscard]] WallTime now() const override { return SystemClock().now(); }
    [[nodiscard]] SteadyTime steady_now() const override {
        timespec time{};
        ::clock_gettime(CLOCK_BOOTTIME, &time);
        return SteadyTime{std::chrono::seconds{time.tv_sec} +
                          std::chrono::nanoseconds{time.tv_nsec}};
    }
};

}  // namespace promotiond::platform
