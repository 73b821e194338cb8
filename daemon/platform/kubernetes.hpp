// Platform `kubernetes`: Pipelines are objects of an API server, watched; secrets are Secrets of
// the Pipeline's namespace, got by name when they are used and never listed.
//
// Thread-safety: as platform.hpp says. Lifetime: the client and the metrics outlive what is made
// here.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/kube_client.hpp"
#include "platform/platform.hpp"

namespace promotiond::platform {

// `platform.kubernetes` of the configuration.
struct KubernetesOptions {
    std::filesystem::path kubeconfig = {};       // empty = in-cluster
    std::string context = {};                    // of the kubeconfig; empty = its current one
    std::vector<std::string> exec_allowed = {};  // credential plugins that may be run
    std::vector<std::string> namespaces = {};    // empty = all
    std::string selector = {};                   // by labels; empty = all
    bool applications = true;                    // watch what Pipelines promote, not only clusters
    std::string notification_controller = {};    // URL; empty = transitions are not handed on
    bool tokens = true;                          // callers of the API may show Kubernetes tokens
    std::vector<std::string> token_audiences = {};  // that they must be made for; empty = the
                                                    // API server's own
};

// Where the API server is and who we are to it, by these options.
[[nodiscard]] Result<KubeConfig> kube_config(const KubernetesOptions& options);

struct KubePipelinesOptions {
    std::vector<std::string> namespaces = {};
    std::string selector = {};
    // How long start() waits for the first complete list; then it goes on without.
    std::chrono::milliseconds first_list{10'000};
    // Changes are gathered for so long.
    std::chrono::milliseconds gather{50};
    // Each object as it comes and changes, with why it cannot be read as a Pipeline (empty: it
    // can), and that it is gone. Called on threads of the source, never twice at once for one
    // object; must not block.
    std::function<void(const KubeObject& object, const std::string& fault)> object = {};
    std::function<void(const KubeName& name)> gone = {};
    // Told by the part "pipelines" that it is not ready until the first list has been told, and
    // that it is degraded while some namespace cannot be read. Outlives the source.
    Readiness* readiness = nullptr;
};

// Position::file of the problem that the API server cannot be read from at all.
inline constexpr const char* kKubernetesPlace = "Kubernetes";

// One that cannot be read is a problem, and its last good version stays in force; the others go on.
// An API server that cannot be asked is a problem, too: what is known stays. start() never fails
// for it: `changed` hears of the Pipelines when they are there.
[[nodiscard]] std::unique_ptr<PipelineSource> kube_pipelines(KubeClient& client,
                                                             KubePipelinesOptions options,
                                                             Metrics& metrics);

struct KubeSecretsOptions {
    // A Secret's values are served so long without asking again.
    std::chrono::milliseconds fresh{10'000};
    // While the server cannot be reached or is too busy, for so long.
    std::chrono::milliseconds stale{300'000};
    std::size_t most = 1024;  // Secrets kept
    std::chrono::milliseconds timeout{5'000};
};

[[nodiscard]] std::unique_ptr<SecretStore> kube_secrets(KubeClient& client, const Clock& clock,
                                                        KubeSecretsOptions options = {});

struct KubeCallersOptions {
    std::vector<std::string> audiences = {};
    // How long a yes and a no are remembered: so long does a right that was taken away last.
    std::chrono::milliseconds yes{60'000};
    std::chrono::milliseconds no{10'000};
    std::size_t most = 4096;  // answers remembered of each kind
    std::chrono::milliseconds timeout{5'000};
};

// Tokens by TokenReview (authentication.k8s.io/v1), rights by SubjectAccessReview
// (authorization.k8s.io/v1) on pipelines.pipelines.weave.works; Verb::Approve is the verb
// "approve". Metric: promotiond_kube_reviews_total{review, result}.
[[nodiscard]] std::unique_ptr<Callers> kube_callers(KubeClient& client, const Clock& clock,
                                                    Metrics& metrics,
                                                    KubeCallersOptions options = {});

}  // namespace promotiond::platform
