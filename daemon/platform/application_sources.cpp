#include "platform/application_sources.hpp"

#include <algorithm>

namespace promotiond::platform {
namespace {

// A server that does not know a group, or no such kind in it, lacks a definition.
KubeError of_group(const KubeClient& client, const SourceName& name, KubeError error) {
    if (error.reason == KubeReason::NotFound) {
        error.error.message = client.server_name() + " serves no kind " + name.kind + " of " +
                              name.group + "; install its definition";
    }
    return error;
}

}  // namespace

ApplicationSources::ApplicationSources(KubeClient& local, const Clock& clock, Metrics& metrics,
                                       std::chrono::milliseconds try_again, Calls calls)
    : local_(local),
      clock_(clock),
      metrics_(metrics),
      try_again_(try_again),
      calls_(std::move(calls)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ApplicationSources::~ApplicationSources() { stop(); }

void ApplicationSources::stop() {
    thread_.request_stop();
    woken_.notify_all();
    if (thread_.joinable()) thread_.join();
    // The watches end without the lock, which their handlers take.
    std::map<SourceName, std::unique_ptr<Source>> sources;
    {
        const std::lock_guard held(mutex_);
        sources.swap(sources_);
    }
    sources.clear();
    retired_.clear();
}

void ApplicationSources::want(std::set<SourceName> names) {
    {
        const std::lock_guard held(mutex_);
        wanted_ = std::move(names);
        reconcile_ = true;
    }
    woken_.notify_all();
}

void ApplicationSources::look_at_clusters() {
    {
        const std::lock_guard held(mutex_);
        reconcile_ = true;
    }
    woken_.notify_all();
}

std::optional<ApplicationView> ApplicationSources::of(const SourceName& name,
                                                      const KubeName& object) const {
    const std::lock_guard held(mutex_);
    const auto found = sources_.find(name);
    if (found == sources_.end()) return std::nullopt;
    const Source& source = *found->second;
    if (!source.trouble.empty()) return ApplicationView{source.trouble, {}, {}};
    if (!source.synced) return std::nullopt;
    const auto seen = source.objects.find(object);
    if (seen != source.objects.end()) return ApplicationView{{}, {}, seen->second};
    return ApplicationView{{}, source.plural + " \"" + object.name + "\" not found", {}};
}

// Watches are begun and ended on one thread, which handlers never wait for.
void ApplicationSources::run(const std::stop_token& stop) {
    std::unique_lock held(mutex_);
    while (!stop.stop_requested()) {
        reconcile_ = false;
        retire_unwanted();
        const auto name = next_to_start();
        held.unlock();
        retired_.clear();
        if (name) start(*name, stop);
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
void ApplicationSources::retire_unwanted() {
    for (auto each = sources_.begin(); each != sources_.end();) {
        const auto& cluster = each->first.cluster;
        const bool current = cluster.name.empty() || each->second->client == calls_.client(cluster);
        const bool wanted = wanted_.contains(each->first) && current;
        if (wanted && !each->second->unserved) {
            ++each;
            continue;
        }
        retired_.push_back(std::move(each->second));
        if (wanted) {
            each->second = successor_of(*retired_.back());
            ++each;
        } else {
            each = sources_.erase(each);
        }
    }
}

// A version of a kind goes when its definition is upgraded; where the kind is now is found out at
// once, but not all the time.
std::unique_ptr<ApplicationSources::Source> ApplicationSources::successor_of(
    const Source& unserved) const {
    auto next = std::make_unique<Source>();
    next->client = unserved.client;
    next->trouble = unserved.trouble;
    next->start_at = std::max(clock_.steady_now(), unserved.begun + try_again_);
    return next;
}

// Under the lock.
std::optional<SourceName> ApplicationSources::next_to_start() const {
    const auto now = clock_.steady_now();
    for (const auto& name : wanted_) {
        if (!name.cluster.name.empty() && calls_.client(name.cluster) == nullptr) continue;
        const auto found = sources_.find(name);
        if (found == sources_.end()) return name;
        if (found->second->watch == nullptr && found->second->start_at <= now) return name;
    }
    return std::nullopt;
}

// Under the lock.
std::optional<SteadyTime> ApplicationSources::next_time() const {
    std::optional<SteadyTime> next;
    for (const auto& [name, source] : sources_) {
        if (source->watch == nullptr && (!next || source->start_at < *next))
            next = source->start_at;
    }
    return next;
}

void ApplicationSources::start(const SourceName& name, const std::stop_token& stop) {
    auto made = std::make_unique<Source>();
    Source* const source = made.get();  // ended on this thread only
    if (!name.cluster.name.empty()) {
        source->client = calls_.client(name.cluster);
        if (source->client == nullptr) return;
    }
    KubeClient& client = source->client ? *source->client : local_;
    auto resource = resource_of(client, name, stop);
    {
        const std::lock_guard held(mutex_);
        if (!wanted_.contains(name)) return;
        sources_[name] = std::move(made);
        if (!resource) {
            source->trouble = resource.error().error.message;
            source->start_at = clock_.steady_now() + try_again_;
        } else {
            source->plural = resource->text();
            source->begun = clock_.steady_now();
        }
    }
    if (!resource) {
        calls_.changed(name, nullptr);
        const bool answered = resource.error().reason == KubeReason::NotFound;
        if (!answered && !name.cluster.name.empty()) calls_.doubt(name.cluster);
        return;
    }
    auto watch = begin(client, *resource, name, *source);
    const std::lock_guard held(mutex_);
    source->watch = std::move(watch);
}

// The version that the server prefers, or the first one after it that has the kind.
KubeResult<KubeResource> ApplicationSources::resource_of(KubeClient& client, const SourceName& name,
                                                         const std::stop_token& stop) {
    if (name.group.empty()) return client.resource_of("v1", name.kind, {.stop = stop});
    auto group = client.get_path("/apis/" + url_encoded(name.group), {.stop = stop});
    if (!group) return of_group(client, name, std::move(group).error());
    const JsonView read(*group);
    std::vector<std::string> versions{read.at({"preferredVersion", "groupVersion"}).text()};
    read["versions"].each_item([&](JsonView version) {
        versions.push_back(version["groupVersion"].text());
        return true;
    });
    for (const auto& version : versions) {
        auto resource = client.resource_of(version, name.kind, {.stop = stop});
        if (resource || resource.error().reason != KubeReason::NotFound) return resource;
    }
    return of_group(client, name, {KubeReason::NotFound, 0, {ErrorKind::NotFound, ""}});
}

std::unique_ptr<KubeWatch> ApplicationSources::begin(KubeClient& client,
                                                     const KubeResource& resource,
                                                     const SourceName& name, Source& source) {
    KubeWatchHandler handler;
    handler.upserted = [this, name, &source](const KubeObject& object) {
        SeenApplication seen{application_state(object.json), object.json["apiVersion"].text(),
                             object.json["kind"].text()};
        change(name, source, &object.name,
               [&](Source& of) { of.objects[object.name] = std::move(seen); });
    };
    handler.deleted = [this, name, &source](const KubeName& object) {
        change(name, source, &object, [&](Source& of) { of.objects.erase(object); });
    };
    handler.synced = [this, name, &source] {
        change(name, source, nullptr, [](Source& of) { of.synced = true; });
    };
    handler.troubled = [this, name, &source](const std::optional<KubeError>& trouble) {
        change(name, source, nullptr, [&](Source& of) {
            of.trouble = trouble ? trouble->error.message : std::string();
            of.unserved = trouble && trouble->reason == KubeReason::NotFound;
            reconcile_ = reconcile_ || of.unserved;
        });
        woken_.notify_all();
        if (trouble && !name.cluster.name.empty()) calls_.doubt(name.cluster);
    };
    KubeWatchOptions options;
    options.resource = resource;
    options.selection.ns = name.ns;
    return std::make_unique<KubeWatch>(client, options, std::move(handler), metrics_);
}

// object null: it concerns all of the source.
void ApplicationSources::change(const SourceName& name, Source& source, const KubeName* object,
                                const std::function<void(Source&)>& apply) {
    {
        const std::lock_guard held(mutex_);
        apply(source);
        if (object != nullptr && !source.synced) return;  // the list is told as a whole
    }
    calls_.changed(name, object);
}

}  // namespace promotiond::platform
