// Forwarding: where requests go while another replica leads. The daemon's core stands still then;
// what the leader answers is the answer, and without a leader nobody is told that anything was
// taken.
//
// Nothing is believed of a replica that is not believed of anybody: the leader authorizes what is
// forwarded by the same headers and bytes, and takes X-Forwarded-For from server.trustedProxies
// only.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <stop_token>

#include "base/result.hpp"
#include "http/message.hpp"

namespace promotiond::http {

class Forwarding {
public:
    virtual ~Forwarding() = default;
    // True while this replica does not lead; once false it stays so.
    [[nodiscard]] virtual bool stands_by() const = 0;
    // Of one that does not stand by: false once another replica may lead. What it has written down
    // since then is not what the leader knows.
    [[nodiscard]] virtual bool may_answer() const = 0;
    // Is there a leader to forward to?
    [[nodiscard]] virtual Result<void> ready() const = 0;
    // The leader's answer to the same request. Transient: there is no leader, or none that answers;
    // the request may be repeated. Blocks, but no longer than until `stop` or until another leads.
    [[nodiscard]] virtual Result<Response> forward(const Request& request,
                                                   const std::stop_token& stop) = 0;
};

}  // namespace promotiond::http
