// KubeExchange: one request to the API server with credentials, second tries and errors in
// Kubernetes' terms; what all calls of KubeClient have in common. Internal to the client.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "net/http_client.hpp"
#include "platform/kube_client.hpp"
#include "platform/kube_credentials.hpp"
#include "platform/kube_result.hpp"

namespace promotiond::platform {

struct KubeAsk {
    std::string what;  // for people: "get secrets team/forge at host:6443"
    std::string method = "GET";
    std::string path;  // below the server, with its query
    std::string_view media = {};
    std::string body = {};
};

class KubeExchange {
public:
    KubeExchange(KubeConfig config, net::HttpClient& http, const Clock& clock, Metrics& metrics,
                 KubeClientOptions options);

    // The answer's body.
    [[nodiscard]] KubeResult<std::string> call(KubeAsk ask, const KubeCall& how);
    [[nodiscard]] KubeDone watch(KubeAsk ask, const KubeWatchCall& call,
                                 const std::function<bool(std::string_view)>& on_line,
                                 const std::stop_token& stop);
    [[nodiscard]] const KubeConfig& config() const { return credentials_.config(); }

private:
    KubeResult<net::Request> request_of(KubeAsk& ask, const std::stop_token& stop);
    KubeDone watch_once(KubeAsk& ask, const KubeWatchCall& call,
                        const std::function<bool(std::string_view)>& on_line,
                        const std::stop_token& stop);

    net::HttpClient& http_;
    const KubeClientOptions options_;
    KubeCredentials credentials_;
    Counter& unauthorized_;
    Counter& throttled_;
};

}  // namespace promotiond::platform
