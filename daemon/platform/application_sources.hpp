// ApplicationSources: one watch for each cluster and kind of application that somebody reads, or
// for single namespaces of it, and what each object is as it was last seen.
//
// A source begins when it is wanted and its cluster can be asked, begins anew with another client
// of its cluster, and ends when nobody wants it any more. It is read in the version that the server
// prefers, whichever ones its readers name: that is the one that holds what a controller of today
// writes, and with one watch nobody is told of a change twice. A kind that a server does not serve
// is asked for again from time to time. Internal to KubeApplications.
//
// Thread-safety: all functions from any thread, but stop() and the destructor from one. Lifetime:
// what it is given outlives it, `clients` until stop() has returned.
#pragma once

#include <chrono>
#include <compare>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "platform/application_state.hpp"
#include "platform/kube_client.hpp"
#include "platform/kube_watch.hpp"

namespace promotiond::platform {

// What one watch is of, in whichever version it is. A cluster without a name is the local one, a
// namespace without one is all there are.
struct SourceName {
    KubeName cluster;
    std::string group;
    std::string kind;
    std::string ns = {};
    auto operator<=>(const SourceName&) const = default;
};

// An application object, as it was last seen.
struct SeenApplication {
    ApplicationState state;
    std::string api_version;
    std::string kind;
};

// What a source says of one object: why it cannot say anything, that there is none, or what it saw.
struct ApplicationView {
    std::string trouble;
    std::string missing;
    std::optional<SeenApplication> seen;
};

class ApplicationSources {
public:
    struct Calls {
        // Of a remote cluster; null = it cannot be asked now. Must not call back.
        std::function<std::shared_ptr<KubeClient>(const KubeName& cluster)> client;
        // What of() says of this object (null: of all of the source's) is another thing now. Called
        // on threads of this, never under its lock.
        std::function<void(const SourceName& source, const KubeName* object)> changed;
        // A remote cluster's server refused us or cannot be reached.
        std::function<void(const KubeName& cluster)> doubt;
    };
    // try_again: after a kind that a server does not serve, or cannot be asked for.
    ApplicationSources(KubeClient& local, const Clock& clock, Metrics& metrics,
                       std::chrono::milliseconds try_again, Calls calls);
    ~ApplicationSources();
    ApplicationSources(const ApplicationSources&) = delete;
    ApplicationSources& operator=(const ApplicationSources&) = delete;

    // Whole new set.
    void want(std::set<SourceName> names);
    // Clusters can be asked, or cannot be any more, or otherwise.
    void look_at_clusters();
    // None: it is not known yet.
    [[nodiscard]] std::optional<ApplicationView> of(const SourceName& name,
                                                    const KubeName& object) const;
    // Ends all watches and calls nobody any more.
    void stop();

private:
    struct Source {
        std::shared_ptr<KubeClient> client;  // of a remote cluster; kept as long as the watch
        std::string plural;                  // "helmreleases.helm.toolkit.fluxcd.io"
        bool synced = false;
        std::string trouble;
        std::map<KubeName, SeenApplication> objects;
        SteadyTime start_at{};             // not before, after a failure
        SteadyTime begun{};                // the watch
        bool unserved = false;             // its address is gone: the kind may have another now
        std::unique_ptr<KubeWatch> watch;  // last: its handler uses the rest
    };

    void run(const std::stop_token& stop);
    void retire_unwanted();
    [[nodiscard]] std::unique_ptr<Source> successor_of(const Source& unserved) const;
    [[nodiscard]] std::optional<SourceName> next_to_start() const;
    [[nodiscard]] std::optional<SteadyTime> next_time() const;
    void start(const SourceName& name, const std::stop_token& stop);
    [[nodiscard]] static KubeResult<KubeResource> resource_of(KubeClient& client,
                                                              const SourceName& name,
                                                              const std::stop_token& stop);
    [[nodiscard]] std::unique_ptr<KubeWatch> begin(KubeClient& client, const KubeResource& resource,
                                                   const SourceName& name, Source& source);
    void change(const SourceName& name, Source& source, const KubeName* object,
                const std::function<void(Source&)>& apply);

    KubeClient& local_;
    const Clock& clock_;
    Metrics& metrics_;
    const std::chrono::milliseconds try_again_;
    const Calls calls_;

    mutable std::mutex mutex_;
    std::condition_variable_any woken_;
    bool reconcile_ = false;
    std::set<SourceName> wanted_;
    std::map<SourceName, std::unique_ptr<Source>> sources_;
    std::vector<std::unique_ptr<Source>> retired_;  // ended by the thread, without the lock
    std::jthread thread_;                           // last
};

}  // namespace promotiond::platform
