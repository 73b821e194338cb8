// Intake: the promotion endpoints that Flux and Weave GitOps call.
//
// Nothing of a Pipeline shows to a caller before the signature is found good: an unknown Pipeline,
// a missing key and a wrong signature get one answer. Runs on the I/O thread and does not block
// beyond the secret store's cache.
#pragma once

#include <functional>
#include <memory>

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/server.hpp"

namespace promotiond::http {

class Intake {
public:
    // Runs something on the I/O thread; may be called from any thread.
    using Post = std::function<void(std::function<void()>)>;

    Intake(Core core, const Options& options, Post post);

    // POST /promotion/{ns}/{name}/{environment}
    void event(const ExchangePtr& exchange) const;
    // POST /approval/{ns}/{name}/{environment}/{revision...}; request.actor is set if an operator's
    // token came with it, else the signature over zero bytes counts.
    void approval(const ExchangePtr& exchange) const;

private:
    struct Waiting {
        std::chrono::milliseconds most{0};  // 0 = answer as soon as it is durable
        bool compatible = false;            // pipeline-controller's statuses
    };
    [[nodiscard]] Result<Waiting> waiting_for(const Target& target) const;
    // False: the exchange has been answered.
    [[nodiscard]] bool all_known(Exchange& exchange) const;
    // Likewise.
    [[nodiscard]] bool authentic(Exchange& exchange, const model::PipelineName& name,
                                 const std::string& secret, bool known,
                                 std::string_view body) const;
    [[nodiscard]] engine::Engine::OnAccepted completion(const ExchangePtr& exchange,
                                                        Waiting waiting) const;
    void settle(const ExchangePtr& exchange, const engine::Accepted& accepted,
                std::chrono::milliseconds most) const;

    Core core_;
    bool allow_unsigned_;
    std::chrono::milliseconds wait_;
    std::chrono::milliseconds wait_most_;
    Post post_;
};

}  // namespace promotiond::http
