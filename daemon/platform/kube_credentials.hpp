// KubeCredentials: what proves who we are to one API server, kept fresh: files are read again when
// they change, exec plugins run again when what they gave expires or was refused.
//
// Thread-safety: all functions from any thread; one caller at a time runs a plugin, others wait for
// what it gives.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/kube_config.hpp"

namespace promotiond::platform {

// As one request needs them; each may be empty.
struct KubeIdentity {
    std::string ca_pem;
    Secret token;
    std::string client_certificate_pem;
    Secret client_key_pem;
};

class KubeCredentials {
public:
    KubeCredentials(KubeConfig config, const Clock& clock);
    ~KubeCredentials();
    KubeCredentials(const KubeCredentials&) = delete;
    KubeCredentials& operator=(const KubeCredentials&) = delete;

    // Without ca, token, client_certificate and client_key, which live in here.
    [[nodiscard]] const KubeConfig& config() const;
    // Invalid or Transient: a file is not there or cannot be read, a plugin failed (its name and
    // exit code, never its output). Blocks for a plugin at most 30 s.
    [[nodiscard]] Result<KubeIdentity> current(std::stop_token stop = {});
    // The server said 401: whatever was kept is read anew by the next current().
    void refused();

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
