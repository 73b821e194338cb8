// patience: whether what failed is tried again within one command, and when.
//
// Thread-safety: one thread.
#pragma once

#include <promotiond/strategy.hpp>

#include <chrono>

#include "base/result.hpp"
#include "ctl/gitops/progress.hpp"

namespace promotiond::ctl::gitops {

// Waits as long as the call lasts, for what a forge takes a moment to know.
void nap(const sdk::Call& call, std::chrono::milliseconds length);

// Five tries, the pauses between them doubling from 100 ms.
class Patience {
public:
    Patience(const sdk::Call& call, const Progress& progress) : call_(call), progress_(progress) {}

    // Waits; false: that was the last try.
    [[nodiscard]] bool wait();
    // Likewise, and false where trying again cannot help: the error is none that passes, or the
    // other side wants to be left alone for more than a minute.
    [[nodiscard]] bool wait_after(const Error& error);

private:
    const sdk::Call& call_;
    const Progress& progress_;
    int tries_ = 1;
    std::chrono::milliseconds pause_{100};
};

}  // namespace promotiond::ctl::gitops
