// Asking until it is so, where another program gets there in its own time.
#pragma once

#include <chrono>
#include <thread>

namespace promotiond::tests {

// The deadline is reached by a failure only, on a slow machine that stood still for a while too;
// 20 ms between questions keep the machine free for whoever has to answer.
[[nodiscard]] bool eventually(const auto& condition,
                              std::chrono::seconds most = std::chrono::seconds(180)) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

}  // namespace promotiond::tests
