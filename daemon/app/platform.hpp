// Platform: where this configuration's Pipelines and secrets come from - directories, or an API
// server with a client of its own.
//
// Thread-safety: opened and closed by the main thread. Lifetime: clock and metrics outlive it;
// secrets and pipelines are used while client lives, which the order of the members sees to. What
// cannot be done is told to readiness.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/config.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/readiness.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"
#include "platform/kube_client.hpp"
#include "platform/kubernetes_report.hpp"
#include "platform/platform.hpp"

namespace promotiond::app {

struct Platform {
    // For the API server only: egress rules and proxy of the configuration are not for it. Null
    // with directories.
    std::unique_ptr<net::HttpClient> http;
    std::unique_ptr<platform::KubeClient> client;
    std::unique_ptr<net::HttpClient> flux_http;          // for flux; null without it
    std::unique_ptr<platform::FluxEvents> flux;          // null: transitions are not handed on
    std::string ns;                                      // the daemon's own, on Kubernetes
    std::unique_ptr<platform::KubernetesReport> report;  // null with directories
    std::unique_ptr<platform::Callers> callers;  // null: only the configuration's tokens count
    std::unique_ptr<platform::SecretStore> secrets;
    std::unique_ptr<platform::PipelineSource> pipelines;
};

// Invalid, NotFound, Transient: the kubeconfig, or the pod's service account, cannot be used. An
// API server that does not answer is no error here. may_write is asked before a status is written.
[[nodiscard]] Result<Platform> open_platform(const Config& config, const Clock& clock,
                                             Metrics& metrics, Readiness& readiness,
                                             std::function<bool()> may_write = {});

}  // namespace promotiond::app
