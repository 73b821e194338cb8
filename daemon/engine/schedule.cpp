#include "engine/schedule.hpp"

#include <algorithm>

namespace promotiond::engine {

SlotNumber Schedule::plan(Slot slot, SteadyTime due) {
    drop(slot.scope, slot.id);
    const SlotNumber number = ++last_;
    by_promotion_[{slot.scope, slot.id}] = {number, due};
    slots_.emplace(number, std::move(slot));
    timers_.emplace(due, number);
    return number;
}

void Schedule::drop(const model::Scope& scope, const model::PromotionId& id) {
    const auto found = by_promotion_.find({scope, id});
    if (found == by_promotion_.end()) return;
    slots_.erase(found->second.number);
    by_promotion_.erase(found);
}

void Schedule::enqueue(SlotNumber number) {
    const auto found = slots_.find(number);
    if (found == slots_.end()) return;
    auto& queue = queues_[found->second.scope.pipeline];
    if (queue.empty()) turns_.push_back(found->second.scope.pipeline);
    queue.push_back(number);
}

void Schedule::advance(SteadyTime now) {
    while (!timers_.empty() && timers_.begin()->first <= now) {
        enqueue(timers_.begin()->second);
        timers_.erase(timers_.begin());
    }
}

std::optional<SteadyTime> Schedule::next_timer() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first;
}

std::optional<Slot> Schedule::take() {
    while (!turns_.empty()) {
        const model::PipelineName pipeline = std::move(turns_.front());
        turns_.pop_front();
        const auto queue = queues_.find(pipeline);
        const SlotNumber number = queue->second.front();
        queue->second.pop_front();
        if (queue->second.empty()) {
            queues_.erase(queue);
        } else {
            turns_.push_back(pipeline);
        }
        const auto found = slots_.find(number);
        if (found == slots_.end()) continue;
        Slot slot = std::move(found->second);
        slots_.erase(found);
        by_promotion_.erase({slot.scope, slot.id});
        return slot;
    }
    return std::nullopt;
}

bool Schedule::park_if_busy(const Slot& slot, const std::vector<std::string>& lanes) {
    const auto blocked = std::find_if(lanes.begin(), lanes.end(), [this](const std::string& lane) {
        return busy_.contains(lane);
    });
    if (blocked == lanes.end()) return false;
    const SlotNumber number = ++last_;
    by_promotion_[{slot.scope, slot.id}] = {number, {}};
    slots_.emplace(number, slot);
    parked_[*blocked].push_back(number);
    return true;
}

void Schedule::occupy(const std::vector<std::string>& lanes) {
    busy_.insert(lanes.begin(), lanes.end());
}

void Schedule::release(const std::vector<std::string>& lanes) {
    for (const std::string& lane : lanes) {
        busy_.erase(lane);
        const auto waiting = parked_.find(lane);
        if (waiting == parked_.end()) continue;
        for (const SlotNumber number : waiting->second) enqueue(number);
        parked_.erase(waiting);
    }
}

}  // namespace promotiond::engine
