// The Lease object of a leader election: what it says, and the next version of it. Pure; for
// LeaderElector.
#pragma once

#include <chrono>
#include <string>

#include "base/clock.hpp"

namespace promotiond::platform {

inline constexpr const char* kLeaseAddress = "promotiond.io/address";

struct LeaseRecord {
    std::string object;  // JSON as the server has it; empty = there is none yet
    std::string version;
    std::string holder;   // empty: free
    std::string address;  // of the holder; empty if it tells none
    std::chrono::milliseconds duration{0};
};

// An object that is no Lease reads as one that is free and lasts no time.
[[nodiscard]] LeaseRecord lease_record(std::string object);

struct LeaseClaim {
    std::string ns;
    std::string name;
    std::string identity;
    std::string address;
    std::chrono::milliseconds duration{0};
};

// The object that claims the lease, or renews it if the claimant holds it already. Labels and
// annotations of others are kept, and metadata.resourceVersion: the server refuses it if somebody
// was faster.
[[nodiscard]] std::string claimed(const LeaseRecord& before, const LeaseClaim& claim, WallTime now);
// The object that lets it go.
[[nodiscard]] std::string released(const LeaseRecord& before, WallTime now);

}  // namespace promotiond::platform
