#include "ctl/gitops/patience.hpp"

#include <algorithm>
#include <thread>

namespace promotiond::ctl::gitops {
namespace {

constexpr int kTries = 5;
constexpr std::chrono::milliseconds kLongestPause{std::chrono::minutes{1}};

bool passes(ErrorKind kind) {
    return kind == ErrorKind::Conflict || kind == ErrorKind::Transient ||
           kind == ErrorKind::Throttled;
}

}  // namespace

void nap(const sdk::Call& call, std::chrono::milliseconds length) {
    std::this_thread::sleep_for(std::clamp(length, std::chrono::milliseconds{0}, call.remaining()));
}

bool Patience::wait() {
    if (tries_ == kTries || call_.remaining() <= std::chrono::milliseconds{0}) return false;
    ++tries_;
    nap(call_, pause_);
    pause_ *= 2;
    return true;
}

bool Patience::wait_after(const Error& error) {
    const auto asked = error.retry_after.value_or(std::chrono::milliseconds{0});
    if (!passes(error.kind) || asked > kLongestPause || tries_ == kTries) return false;
    progress_.say(error.message + "; trying again");
    pause_ = std::max(pause_, asked);
    return wait();
}

}  // namespace promotiond::ctl::gitops
