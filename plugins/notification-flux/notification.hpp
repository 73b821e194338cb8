// Notification: a promotion as an event about its Pipeline, posted to Flux's
// notification-controller, whose Alerts and Providers bring it to whoever carries the promotion out
// (Jenkins, Tekton, a GitHub workflow, people).
#pragma once

#include <promotiond/strategy.hpp>
#include <string>

namespace promotiond::notification {

// As fluxcd/pkg apis/event v1beta1 has it. Metadata keys carry the Pipeline's API group: the
// controller drops all others and takes the group off before it hands them on.
[[nodiscard]] std::string event_of(const sdk::Promotion& promotion,
                                   std::chrono::sys_time<std::chrono::milliseconds> now);

class Notification final : public sdk::Strategy, public sdk::Plans, public sdk::HasLane {
public:
    // {"address": "http://..."}; throws for anything else.
    explicit Notification(const sdk::Settings& settings);

    [[nodiscard]] sdk::Outcome promote(const sdk::Promotion& promotion, sdk::Call& call) override;
    [[nodiscard]] sdk::Outcome plan(const sdk::Promotion& promotion, sdk::Call& call) override;
    [[nodiscard]] std::string lane(const sdk::Promotion& promotion) const override;

private:
    std::string address_;
};

}  // namespace promotiond::notification
