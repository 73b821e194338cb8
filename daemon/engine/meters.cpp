#include "engine/meters.hpp"

#include <string>

namespace promotiond::engine {

Meters::Meters(Metrics& metrics)
    : oldest_(metrics.gauge("promotiond_oldest_unfinished_seconds",
                            "Age of the oldest promotion that is not finished")),
      seconds(metrics.histogram("promotiond_promotion_seconds",
                                "From the decision to Succeeded or Failed",
                                {1, 5, 30, 60, 300, 1800, 3600, 21600, 86400})),
      commit(metrics.histogram("promotiond_journal_commit_seconds", "Durable commits of a batch",
                               {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5})),
      errors(metrics.counter("promotiond_journal_errors_total", "Commits that failed")),
      depth(metrics.gauge("promotiond_queue_depth", "Signals that wait for the engine")) {
    for (const auto verdict :
         {decision::Verdict::Promote, decision::Verdict::Hold, decision::Verdict::Ignore}) {
        events_[static_cast<std::size_t>(verdict)] =
            &metrics.counter("promotiond_events_total", "Events decided, by verdict",
                             {{"verdict", std::string(name_of(verdict))}});
        seen_[static_cast<std::size_t>(verdict)] = &metrics.counter(
            "promotiond_observations_total", "Observations that brought something new, by verdict",
            {{"verdict", std::string(name_of(verdict))}});
    }
    for (const auto phase : model::kPhases) {
        phases_[static_cast<std::size_t>(phase)] =
            &metrics.gauge("promotiond_promotions", "Promotions in memory, by phase",
                           {{"phase", std::string(name_of(phase))}});
    }
}

void Meters::enter(const model::Promotion& promotion, std::optional<model::Phase> from) {
    const bool was_open = from && unfinished(*from);
    const bool is_open = unfinished(promotion.phase);
    if (from) phases_[static_cast<std::size_t>(*from)]->add(-1);
    phases_[static_cast<std::size_t>(promotion.phase)]->add(1);
    if (is_open && !was_open) unfinished_.insert(promotion.created);
    if (!was_open || is_open) return;
    const auto found = unfinished_.find(promotion.created);
    if (found != unfinished_.end()) unfinished_.erase(found);
}

void Meters::look_at(WallTime now) {
    const auto age =
        unfinished_.empty() ? std::chrono::milliseconds{0} : now - *unfinished_.begin();
    oldest_.set(std::chrono::duration<double>(age).count());
}

}  // namespace promotiond::engine
