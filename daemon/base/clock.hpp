// Clock: the one seam to time, so that nothing in a test sleeps.
//
// Wall time (what records say) and steady time (what deadlines use) are separate: a jump of the
// wall clock must neither fire nor stall a timer. Thread-safety: all functions may be called from
// any thread.
#pragma once

#include <atomic>
#include <chrono>

namespace promotiond {

// Records are kept to the millisecond; the type says so.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual WallTime now() const = 0;
    [[nodiscard]] virtual SteadyTime steady_now() const = 0;
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] WallTime now() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
    [[nodiscard]] SteadyTime steady_now() const override {
        return std::chrono::steady_clock::now();
    }
};

// Stands still until it is told to move; for tests.
class ManualClock final : public Clock {
public:
    explicit ManualClock(WallTime start = WallTime{std::chrono::milliseconds{1'700'000'000'000}})
        : start_(start) {}

    [[nodiscard]] WallTime now() const override { return start_ + passed(); }
    [[nodiscard]] SteadyTime steady_now() const override {
        return SteadyTime{} + std::chrono::hours{1} + passed();
    }
    void advance(std::chrono::milliseconds by) { passed_ms_ += by.count(); }

private:
    [[nodiscard]] std::chrono::milliseconds passed() const {
        return std::chrono::milliseconds{passed_ms_.load()};
    }

    WallTime start_;
    std::atomic<std::chrono::milliseconds::rep> passed_ms_{0};
};

}  // namespace promotiond
