// Running a client-go credential plugin
// (kubernetes.io/docs/reference/access-authn-authz/authentication, read 2026-11).
//
// Thread-safety: a function without shared state.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/kube_config.hpp"

namespace promotiond::platform {

struct ExecCredential {
    Secret token;
    Secret client_certificate_pem;
    Secret client_key_pem;
    std::optional<WallTime> expires;
};

// Runs the plugin without a terminal, its input closed and its errors discarded, and reads at most
// 1 MiB from it. It and what it started are killed when the time is over. Invalid: it cannot be
// run, or does not answer with an ExecCredential of its version. Transient: it failed or took too
// long. Cancelled.
[[nodiscard]] Result<ExecCredential> run_exec_plugin(const KubeExec& exec,
                                                     const std::string& server,
                                                     std::chrono::milliseconds timeout,
                                                     std::stop_token stop);

}  // namespace promotiond::platform
