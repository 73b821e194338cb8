// Schedule: which promotion is worked on next. Timers, the queue of what is due - fair between
// Pipelines, first come first served within one - and lanes, in which one call runs at a time.
//
// Asks neither strategies nor the journal. Thread-safety: none; it is the engine's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "model/promotion.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::engine {

// Await: see whether the secret has come that kept it from being promoted.
enum class Work { Promote, Observe, Await };

// One thing to do for a promotion, which has at most one.
struct Slot {
    model::Scope scope;
    model::PromotionId id;
    Work work = Work::Promote;
    std::chrono::milliseconds interval{0};  // with Observe and Await: the pause before this look
    std::vector<strategy::AbsentSecret> absent = {};  // with Await
    SteadyTime try_anyway{};                          // with Await: promoted then, come what may
};
using SlotNumber = std::uint64_t;

class Schedule {
public:
    // Replaces what was planned for the promotion.
    SlotNumber plan(Slot slot, SteadyTime due);
    void drop(const model::Scope& scope, const model::PromotionId& id);
    [[nodiscard]] bool holds(const model::Scope& scope, const model::PromotionId& id) const {
        return by_promotion_.contains({scope, id});
    }
    // Something is planned for it, and no later than that.
    [[nodiscard]] bool holds_by(const model::Scope& scope, const model::PromotionId& id,
                                SteadyTime due) const {
        const auto found = by_promotion_.find({scope, id});
        return found != by_promotion_.end() && found->second.due <= due;
    }

    // Moves what has come due to the queue.
    void advance(SteadyTime now);
    [[nodiscard]] std::optional<SteadyTime> next_timer() const;

    // The next of the queue, by turns between Pipelines; it leaves the schedule.
    [[nodiscard]] std::optional<Slot> take();
    // It cannot run before these lanes are free: kept until release() of the one that is busy.
    // False if none of them is busy.
    [[nodiscard]] bool park_if_busy(const Slot& slot, const std::vector<std::string>& lanes);
    void occupy(const std::vector<std::string>& lanes);
    void release(const std::vector<std::string>& lanes);
    [[nodiscard]] std::size_t waiting() const { return slots_.size(); }

private:
    struct Planned {
        SlotNumber number = 0;
        SteadyTime due{};  // the beginning of time for what waits for a lane: it is due
    };
    void enqueue(SlotNumber number);

    SlotNumber last_ = 0;
    std::unordered_map<SlotNumber, Slot> slots_;
    std::map<std::pair<model::Scope, model::PromotionId>, Planned> by_promotion_;
    // A number that is not in slots_ any more is passed over.
    std::multimap<SteadyTime, SlotNumber> timers_;
    std::map<model::PipelineName, std::deque<SlotNumber>> queues_;
    std::deque<model::PipelineName> turns_;  // those with a queue
    std::set<std::string> busy_;
    std::map<std::string, std::vector<SlotNumber>> parked_;
};

}  // namespace promotiond::engine
