// The engine over real strategies; apart from engine.cpp so that the engine's tests link no
// plugins.
#include "engine/carrier.hpp"
#include "engine/engine.hpp"
#include "engine/problems.hpp"

namespace promotiond::engine {
namespace {

class StrategiesCarrier final : public Carrier {
public:
    explicit StrategiesCarrier(strategy::Strategies& strategies) : strategies_(strategies) {}

    Result<const strategy::Description*> route(const model::StrategyCall& call) const override {
        return strategies_.route(call.key, call.type, call.url);
    }
    std::vector<platform::Problem> problems(const model::Pipeline& pipeline) const override {
        return problems_of(pipeline, strategies_);
    }
    strategy::Answer promote(const strategy::Description& by, const strategy::Request& request,
                             const strategy::CallOptions& options) override {
        return strategies_.promote(by, request, options);
    }
    strategy::Answer observe(const strategy::Description& by, const strategy::Request& request,
                             const model::Promotion& promotion,
                             const strategy::CallOptions& options) override {
        return strategies_.observe(by, request, promotion.external_id, promotion.details, options);
    }
    strategy::Answer plan(const strategy::Description& by, const strategy::Request& request,
                          const strategy::CallOptions& options) override {
        return strategies_.plan(by, request, options);
    }
    bool renewed(const std::vector<strategy::GivenSecret>& given) const override {
        return strategies_.renewed(given);
    }
    bool has_come(const std::string& ns,
                  const std::vector<strategy::AbsentSecret>& absent) const override {
        return strategies_.has_come(ns, absent);
    }
    std::string lane(const strategy::Description& by, const strategy::Request& request) override {
        return strategies_.lane(by, request);
    }

private:
    strategy::Strategies& strategies_;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(Options options, journal::Journal& journal,
                                             strategy::Strategies& strategies, const Clock& clock,
                                             Metrics& metrics, platform::StatusSink* status) {
    return open_with(options, journal, std::make_shared<StrategiesCarrier>(strategies), clock,
                     metrics, status);
}

}  // namespace promotiond::engine
