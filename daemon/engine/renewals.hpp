// Renewals: what was rejected, and the secrets that it was rejected with. A token that has expired
// is renewed one day, and then nobody should have to retry by hand what failed since.
//
// Thread-safety: none, it is the engine's own.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/promotion.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::engine {

// Kept with the promotion's details, so that the next start knows them: names only. Whatever their
// values are then, they count as others.
[[nodiscard]] std::string with_secrets(const std::string& details,
                                       const std::vector<strategy::GivenSecret>& secrets);
[[nodiscard]] std::vector<strategy::GivenSecret> secrets_in(const std::string& details);

class Renewals {
public:
    struct Rejected {
        model::Scope scope;
        model::PromotionId id;
        std::vector<strategy::GivenSecret> secrets;
    };

    explicit Renewals(std::chrono::milliseconds every) : every_(every) {}

    // Takes the place of what was known of this promotion; without secrets there is nothing to
    // renew.
    void rejected(const model::Promotion& promotion,
                  const std::vector<strategy::GivenSecret>& secrets, SteadyTime now);
    // The secrets may be new: the next look is due at once.
    void hurry() { next_ = SteadyTime{}; }
    // When to look next; none: nothing waits for a renewal.
    [[nodiscard]] std::optional<SteadyTime> next() const;
    // Those for which `waits` is still true, if it is time; the others are forgotten.
    template <class Waits>
    [[nodiscard]] std::vector<Rejected> due(SteadyTime now, const Waits& waits) {
        if (rejected_.empty() || now < next_) return {};
        next_ = now + every_;
        std::erase_if(rejected_, [&waits](const Rejected& each) { return !waits(each); });
        return {rejected_.begin(), rejected_.end()};
    }

private:
    const std::chrono::milliseconds every_;
    SteadyTime next_{};
    std::deque<Rejected> rejected_;  // the newest last
};

}  // namespace promotiond::engine
