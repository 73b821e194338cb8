// Front: the door of the main listener. Rate limit, routing, method, media type and authorization,
// in this order and before the body is read; then intake or API. Whom only the platform knows is
// asked about after that (guard.hpp).
#pragma once

#include <atomic>
#include <map>

#include "base/guarded.hpp"
#include "http/api.hpp"
#include "http/auth.hpp"
#include "http/guard.hpp"
#include "http/hooks.hpp"
#include "http/intake.hpp"
#include "http/peer.hpp"
#include "http/rate_limit.hpp"
#include "http/service.hpp"
#include "http/workers.hpp"

namespace promotiond::http {

class Front final : public Service {
public:
    Front(const Options& options, Core core, AddressRanges trusted, Tokens tokens, HookKeys keys,
          Intake::Post post, Metrics& metrics);

    [[nodiscard]] std::optional<Response> head(Request& request) override;
    void serve(Request request, Send send) override;
    void answered(std::string_view route, const Response& response) override;
    void load(std::size_t connections, std::size_t in_flight) override;

    // From any thread.
    void use(Tokens tokens, HookKeys keys);
    void stop();

private:
    [[nodiscard]] std::optional<Response> authorize(Request& request, const Route& route);
    [[nodiscard]] std::optional<Response> review_later(Request& request);
    [[nodiscard]] std::optional<Response> authorize_loopback(Request& request) const;
    void forward(Request request, Send send);
    enum class Counted { No, Yes };
    [[nodiscard]] std::optional<Response> over_limit(const Request& request, Counted counted);
    [[nodiscard]] std::shared_ptr<const Tokens> tokens() const;

    void hand_over(const ExchangePtr& exchange);
    void count(const Exchange& exchange, Hooks::Sender sender);

    std::string prefix_;
    AddressRanges trusted_;
    mutable Guarded<std::shared_ptr<const Tokens>> tokens_;
    const Clock& clock_;
    Metrics& metrics_;
    Forwarding* forwarding_;
    RateLimit rate_;
    Intake intake_;
    Releases releases_;
    Hooks hooks_;
    Api api_;
    Guard guard_;
    std::map<std::pair<std::string_view, unsigned>, Counter*> requests_;
    Gauge& connections_;
    Gauge& in_flight_;
    Workers forwarders_;  // last: their work speaks to the rest
};

}  // namespace promotiond::http
