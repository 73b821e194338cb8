// Service: what a listener serves. Two stand behind it: the front (events and API) and health.
//
// All functions run on the listener's I/O thread; the answer may come from any.
#pragma once

#include <optional>

#include "http/exchange.hpp"

namespace promotiond::http {

class Service {
public:
    virtual ~Service() = default;
    // The head is there, the body not yet. An answer here refuses the request unread.
    [[nodiscard]] virtual std::optional<Response> head(Request& request) = 0;
    // The request is whole. send is called once.
    virtual void serve(Request request, Send send) = 0;
    // An answer is about to go out; for metrics.
    virtual void answered(std::string_view route, const Response& response) = 0;
    // Connections now open, requests now in hand.
    virtual void load(std::size_t connections, std::size_t in_flight) = 0;
};

}  // namespace promotiond::http
