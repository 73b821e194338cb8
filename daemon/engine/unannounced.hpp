// Unannounced: changes that were seen and that an event should tell of as well. Those of which none
// came in time were missed: somewhere between Flux and here events get lost.
//
// Pure but for the meters; thread-safety: none, it is the engine's own.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "model/event.hpp"

namespace promotiond::engine {

class Unannounced {
public:
    Unannounced(Metrics& metrics, std::chrono::milliseconds expected)
        : metrics_(metrics), expected_(expected) {}

    // The target was seen to run another revision than was known.
    void seen(const model::PipelineName& pipeline, const std::string& environment,
              const std::string& target, const std::string& revision, SteadyTime now);
    // An event said that the environment runs the revision.
    void told(const model::PipelineName& pipeline, const std::string& environment,
              const std::string& revision);
    // Counts what is overdue in promotiond_events_missed_total{cluster}.
    void look_at(SteadyTime now);
    [[nodiscard]] std::optional<SteadyTime> next() const;

private:
    struct Change {
        model::PipelineName pipeline;
        std::string environment;
        std::string target;
        std::string revision;
    };
    Metrics& metrics_;
    const std::chrono::milliseconds expected_;
    std::multimap<SteadyTime, Change> waiting_;
};

}  // namespace promotiond::engine
