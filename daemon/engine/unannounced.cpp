#include "engine/unannounced.hpp"

namespace promotiond::engine {
namespace {

// More would only be counted late, never wrongly promoted; so memory is bounded instead.
constexpr std::size_t kMost = 10'000;

// Of Target::text(): "cluster/namespace", or "namespace" on the local one.
std::string cluster_of(const std::string& target) {
    const auto slash = target.find('/');
    return slash == std::string::npos ? "local" : target.substr(0, slash);
}

}  // namespace

void Unannounced::seen(const model::PipelineName& pipeline, const std::string& environment,
                       const std::string& target, const std::string& revision, SteadyTime now) {
    if (waiting_.size() >= kMost) waiting_.erase(waiting_.begin());
    waiting_.emplace(now + expected_, Change{pipeline, environment, target, revision});
}

void Unannounced::told(const model::PipelineName& pipeline, const std::string& environment,
                       const std::string& revision) {
    std::erase_if(waiting_, [&](const auto& entry) {
        const Change& change = entry.second;
        return change.pipeline == pipeline && change.environment == environment &&
               change.revision == revision;
    });
}

void Unannounced::look_at(SteadyTime now) {
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
        metrics_
            .counter("promotiond_events_missed_total",
                     "Changes that were seen at a target and that no event told of.",
                     {{"cluster", cluster_of(waiting_.begin()->second.target)}})
            .add();
        waiting_.erase(waiting_.begin());
    }
}

std::optional<SteadyTime> Unannounced::next() const {
    if (waiting_.empty()) return std::nullopt;
    return waiting_.begin()->first;
}

}  // namespace promotiond::engine
