#include "app/platform.hpp"

#include <string>

#include "app/version.hpp"
#include "platform/kubernetes.hpp"
#include "platform/local.hpp"

namespace promotiond::app {

Result<Platform> open_platform(const Config& config, const Clock& clock, Metrics& metrics) {
    Platform opened;
    if (!config.kubernetes) {
        opened.secrets = platform::local_secrets(config.secrets);
        opened.pipelines = platform::local_pipelines(config.pipelines);
        return opened;
    }
    const auto& options = *config.kubernetes;
    auto server = platform::kube_config(options);
    if (!server) return config.error_at("platform.kubernetes", server.error().message);
    opened.http = std::make_unique<net::HttpClient>(
        platform::kube_http_options(*server, std::string("promotiond/") + kVersion), metrics);
    opened.client =
        std::make_unique<platform::KubeClient>(std::move(*server), *opened.http, clock, metrics);
    opened.secrets = platform::kube_secrets(*opened.client, clock);
    opened.pipelines = platform::kube_pipelines(
        *opened.client, {.namespaces = options.namespaces, .selector = options.selector}, metrics);
    return opened;
}

}  // namespace promotiond::app
