// Guard: whether somebody with a token of the platform's own may have what a request asks for.
//
// Whom the configuration knows, Front lets in by itself; everybody else is asked about here, where
// the platform says who that is and what they may: get a Pipeline to read about it, list them for
// lists, approve for every command. A list of Pipelines shows the namespaces that the caller may
// list. Who may not get a Pipeline does not learn whether it is there, nor what became of it.
//
// What cannot be asked now is a 503: never a yes, and never a no that a person would act on.
//
// Thread-safety: all functions from any thread. proceed runs on a thread of this.
#pragma once

#include <functional>

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/workers.hpp"

namespace promotiond::http {

class Guard {
public:
    using Proceed = std::function<void(const ExchangePtr&)>;
    Guard(Core core, Proceed proceed);

    // False: the platform knows no callers.
    [[nodiscard]] bool on_duty() const { return core_.callers != nullptr; }
    // False: whoever this is has to be looked up at the platform.
    [[nodiscard]] bool remembers(const Request& request) const;
    // Answers the exchange, or lets it proceed.
    void check(const ExchangePtr& exchange);
    void stop() { workers_.stop(); }

private:
    struct Wish;
    [[nodiscard]] Result<Wish> wish_of(const Exchange& exchange) const;
    void admit(const ExchangePtr& exchange, const std::stop_token& stop) const;
    // False: the exchange has been answered.
    [[nodiscard]] bool allowed(Exchange& exchange, const platform::Caller& caller,
                               platform::Verb verb, const model::PipelineName& pipelines,
                               const std::stop_token& stop) const;
    [[nodiscard]] bool narrowed(Exchange& exchange, const platform::Caller& caller,
                                const std::stop_token& stop) const;

    Core core_;
    Proceed proceed_;
    Workers workers_;
};

}  // namespace promotiond::http
