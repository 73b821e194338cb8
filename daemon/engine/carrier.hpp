// Carrier: what the engine needs of strategies, and no more, so that its tests run without plugins.
//
// Thread-safety: all functions from any thread; promote, observe and plan block until the verb has
// returned.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/pipeline.hpp"
#include "platform/platform.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::engine {

class Carrier {
public:
    virtual ~Carrier() = default;
    // Invalid: nothing serves this call; the message lists what is served.
    [[nodiscard]] virtual Result<const strategy::Description*> route(
        const model::StrategyCall& call) const = 0;
    [[nodiscard]] virtual std::vector<platform::Problem> problems(
        const model::Pipeline& pipeline) const = 0;
    [[nodiscard]] virtual strategy::Answer promote(const strategy::Description& by,
                                                   const strategy::Request& request,
                                                   const strategy::CallOptions& options) = 0;
    // What became of a promotion that is with someone else; external_id and details are its own.
    [[nodiscard]] virtual strategy::Answer observe(const strategy::Description& by,
                                                   const strategy::Request& request,
                                                   const model::Promotion& promotion,
                                                   const strategy::CallOptions& options) = 0;
    [[nodiscard]] virtual strategy::Answer plan(const strategy::Description& by,
                                                const strategy::Request& request,
                                                const strategy::CallOptions& options) = 0;
    // True if one of the secrets has another value now; may block on I/O, briefly.
    [[nodiscard]] virtual bool renewed(const std::vector<strategy::GivenSecret>& given) const = 0;
    // What a promote() of that namespace lacked is there now, or nearer; may block.
    [[nodiscard]] virtual bool has_come(
        const std::string& ns, const std::vector<strategy::AbsentSecret>& absent) const = 0;
    [[nodiscard]] virtual std::string lane(const strategy::Description& by,
                                           const strategy::Request& request) = 0;
};

}  // namespace promotiond::engine
