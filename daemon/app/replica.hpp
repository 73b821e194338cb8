// Replica: this daemon as one of several on Kubernetes - whether it leads, and whom requests are
// forwarded to while it does not.
//
// Every replica has a journal of its own and listens; only the leader runs the engine, looks at
// applications, writes status and carries promotions out. A standby forwards what it is asked and
// says 503 where there is no leader, so that a 2xx always is the leader's, after its journal has
// it. A leader that loses its lease ends with kExitLeaseLost rather than becoming a standby: what
// is in memory then may be behind the next leader's, and starting anew is the one way back that is
// tried every day.
//
// Thread-safety: all functions of Forwarding and may_act() from any thread; start() and stop() from
// the main thread. Lifetime: client and metrics outlive it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "app/config.hpp"
#include "base/guarded.hpp"
#include "base/metrics.hpp"
#include "http/forwarding.hpp"
#include "net/http_client.hpp"
#include "platform/boot_clock.hpp"
#include "platform/kube_client.hpp"
#include "platform/kube_lease.hpp"

namespace promotiond::app {

// The host of a listening address ("0.0.0.0:8082") as the other replicas reach it, in a URL's
// spelling: POD_IP of the environment where the address is a wildcard. Invalid: they cannot tell.
[[nodiscard]] Result<std::string> reachable_host(const std::string& listen_address);

class Replica final : public http::Forwarding {
public:
    Replica(const Config& config, platform::KubeClient& client, Metrics& metrics);
    ~Replica() override;

    // Stands for election, telling the others this address of the main listener. Invalid: nobody
    // could reach it. The callbacks run on another thread and must not block.
    [[nodiscard]] Result<void> start(const std::string& listen_address,
                                     platform::LeaderCallbacks callbacks);
    // The core serves from now on.
    void serve() { serves_ = true; }
    // Gives the lease up; when nothing acts any more.
    void stop();

    [[nodiscard]] bool may_act() const;

    [[nodiscard]] bool stands_by() const override { return !serves_; }
    [[nodiscard]] bool may_answer() const override { return may_act(); }
    [[nodiscard]] Result<void> ready() const override;
    [[nodiscard]] Result<http::Response> forward(const http::Request& request,
                                                 const std::stop_token& stop) override;

private:
    [[nodiscard]] Result<std::string> leader_address() const;

    const LeaderElection options_;
    const bool tls_;
    platform::KubeClient& client_;
    Metrics& metrics_;
    const platform::BootClock clock_;
    net::HttpClient http_;
    std::string identity_;
    std::atomic<bool> serves_{false};
    Guarded<std::stop_source> reign_;  // stopped and replaced when another leads
    std::atomic<platform::LeaderElector*> elector_{nullptr};
    std::unique_ptr<platform::LeaderElector> owned_;
};

}  // namespace promotiond::app
