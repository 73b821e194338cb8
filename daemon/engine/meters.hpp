// Meters: what the engine counts. Of promotions, those in memory: by phase, and how old the oldest
// unfinished one is.
//
// Thread-safety: the counters and gauges from any thread; the functions on the engine's thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "decision/decide.hpp"
#include "model/promotion.hpp"

namespace promotiond::engine {

class Meters {
public:
    explicit Meters(Metrics& metrics);

    // The promotion is in this phase from now on; it was in `from`, or nowhere.
    void enter(const model::Promotion& promotion, std::optional<model::Phase> from);
    void look_at(WallTime now);
    [[nodiscard]] bool any_unfinished() const { return !unfinished_.empty(); }
    [[nodiscard]] Counter& verdict(decision::Verdict verdict) {
        return *events_[static_cast<std::size_t>(verdict)];
    }
    [[nodiscard]] Counter& seen(decision::Verdict verdict) {
        return *seen_[static_cast<std::size_t>(verdict)];
    }

private:
    std::array<Counter*, 3> events_{};
    std::array<Counter*, 3> seen_{};
    std::array<Gauge*, model::kPhases.size()> phases_{};
    std::multiset<WallTime> unfinished_;  // when each was made
    Gauge& oldest_;

public:
    Histogram& seconds;
    Histogram& commit;
    Counter& errors;
    Gauge& depth;
};

}  // namespace promotiond::engine
