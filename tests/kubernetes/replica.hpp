// One of several daemons on the real API server, with a journal of its own, on loopback.
//
// Each runs in the namespace that it is given and leads by the Lease there. Thread-safety: none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "net/http_client.hpp"
#include "tests/kubernetes/cluster.hpp"
#include "tests/kubernetes/program.hpp"

namespace promotiond::tests {

// For a lease that is not to end while a test looks, however slow the machine is.
inline constexpr const char* kLongLease =
    ", leaseDuration: 600s, renewDeadline: 400s, retryPeriod: 300ms";

struct ReplicaOptions {
    std::string strategy = "webhook-generic";  // file name of the plugin
    std::string promotions = {};               // flow mapping of the configuration's `promotions`
    // More keys of the configuration's `server`, in the style of a flow mapping.
    std::string server = "unsignedEvents: allow, rateLimit: {requests: 0}";
    // More keys of `leaderElection`, after a comma: shorter than the defaults unless told
    // otherwise.
    std::string lease = ", leaseDuration: 9s, renewDeadline: 6s, retryPeriod: 300ms";
    // Where the journal is; empty = in a directory of its own.
    std::filesystem::path journal = {};
};

class Replica {
public:
    // Returns when it listens.
    Replica(const Cluster& cluster, const std::string& space, const ReplicaOptions& options = {});

    [[nodiscard]] std::string log() const;
    [[nodiscard]] bool says(const std::string& id) const;  // "PROMO-5202"
    // It leads, and is ready to.
    [[nodiscard]] bool leads() const;
    [[nodiscard]] bool ready() const;
    // Its metrics have this line.
    [[nodiscard]] bool measures(const std::string& line) const;

    // By a token of scope `operate`; what does not answer has code 0.
    [[nodiscard]] net::Response get(const std::string& path) const;
    [[nodiscard]] net::Response post(const std::string& path, const std::string& body,
                                     net::Headers headers = {}) const;
    [[nodiscard]] Output promotionctl(std::vector<std::string> words) const;
    [[nodiscard]] std::string url() const;  // of the main listener

    [[nodiscard]] Program& program() { return program_; }

private:
    // Of the line that says that it is ready.
    [[nodiscard]] std::string field(const std::string& name) const;

    ScratchDirectory folder_;
    std::filesystem::path log_;
    Program program_;
};

}  // namespace promotiond::tests
