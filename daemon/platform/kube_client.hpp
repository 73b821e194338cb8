// KubeClient: calls to one Kubernetes API server, over the daemon's HTTP client. Bodies are JSON
// text in and out; look into them with JsonView.
//
// Every call: sends the current credentials, and once more with fresh ones after a 401; waits and
// repeats when the server says when to come back (429, 503 with Retry-After), as long as the call's
// time allows; maps Status answers to KubeError. Nothing else is repeated here: whoever calls knows
// whether that is safe.
//
// Egress rules: the HTTP client's. The operator's own API server is reached through a client that
// may go there and nowhere else (kube_http_options); servers that a Secret names go through the
// daemon's outbound client, whose rules refuse link-local and metadata addresses.
//
// Thread-safety: all functions from any thread. Lifetime: http, clock and metrics outlive it.
// Metric: promotiond_kube_repeats_total{reason}, calls that were sent again.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/readiness.hpp"
#include "net/http_client.hpp"
#include "platform/kube_config.hpp"
#include "platform/kube_object.hpp"
#include "platform/kube_result.hpp"

namespace promotiond::platform {

// Options of an HTTP client for exactly this API server (and its proxy-url).
[[nodiscard]] net::HttpClient::Options kube_http_options(const KubeConfig& config,
                                                         std::string user_agent);

struct KubeClientOptions {
    std::chrono::milliseconds timeout{30'000};  // of a call, repeats and waiting included
    std::uint64_t max_answer_bytes = 16u << 20;
    std::uint64_t max_line_bytes = 2u << 20;  // of a watch; etcd refuses objects over 1.5 MiB
    Readiness* readiness = nullptr;  // where tell() tells; outlives the client. Null: nowhere
};

// How one call is made. No deadline = the client's timeout alone.
struct KubeCall {
    std::stop_token stop = {};
    SteadyTime deadline = SteadyTime::max();
};

enum class KubePatchKind {
    Merge,  // RFC 7386
    Apply,  // server-side apply; needs a field manager
    Json,   // RFC 6902
};

struct KubeWrite {
    std::string subresource = {};    // "status"
    std::string field_manager = {};  // who owns what is written
    bool force = false;              // apply: take fields over from other managers
};

// Which objects; ns empty = all namespaces (or cluster-scoped).
struct KubeSelection {
    std::string ns = {};
    std::string labels = {};  // "team=a,tier!=web"
    std::string fields = {};  // "metadata.name=web"
};

struct KubePage {
    std::string body;              // the List object
    std::string resource_version;  // of the whole list
    std::string next;              // continue token; empty = this is the last page
};

struct KubeWatchCall {
    KubeSelection selection = {};
    std::string resource_version;
    std::chrono::seconds lasts{300};         // timeoutSeconds: the server ends the watch by then
    std::chrono::milliseconds idle{90'000};  // not one byte for so long: given up
    std::function<void()> opened = {};       // the server has taken the watch up
};

class KubeClient {
public:
    KubeClient(KubeConfig config, net::HttpClient& http, const Clock& clock, Metrics& metrics,
               KubeClientOptions options = {});
    ~KubeClient();
    KubeClient(const KubeClient&) = delete;
    KubeClient& operator=(const KubeClient&) = delete;

    [[nodiscard]] KubeResult<std::string> get(const KubeResource& resource, const KubeName& name,
                                              const KubeCall& how = {});
    // The collection's address is taken from ns; the object names itself (or generateName).
    [[nodiscard]] KubeResult<std::string> create(const KubeResource& resource,
                                                 const std::string& ns, std::string object,
                                                 const KubeWrite& write = {},
                                                 const KubeCall& how = {});
    // Replaces the object; Conflict unless its metadata.resourceVersion is the current one.
    [[nodiscard]] KubeResult<std::string> update(const KubeResource& resource, const KubeName& name,
                                                 std::string object, const KubeWrite& write = {},
                                                 const KubeCall& how = {});
    [[nodiscard]] KubeResult<std::string> patch(const KubeResource& resource, const KubeName& name,
                                                KubePatchKind kind, std::string body,
                                                const KubeWrite& write = {},
                                                const KubeCall& how = {});
    // uid: Conflict if the object of that name is another by now; empty = whichever it is.
    [[nodiscard]] KubeResult<std::string> remove(const KubeResource& resource, const KubeName& name,
                                                 const std::string& uid = {},
                                                 const KubeCall& how = {});
    // One page of at most `limit` objects; next is the KubePage's of before. Expired: begin anew.
    [[nodiscard]] KubeResult<KubePage> list(const KubeResource& resource,
                                            const KubeSelection& selection, std::size_t limit,
                                            const std::string& next = {}, const KubeCall& how = {});
    // Any address below the server ("/version", "/apis/authentication.k8s.io/v1/tokenreviews").
    [[nodiscard]] KubeResult<std::string> get_path(const std::string& path,
                                                   const KubeCall& how = {});
    [[nodiscard]] KubeResult<std::string> post_path(const std::string& path, std::string body,
                                                    const KubeCall& how = {});
    // The resource that serves a kind ("helm.toolkit.fluxcd.io/v2", "HelmRelease"), as the server's
    // discovery says; kept for 10 minutes. NotFound: it has no such kind.
    [[nodiscard]] KubeResult<KubeResource> resource_of(const std::string& api_version,
                                                       const std::string& kind,
                                                       const KubeCall& how = {});

    // One watch: each event's line as it comes, with bookmarks, until the server ends it (success),
    // the function says false (success), or it fails. The line is valid during the call only.
    [[nodiscard]] KubeDone watch(const KubeResource& resource, const KubeWatchCall& call,
                                 const std::function<bool(std::string_view line)>& on_line,
                                 std::stop_token stop = {});

    // "host:port".
    [[nodiscard]] const std::string& server_name() const;
    // Whoever works through this client cannot do its part at this server (trouble), or can.
    void tell(const std::string& part, const KubeError* trouble) const;
    // The part is no more.
    void forget(const std::string& part) const;

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
