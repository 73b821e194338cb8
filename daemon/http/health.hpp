// Health: /livez, /readyz, /healthz and /metrics, on a listener and a thread of their own, so that
// they answer whatever the other listener is busy with. No authentication; nothing secret.
#pragma once

#include <atomic>

#include "base/metrics.hpp"
#include "http/core.hpp"
#include "http/service.hpp"

namespace promotiond::http {

class Health final : public Service {
public:
    Health(const Core& core, const Metrics& metrics) : core_(core), metrics_(metrics) {}

    [[nodiscard]] std::optional<Response> head(Request& request) override;
    void serve(Request request, Send send) override;
    void answered(std::string_view, const Response&) override {}
    void load(std::size_t, std::size_t) override {}

    // From any thread: from now on /readyz says no.
    void drain() { draining_ = true; }

private:
    [[nodiscard]] Response ready(bool verbose) const;

    const Core core_;
    const Metrics& metrics_;
    std::atomic<bool> draining_{false};
};

}  // namespace promotiond::http
