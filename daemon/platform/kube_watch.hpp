// KubeWatch: keeps up with all objects of a resource: lists them in pages, watches from there, and
// lists again only when the server no longer knows the place (410). What changed while nobody
// looked is found by comparing, so that no object is missed and none told twice.
//
// It keeps name, uid and resourceVersion of each object and nothing else: what else of an object is
// wanted, the handler takes from it.
//
// It never gives up: faults are waited out with growing, jittered pauses (RBAC and missing CRDs
// with long ones) and named in trouble(). A watch that falls silent is ended and taken up where it
// was; one that is closed at once is not taken up in a hot loop.
//
// Metrics, by resource: promotiond_kube_lists_total, promotiond_kube_watches_total,
// promotiond_kube_watch_failures_total{reason}, promotiond_kube_objects.
//
// Thread-safety: all functions from any thread. The handler is called on the watch's own thread,
// never twice at once; it must not block for long and must not destroy the watch.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/metrics.hpp"
#include "platform/kube_client.hpp"
#include "platform/kube_object.hpp"
#include "platform/kube_result.hpp"

namespace promotiond::platform {

struct KubeWatchHandler {
    // New, or changed since it was last told. Valid during the call only.
    std::function<void(const KubeObject& object)> upserted;
    // Gone. An object that was made anew under its name is told as gone first.
    std::function<void(const KubeName& name)> deleted;
    // After each complete list: what was told so far is all there is.
    std::function<void()> synced;
    // The watch fails for this reason, or is well again (none); on changes only.
    std::function<void(const std::optional<KubeError>& trouble)> troubled = {};
};

struct KubeWatchOptions {
    KubeResource resource;
    KubeSelection selection = {};
    std::size_t page = 500;                      // objects; fewer if they are large
    std::chrono::seconds lasts{300};             // of one watch; up to twice that, by lot
    std::chrono::milliseconds idle{90'000};      // servers send a bookmark each minute
    std::chrono::milliseconds pause_first{250};  // after a failure; doubles
    std::chrono::milliseconds pause_most{30'000};
    std::chrono::milliseconds pause_refused{60'000};  // the most after 401, 403 and 404
};

class KubeWatch {
public:
    // Begins at once. The client and the metrics outlive it; the destructor ends the exchange that
    // is under way and waits for the handler to return.
    KubeWatch(KubeClient& client, KubeWatchOptions options, KubeWatchHandler handler,
              Metrics& metrics);
    ~KubeWatch();
    KubeWatch(const KubeWatch&) = delete;
    KubeWatch& operator=(const KubeWatch&) = delete;

    // True once the first list is complete.
    [[nodiscard]] bool synced() const;
    // Why it cannot keep up now; none if it can.
    [[nodiscard]] std::optional<KubeError> trouble() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::platform
