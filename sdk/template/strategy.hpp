// The class apart from its export, so that the unit test can include it.
#pragma once

#include <promotiond/strategy.hpp>

class DeployService : public promotiond::sdk::Strategy, public promotiond::sdk::Observes {
public:
    explicit DeployService(const promotiond::sdk::Settings& settings);
    promotiond::sdk::Outcome promote(const promotiond::sdk::Promotion& promotion,
                                     promotiond::sdk::Call& call) override;
    promotiond::sdk::Outcome observe(const promotiond::sdk::Promotion& promotion,
                                     std::string_view external_id, std::string_view details,
                                     promotiond::sdk::Call& call) override;
};
