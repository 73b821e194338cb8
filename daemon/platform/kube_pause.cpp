#include "platform/kube_pause.hpp"

#include <condition_variable>
#include <mutex>
#include <random>

namespace promotiond::platform {

bool pause(std::chrono::milliseconds time, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
}

std::chrono::milliseconds jittered(std::chrono::milliseconds time) {
    thread_local std::minstd_rand lot{std::random_device{}()};
    const auto fifth = time.count() / 5;
    return time + std::chrono::milliseconds{
                      std::uniform_int_distribution<std::int64_t>{-fifth, fifth}(lot)};
}

}  // namespace promotiond::platform
