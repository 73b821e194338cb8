#include "platform/kube_applications.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "platform/application_state.hpp"
#include "platform/kube_clusters.hpp"
#include "platform/kube_watch.hpp"

namespace promotiond::platform {
namespace {

using model::Observation;
using model::PipelineName;
using model::Sight;

// What one watch is of. A cluster without a name is the local one.
struct SourceName {
    KubeName cluster;
    std::string api_version;
    std::string kind;
    auto operator<=>(const SourceName&) const = default;
};

// An application object, as it was last seen.
struct Seen {
    ApplicationState state;
    std::string api_version;
    std::string kind;
};

struct Source {
    std::shared_ptr<KubeClient> client;  // of a remote cluster; kept as long as the watch
    std::string plural;                  // "helmreleases.helm.toolkit.fluxcd.io"
    bool synced = false;
    std::string trouble;
    std::map<KubeName, Seen> objects;
    SteadyTime start_at{};             // not before, after a failure
    std::unique_ptr<KubeWatch> watch;  // last: its handler uses the rest
};

struct Place {
    std::string environment;
    std::string target;
    SourceName source;
    KubeName object;
};

struct Watched {
    std::shared_ptr<const model::Pipeline> pipeline;
    std::vector<Place> places;
    bool told = false;        // the first look
    SteadyTime wait_until{};  // with the first look
    std::map<std::pair<std::string, std::string>, Observation> last;
};

std::vector<Place> places_of(const model::Pipeline& pipeline) {
    std::vector<Place> places;
    for (const auto& environment : pipeline.environments) {
        for (const auto& target : environment.targets) {
            SourceName source{{}, pipeline.app.api_version, pipeline.app.kind};
            if (target.cluster) {
                const auto& ns = target.cluster->ns;
                source.cluster = {ns.empty() ? pipeline.id.ns : ns, target.cluster->name};
            }
            places.push_back(
                {environment.name, target.text(), source, {target.ns, pipeline.app.name}});
        }
    }
    return places;
}

bool same_but_for_time(const Observation& a, const Observation& b) {
    return a.ready == b.ready && a.revision == b.revision && a.error == b.error &&
           a.sight == b.sight && a.object.api_version == b.object.api_version;
}

}  // namespace

class KubeApplications::State {
public:
    State(KubeClient& local, net::HttpClient& outbound, const Clock& clock, Metrics& metrics,
          KubeApplicationsOptions options, std::function<void(std::vector<Observation>)> seen)
        : local_(local),
          clock_(clock),
          metrics_(metrics),
          options_(options),
          seen_(std::move(seen)),
          clusters_(std::make_unique<KubeClusters>(
              local, outbound, clock, metrics,
              [this](const KubeName& name) { cluster_changed(name); })),
          thread_([this](std::stop_token stop) { run(stop); }) {}

    ~State() {
        thread_.request_stop();
        woken_.notify_all();
        thread_.join();
        // The watches end without the lock, which their handlers take.
        std::map<SourceName, std::unique_ptr<Source>> sources;
        {
            const std::lock_guard held(mutex_);
            sources.swap(sources_);
        }
        sources.clear();
        retired_.clear();
    }

    void set_pipelines(const std::vector<std::shared_ptr<const model::Pipeline>>& pipelines) {
        std::set<KubeName> clusters;
        std::set<PipelineName> changed;
        {
            const std::lock_guard held(mutex_);
            std::map<PipelineName, Watched> before = std::move(watched_);
            watched_.clear();
            readers_.clear();
            for (const auto& pipeline : pipelines) {
                Watched& now = watched_[pipeline->id];
                const auto old = before.find(pipeline->id);
                if (old != before.end() && old->second.pipeline == pipeline) {
                    now = std::move(old->second);
                } else {
                    now.pipeline = pipeline;
                    now.places = places_of(*pipeline);
                    now.wait_until = clock_.steady_now() + options_.first_look;
                    changed.insert(pipeline->id);
                }
                for (const auto& place : now.places) {
                    readers_[place.source].emplace(place.object, pipeline->id);
                    if (!place.source.cluster.name.empty()) clusters.insert(place.source.cluster);
                }
            }
            reconcile_ = true;
        }
        clusters_->want(std::move(clusters));
        woken_.notify_all();
        tell(changed);
    }

private:
    // Watches are begun and ended on one thread, which handlers never wait for.
    void run(std::stop_token stop) {
        std::unique_lock held(mutex_);
        while (!stop.stop_requested()) {
            reconcile_ = false;
            retire_unread();
            const auto name = next_to_start();
            held.unlock();
            retired_.clear();
            if (name) start(*name, stop);
            tell_overdue();
            held.lock();
            if (name || reconcile_) continue;
            const auto next = next_time();
            const auto woken = [this] { return reconcile_; };
            if (next) {
                woken_.wait_for(held, stop, *next - clock_.steady_now(), woken);
            } else {
                woken_.wait(held, stop, woken);
            }
        }
    }

    // Under the lock.
    void retire_unread() {
        for (auto each = sources_.begin(); each != sources_.end();) {
            const bool read = readers_.contains(each->first);
            const auto& cluster = each->first.cluster;
            const bool current =
                cluster.name.empty() || each->second->client == clusters_->of(cluster).client;
            if (read && current) {
                ++each;
                continue;
            }
            retired_.push_back(std::move(each->second));
            each = sources_.erase(each);
        }
    }

    // Under the lock.
    std::optional<SourceName> next_to_start() {
        if (!options_.applications) return std::nullopt;
        const auto now = clock_.steady_now();
        for (const auto& [name, readers] : readers_) {
            if (!name.cluster.name.empty() && clusters_->of(name.cluster).client == nullptr) {
                continue;
            }
            const auto found = sources_.find(name);
            const bool idle = found == sources_.end() || found->second->watch == nullptr;
            if (idle && (found == sources_.end() || found->second->start_at <= now)) return name;
        }
        return std::nullopt;
    }

    // Under the lock.
    std::optional<SteadyTime> next_time() const {
        std::optional<SteadyTime> next;
        const auto sooner = [&next](SteadyTime time) {
            if (!next || time < *next) next = time;
        };
        for (const auto& [name, source] : sources_) {
            if (source->watch == nullptr) sooner(source->start_at);
        }
        for (const auto& [name, watched] : watched_) {
            if (!watched.told) sooner(watched.wait_until);
        }
        return next;
    }

    void start(const SourceName& name, const std::stop_token& stop) {
        auto made = std::make_unique<Source>();
        Source* const source = made.get();  // ended on this thread only
        if (!name.cluster.name.empty()) {
            source->client = clusters_->of(name.cluster).client;
            if (source->client == nullptr) return;
        }
        KubeClient& client = source->client ? *source->client : local_;
        auto resource = resource_of(client, name, stop);
        {
            const std::lock_guard held(mutex_);
            if (!readers_.contains(name)) return;
            sources_[name] = std::move(made);
            if (!resource) {
                source->trouble = resource.error().error.message;
                source->start_at = clock_.steady_now() + options_.try_again;
            } else {
                source->plural = resource->text();
            }
        }
        if (!resource) return source_changed(name);
        auto watch = begin(client, *resource, name, *source);
        const std::lock_guard held(mutex_);
        source->watch = std::move(watch);
    }

    // The version that the Pipeline names, or the one that the server prefers: an API version that
    // is gone after an upgrade is still the same application.
    KubeResult<KubeResource> resource_of(KubeClient& client, const SourceName& name,
                                         const std::stop_token& stop) {
        auto exact = client.resource_of(name.api_version, name.kind, {.stop = stop});
        const auto slash = name.api_version.find('/');
        if (exact || exact.error().reason != KubeReason::NotFound || slash == std::string::npos) {
            return exact;
        }
        auto group = client.get_path("/apis/" + url_encoded(name.api_version.substr(0, slash)),
                                     {.stop = stop});
        if (!group) return exact;
        const auto preferred = JsonView(*group).at({"preferredVersion", "groupVersion"}).text();
        if (preferred.empty()) return exact;
        return client.resource_of(preferred, name.kind, {.stop = stop});
    }

    std::unique_ptr<KubeWatch> begin(KubeClient& client, const KubeResource& resource,
                                     const SourceName& name, Source& source) {
        KubeWatchHandler handler;
        handler.upserted = [this, name, &source](const KubeObject& object) {
            Seen seen{application_state(object.json), object.json["apiVersion"].text(),
                      object.json["kind"].text()};
            change(
                name, source, [&](Source& of) { of.objects[object.name] = std::move(seen); },
                &object.name);
        };
        handler.deleted = [this, name, &source](const KubeName& object) {
            change(
                name, source, [&](Source& of) { of.objects.erase(object); }, &object);
        };
        handler.synced = [this, name, &source] {
            change(
                name, source, [](Source& of) { of.synced = true; }, nullptr);
        };
        handler.troubled = [this, name, &source](const std::optional<KubeError>& trouble) {
            change(
                name, source,
                [&](Source& of) { of.trouble = trouble ? trouble->error.message : ""; }, nullptr);
            if (trouble && !name.cluster.name.empty()) clusters_->doubt(name.cluster);
        };
        KubeWatchOptions options;
        options.resource = resource;
        return std::make_unique<KubeWatch>(client, options, std::move(handler), metrics_);
    }

    // object null: it concerns all of the source.
    template <class Change>
    void change(const SourceName& name, Source& source, const Change& apply,
                const KubeName* object) {
        std::set<PipelineName> concerned;
        {
            const std::lock_guard held(mutex_);
            apply(source);
            if (object != nullptr && !source.synced) return;  // the list is told as a whole
            concerned = readers_of(name, object);
        }
        tell(concerned);
    }

    void source_changed(const SourceName& name) {
        std::set<PipelineName> concerned;
        {
            const std::lock_guard held(mutex_);
            concerned = readers_of(name, nullptr);
        }
        tell(concerned);
    }

    void cluster_changed(const KubeName& cluster) {
        std::set<PipelineName> concerned;
        {
            const std::lock_guard held(mutex_);
            reconcile_ = true;
            for (const auto& [name, readers] : readers_) {
                if (name.cluster != cluster) continue;
                for (const auto& [object, pipeline] : readers) concerned.insert(pipeline);
            }
        }
        woken_.notify_all();
        tell(concerned);
    }

    // Under the lock.
    std::set<PipelineName> readers_of(const SourceName& name, const KubeName* object) const {
        std::set<PipelineName> concerned;
        const auto readers = readers_.find(name);
        if (readers == readers_.end()) return concerned;
        const auto range = object == nullptr
                               ? std::pair{readers->second.begin(), readers->second.end()}
                               : readers->second.equal_range(*object);
        for (auto each = range.first; each != range.second; ++each) concerned.insert(each->second);
        return concerned;
    }

    void tell_overdue() {
        std::set<PipelineName> overdue;
        {
            const std::lock_guard held(mutex_);
            for (const auto& [name, watched] : watched_) {
                if (!watched.told && watched.wait_until <= clock_.steady_now()) {
                    overdue.insert(name);
                }
            }
        }
        tell(overdue);
    }

    // Looks and tells under one lock, so that nobody hears of an older look after a newer one.
    void tell(const std::set<PipelineName>& pipelines) {
        if (pipelines.empty()) return;
        const std::lock_guard telling(telling_);
        std::vector<Observation> news;
        {
            const std::lock_guard held(mutex_);
            for (const auto& name : pipelines) {
                const auto found = watched_.find(name);
                if (found != watched_.end()) look(found->second, news);
            }
        }
        if (!news.empty()) seen_(std::move(news));
    }

    // Under the lock.
    void look(Watched& watched, std::vector<Observation>& news) const {
        std::vector<Observation> all;
        const bool overdue = watched.wait_until <= clock_.steady_now();
        for (const auto& place : watched.places) {
            auto seen = look_at(*watched.pipeline, place);
            if (!seen) {
                if (!watched.told && !overdue) return;
                seen = blank(*watched.pipeline, place);
                seen->sight = Sight::Blind;
                seen->error = "Target cluster client is not synced";
            }
            all.push_back(std::move(*seen));
        }
        watched.told = true;
        for (auto& seen : all) {
            auto& last = watched.last[{seen.environment, seen.target}];
            const bool first = last.target.empty();
            if (!first && same_but_for_time(last, seen)) continue;
            last = seen;
            news.push_back(std::move(seen));
        }
    }

    Observation blank(const model::Pipeline& pipeline, const Place& place) const {
        Observation seen;
        seen.pipeline = pipeline.id;
        seen.environment = place.environment;
        seen.target = place.target;
        seen.object = {"", pipeline.app.kind, place.object.ns, place.object.name};
        seen.seen = clock_.now();
        return seen;
    }

    // Under the lock. None: it is not known yet.
    std::optional<Observation> look_at(const model::Pipeline& pipeline, const Place& place) const {
        Observation seen = blank(pipeline, place);
        const auto& cluster = place.source.cluster;
        if (!cluster.name.empty()) {
            const KubeCluster view = clusters_->of(cluster);
            if (!view.known) return std::nullopt;
            seen.sight = view.sight;
            seen.error = view.error;
            if (!view.error.empty()) return seen;
        }
        if (!options_.applications) return seen;
        const auto found = sources_.find(place.source);
        if (found == sources_.end()) return std::nullopt;
        const Source& source = *found->second;
        if (!source.trouble.empty()) {
            seen.sight = Sight::Blind;
            seen.error = source.trouble;
            return seen;
        }
        if (!source.synced) return std::nullopt;
        const auto object = source.objects.find(place.object);
        if (object == source.objects.end()) {
            seen.sight = Sight::NoObject;
            seen.error = source.plural + " \"" + place.object.name + "\" not found";
            return seen;
        }
        seen.object.api_version = object->second.api_version;
        seen.object.kind = object->second.kind;
        seen.ready = object->second.state.ready;
        seen.revision = object->second.state.revision;
        seen.error = object->second.state.error;
        return seen;
    }

    KubeClient& local_;
    const Clock& clock_;
    Metrics& metrics_;
    const KubeApplicationsOptions options_;
    const std::function<void(std::vector<Observation>)> seen_;

    std::mutex telling_;  // taken before mutex_
    mutable std::mutex mutex_;
    std::condition_variable_any woken_;
    bool reconcile_ = false;
    std::map<PipelineName, Watched> watched_;
    std::map<SourceName, std::multimap<KubeName, PipelineName>> readers_;
    std::map<SourceName, std::unique_ptr<Source>> sources_;
    std::vector<std::unique_ptr<Source>> retired_;  // ended by the thread, without the lock
    std::unique_ptr<KubeClusters> clusters_;
    std::jthread thread_;  // last
};

KubeApplications::KubeApplications(KubeClient& local, net::HttpClient& outbound, const Clock& clock,
                                   Metrics& metrics, KubeApplicationsOptions options,
                                   std::function<void(std::vector<Observation>)> seen)
    : state_(std::make_unique<State>(local, outbound, clock, metrics, options, std::move(seen))) {}

KubeApplications::~KubeApplications() = default;

void KubeApplications::set_pipelines(
    const std::vector<std::shared_ptr<const model::Pipeline>>& pipelines) {
    state_->set_pipelines(pipelines);
}

}  // namespace promotiond::platform
