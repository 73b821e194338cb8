// LeaderElector: at most one of several replicas leads, by a Lease of coordination.k8s.io/v1
// (kubernetes.io/docs/concepts/architecture/leases, read 2026-11); the record and the times are
// those of client-go's leaderelection, so that kubectl and people read it as any other.
//
// No two wall clocks are compared. The leader counts from the moment at which its last successful
// renewal began and stops being valid() `renew_deadline` later. The others count from the moment at
// which they themselves saw the record change and take it over `duration` later, which is more. So
// a leader that was paused, suspended or cut off is no longer valid() before anybody else can lead.
// What valid() cannot do is to call back a request that is already on its way.
//
// One term: who lost the lease does not stand for election again; its process should end.
//
// Metrics: promotiond_leader, promotiond_lease_failures_total{reason}.
//
// Thread-safety: valid() and leader() from any thread; start() and stop() from one. Callbacks run
// on the elector's thread and must not block: nobody renews the lease meanwhile. Lifetime: client,
// clock and metrics outlive it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "platform/kube_client.hpp"

namespace promotiond::platform {

struct LeaseOptions {
    std::string ns;
    std::string name = "promotiond";
    std::string identity;  // of this process and no other: see lease_identity()
    std::string address;   // where the leader answers HTTP, for the others: "http://10.0.0.7:8082"
    // duration > renew_deadline > retry.
    std::chrono::milliseconds duration{15'000};
    std::chrono::milliseconds renew_deadline{10'000};
    std::chrono::milliseconds retry{2'000};
};

// "<pod's or host's name>_<random>".
[[nodiscard]] std::string lease_identity();

struct Leader {
    std::string identity;
    std::string address;  // as it told; may be empty
};

struct LeaderCallbacks {
    std::function<void()> leading = {};
    // The lease may be another's from now on; never after a stop().
    std::function<void()> lost = {};
    // Another holds the lease than before, or nobody; it may be this one.
    std::function<void()> changed = {};
};

class LeaderElector {
public:
    // The clock's steady time must go on while the machine is suspended (BootClock).
    LeaderElector(KubeClient& client, const Clock& clock, Metrics& metrics, LeaseOptions options,
                  LeaderCallbacks callbacks = {});
    ~LeaderElector();  // as stop(), but keeps the lease until it expires
    LeaderElector(const LeaderElector&) = delete;
    LeaderElector& operator=(const LeaderElector&) = delete;

    void start();
    // Gives the lease up, so that another can lead at once: call it when nothing acts any more.
    void stop();

    // True while nobody else can lead. Cheap; ask right before each effect.
    [[nodiscard]] bool valid() const noexcept;
    // Who leads, as far as this one knows; it may be this one. Nothing: nobody, nobody known yet,
    // or its lease has expired.
    [[nodiscard]] std::optional<Leader> leader() const;

    // One round: takes the lease if it is free, renews it if it is ours. Returns how long to wait
    // for the next one; nothing once the lease was lost. start() does this again and again on a
    // thread of its own; without start() a test does.
    [[nodiscard]] std::optional<std::chrono::milliseconds> round();

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
