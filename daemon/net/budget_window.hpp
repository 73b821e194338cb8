// BudgetWindow: so much in any so long. Thread-safety: none.
#pragma once

#include <chrono>
#include <deque>
#include <utility>

#include "base/clock.hpp"

namespace promotiond::net {

class BudgetWindow {
public:
    explicit BudgetWindow(std::chrono::milliseconds span = std::chrono::minutes{1}, int most = 900)
        : span_(span), most_(most) {}

    void spend(int amount, SteadyTime now) {
        while (!spent_.empty() && spent_.front().first + span_ <= now) spent_.pop_front();
        spent_.emplace_back(now, amount);
    }
    [[nodiscard]] int spent(SteadyTime now) const {
        int sum = 0;
        for (const auto& [when, amount] : spent_) sum += when + span_ > now ? amount : 0;
        return sum;
    }
    // How long until `amount` more fits into this share (0 to 1) of the most; zero: now.
    [[nodiscard]] std::chrono::milliseconds wait_for(int amount, double share,
                                                     SteadyTime now) const {
        int sum = spent(now);
        const int room = static_cast<int>(most_ * share);
        for (const auto& [when, each] : spent_) {
            if (sum + amount <= room) break;
            if (when + span_ <= now) continue;
            sum -= each;
            if (sum + amount <= room) {
                return std::chrono::ceil<std::chrono::milliseconds>(when + span_ - now);
            }
        }
        return std::chrono::milliseconds{0};
    }
    [[nodiscard]] int most() const { return most_; }

private:
    std::chrono::milliseconds span_;
    int most_;
    std::deque<std::pair<SteadyTime, int>> spent_;
};

}  // namespace promotiond::net
