// /api/v1: what people and promotionctl ask and command. openapi.yaml is the contract.
//
// Reads run on workers, since the journal may block; plans on a worker of their own, since a
// strategy may take minutes. Authorization has happened before (front.cpp).
#pragma once

#include <memory>

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/workers.hpp"

namespace promotiond::http {

class Api {
public:
    explicit Api(Core core);

    void serve(const ExchangePtr& exchange);
    // Drops what waits, and ends plans that run.
    void stop();

private:
    void command(const ExchangePtr& exchange) const;
    void approve(const ExchangePtr& exchange) const;
    void plan(const ExchangePtr& exchange);
    void read(const ExchangePtr& exchange);

    Core core_;
    Workers readers_;
    Workers planner_;
};

}  // namespace promotiond::http
