// KubeDiscovery: which resource serves a kind, as the API server itself says. Internal to the
// client.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/guarded.hpp"
#include "platform/kube_exchange.hpp"
#include "platform/kube_object.hpp"

namespace promotiond::platform {

class KubeDiscovery {
public:
    explicit KubeDiscovery(KubeExchange& exchange) : exchange_(exchange) {}

    // As KubeClient::resource_of.
    [[nodiscard]] KubeResult<KubeResource> resource_of(const std::string& api_version,
                                                       const std::string& kind,
                                                       const KubeCall& how);
    // What was known of its kinds is out of date: ask again.
    void forget(const std::string& api_version) { known_.access()->erase(api_version); }

private:
    using Plurals = std::map<std::string, std::string>;  // by kind
    struct Known {
        SteadyTime read;
        Plurals plurals;
    };
    // None: nobody asked for long enough that it may have changed.
    [[nodiscard]] std::optional<std::string> known(const std::string& api_version,
                                                   const std::string& kind, SteadyTime now);

    KubeExchange& exchange_;
    Guarded<std::map<std::string, Known>> known_;  // by apiVersion
};

}  // namespace promotiond::platform
