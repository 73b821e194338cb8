#include "platform/kube_applications.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "platform/application_sources.hpp"
#include "platform/kube_clusters.hpp"

namespace promotiond::platform {
namespace {

using model::Observation;
using model::PipelineName;
using model::Sight;

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

std::vector<Place> places_of(const model::Pipeline& pipeline, bool by_namespace) {
    std::vector<Place> places;
    for (const auto& environment : pipeline.environments) {
        for (const auto& target : environment.targets) {
            SourceName source{{}, pipeline.app.group(), pipeline.app.kind};
            if (target.cluster) {
                const auto& ns = target.cluster->ns;
                source.cluster = {ns.empty() ? pipeline.id.ns : ns, target.cluster->name};
            } else if (by_namespace) {
                source.ns = target.ns;
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
        : clock_(clock),
          options_(options),
          seen_(std::move(seen)),
          sources_(local, clock, metrics, options.try_again,
                   {[this](const KubeName& cluster) { return clusters_->of(cluster).client; },
                    [this](const SourceName& source, const KubeName* object) {
                        tell(readers_of(source, object));
                    },
                    [this](const KubeName& cluster) { clusters_->doubt(cluster); }}),
          clusters_(std::make_unique<KubeClusters>(
              local, outbound, clock, metrics,
              KubeClustersOptions{.by_namespace = options.by_namespace},
              [this](const KubeName& name) { cluster_changed(name); })),
          thread_([this](const std::stop_token& stop) { run(stop); }) {}

    ~State() {
        thread_.request_stop();
        woken_.notify_all();
        thread_.join();
        // They ask the clusters, whose changes are told to them.
        sources_.stop();
    }

    void set_pipelines(const std::vector<std::shared_ptr<const model::Pipeline>>& pipelines) {
        std::set<KubeName> clusters;
        std::set<SourceName> sources;
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
                    now.places = places_of(*pipeline, options_.by_namespace);
                    now.wait_until = clock_.steady_now() + options_.first_look;
                    changed.insert(pipeline->id);
                }
                for (const auto& place : now.places) {
                    readers_[place.source].emplace(place.object, pipeline->id);
                    if (!place.source.cluster.name.empty()) clusters.insert(place.source.cluster);
                }
            }
            for (const auto& [source, readers] : readers_) sources.insert(source);
            poked_ = true;
        }
        clusters_->want(std::move(clusters));
        if (options_.applications) sources_.want(std::move(sources));
        woken_.notify_all();
        tell(changed);
    }

private:
    // Tells of those that could not be looked at in time.
    void run(const std::stop_token& stop) {
        std::unique_lock held(mutex_);
        while (!stop.stop_requested()) {
            poked_ = false;
            const auto overdue = overdue_at(clock_.steady_now());
            if (!overdue.empty()) {
                held.unlock();
                tell(overdue);
                held.lock();
                continue;
            }
            SteadyTime next = SteadyTime::max();
            for (const auto& [name, watched] : watched_) {
                if (!watched.told) next = std::min(next, watched.wait_until);
            }
            const auto poked = [this] { return poked_; };
            if (next == SteadyTime::max()) {
                woken_.wait(held, stop, poked);
            } else {
                woken_.wait_for(held, stop, next - clock_.steady_now(), poked);
            }
        }
    }

    // Under the lock.
    std::set<PipelineName> overdue_at(SteadyTime now) const {
        std::set<PipelineName> overdue;
        for (const auto& [name, watched] : watched_) {
            if (!watched.told && watched.wait_until <= now) overdue.insert(name);
        }
        return overdue;
    }

    void cluster_changed(const KubeName& cluster) {
        std::set<PipelineName> concerned;
        {
            const std::lock_guard held(mutex_);
            for (const auto& [name, readers] : readers_) {
                if (name.cluster != cluster) continue;
                for (const auto& [object, pipeline] : readers) concerned.insert(pipeline);
            }
        }
        sources_.look_at_clusters();
        tell(concerned);
    }

    std::set<PipelineName> readers_of(const SourceName& name, const KubeName* object) const {
        std::set<PipelineName> concerned;
        const std::lock_guard held(mutex_);
        const auto readers = readers_.find(name);
        if (readers == readers_.end()) return concerned;
        const auto range = object == nullptr
                               ? std::pair{readers->second.begin(), readers->second.end()}
                               : readers->second.equal_range(*object);
        for (auto each = range.first; each != range.second; ++each) concerned.insert(each->second);
        return concerned;
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
        auto view = sources_.of(place.source, place.object);
        if (!view) return std::nullopt;
        if (!view->seen) {
            const bool blind = !view->trouble.empty();
            seen.sight = blind ? Sight::Blind : Sight::NoObject;
            seen.error = std::move(blind ? view->trouble : view->missing);
            return seen;
        }
        seen.object.api_version = view->seen->api_version;
        seen.object.kind = view->seen->kind;
        seen.ready = view->seen->state.ready;
        seen.revision = view->seen->state.revision;
        seen.error = view->seen->state.error;
        return seen;
    }

    const Clock& clock_;
    const KubeApplicationsOptions options_;
    const std::function<void(std::vector<Observation>)> seen_;

    std::mutex telling_;        // taken before mutex_
    mutable std::mutex mutex_;  // taken before those of sources_ and clusters_
    std::condition_variable_any woken_;
    bool poked_ = false;
    std::map<PipelineName, Watched> watched_;
    std::map<SourceName, std::multimap<KubeName, PipelineName>> readers_;
    // They ask each other: nothing is wanted of the sources before there are clusters, and the
    // sources stop before the clusters go.
    ApplicationSources sources_;
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
