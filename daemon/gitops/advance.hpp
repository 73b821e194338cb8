// Advance: what was merged is there. Where a GitOps repository is all that is known of an
// environment, a promotion that has succeeded is the proof that the environment has its revision,
// from which the next environment's promotion follows. Whether the environment fares well with it
// is the merge gate's question, which holds that next promotion's merge.
#pragma once

#include <functional>
#include <vector>

#include "base/clock.hpp"
#include "model/observation.hpp"
#include "platform/platform.hpp"

namespace promotiond::gitops {

// Of Pipelines made of gitops-promotion.yaml: the environments whose newest promotion has succeeded
// and of which that is not known yet. Pure.
[[nodiscard]] std::vector<model::Observation> merged(const platform::PipelineState& state,
                                                     WallTime now);

// Follows all Pipelines and tells what has merged. Nothing is lost with a crash: at start each
// Pipeline stands somewhere, too.
class Advance final : public platform::StatusSink {
public:
    using Observe = std::function<void(std::vector<model::Observation>)>;
    // next: told the same, but of Pipelines made of gitops-promotion.yaml not how they stand; may
    // be null. Both outlive it.
    Advance(const Clock& clock, platform::StatusSink* next, Observe observe)
        : clock_(clock), next_(next), observe_(std::move(observe)) {}

    void stepped(const model::Promotion& promotion, const model::Transition& step) override;
    void stands(const platform::PipelineState& state) override;

private:
    const Clock& clock_;
    platform::StatusSink* next_;
    Observe observe_;
};

}  // namespace promotiond::gitops
