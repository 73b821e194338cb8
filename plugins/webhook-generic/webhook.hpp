// Webhook: the strategy `webhook`. Delivers a promotion as one HTTP request with the semantics of
// Flux's generic and generic-hmac providers.
//
// Idempotence: a repeat sends the same bytes with the same X-Promotiond-Delivery, by which the
// receiver knows it; HTTP offers no more.
#pragma once

#include <promotiond/strategy.hpp>

namespace promotiond::webhook {

class Webhook final : public sdk::Strategy, public sdk::Plans, public sdk::HasLane {
public:
    explicit Webhook(const sdk::Settings& settings);

    [[nodiscard]] sdk::Outcome promote(const sdk::Promotion& promotion, sdk::Call& call) override;
    // The request with everything from the secret masked.
    [[nodiscard]] sdk::Outcome plan(const sdk::Promotion& promotion, sdk::Call& call) override;
    [[nodiscard]] std::string lane(const sdk::Promotion& promotion) const override;
};

}  // namespace promotiond::webhook
