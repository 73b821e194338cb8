// Guarded<T>: data and the mutex that protects it, in one; the data cannot be reached without the
// lock.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace promotiond {

template <class T>
class Guarded {
public:
    Guarded() = default;
    explicit Guarded(T value) : value_(std::move(value)) {}

    // Holds the lock while it lives. Do no I/O and call no foreign code meanwhile.
    class Access {
    public:
        Access(T& value, std::mutex& mutex) : lock_(mutex), value_(value) {}
        T* operator->() { return &value_; }
        T& operator*() { return value_; }
        // For waiting with a predicate on the caller's own condition variable.
        std::unique_lock<std::mutex>& lock() { return lock_; }

    private:
        std::unique_lock<std::mutex> lock_;
        T& value_;
    };

    [[nodiscard]] Access access() { return Access(value_, mutex_); }

private:
    std::mutex mutex_;
    T value_{};
};

}  // namespace promotiond
