#include "app/platform.hpp"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "app/version.hpp"
#include "base/log.hpp"
#include "platform/kubernetes.hpp"
#include "platform/local.hpp"

namespace promotiond::app {
namespace {

// The pod's name, in a pod.
std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

Result<Platform> open_platform(const Config& config, const Clock& clock, Metrics& metrics,
                               Readiness& readiness, std::function<bool()> may_write) {
    Platform opened;
    if (!config.kubernetes) {
        if (std::error_code failed; !std::filesystem::is_directory(config.secrets, failed)) {
            log::warn("PROMO-0016", "there is no directory of secrets; what needs one waits for it",
                      {{"directory", config.secrets.string()}});
        }
        opened.secrets = platform::local_secrets(config.secrets);
        opened.pipelines = platform::local_pipelines(config.pipelines);
        return opened;
    }
    const auto& options = *config.kubernetes;
    auto server = platform::kube_config(options);
    if (!server) return config.error_at("platform.kubernetes", server.error().message);
    opened.ns = server->ns;
    opened.http = std::make_unique<net::HttpClient>(
        platform::kube_http_options(*server, std::string("promotiond/") + kVersion), metrics);
    opened.client = std::make_unique<platform::KubeClient>(
        std::move(*server), *opened.http, clock, metrics,
        platform::KubeClientOptions{.readiness = &readiness});
    if (!options.notification_controller.empty()) {
        auto outbound = config.outbound;
        outbound.user_agent = std::string("promotiond/") + kVersion;
        opened.flux_http = std::make_unique<net::HttpClient>(std::move(outbound), metrics);
        opened.flux = std::make_unique<platform::FluxEvents>(
            *opened.flux_http, metrics,
            platform::FluxEventsOptions{.address = options.notification_controller});
    }
    opened.secrets = platform::kube_secrets(*opened.client, clock);
    if (options.tokens) {
        opened.callers = platform::kube_callers(*opened.client, clock, metrics,
                                                {.audiences = options.token_audiences});
    }
    opened.report = std::make_unique<platform::KubernetesReport>(
        *opened.client, clock, metrics,
        platform::KubernetesReportOptions{.view = {.applications = options.applications},
                                          .instance = host_name(),
                                          .flux = opened.flux.get(),
                                          .may_write = std::move(may_write)});
    auto& report = *opened.report;
    platform::KubePipelinesOptions watched{.namespaces = options.namespaces,
                                           .selector = options.selector};
    watched.readiness = &readiness;
    watched.object = [&report](const platform::KubeObject& object, const std::string& fault) {
        report.found(object, fault);
    };
    watched.gone = [&report](const platform::KubeName& name) { report.gone(name); };
    opened.pipelines = platform::kube_pipelines(*opened.client, std::move(watched), metrics);
    return opened;
}

}  // namespace promotiond::app
