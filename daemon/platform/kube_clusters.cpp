#include "platform/kube_clusters.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "platform/base64.hpp"
#include "platform/cluster_references.hpp"

namespace promotiond::platform {
namespace {

using model::Sight;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr auto kReadAgain = minutes{5};
constexpr auto kTryAgain = seconds{15};

std::string name_for_people(const KubeName& name) { return "GitopsCluster/" + name.text(); }

}  // namespace

class KubeClusters::State {
public:
    State(KubeClient& local, net::HttpClient& outbound, const Clock& clock, Metrics& metrics,
          KubeClustersOptions options, std::function<void(const KubeName&)> changed)
        : local_(local),
          outbound_(outbound),
          clock_(clock),
          metrics_(metrics),
          options_(options),
          changed_(std::move(changed)),
          references_(std::make_unique<ClusterReferences>(
              local, metrics, [this](const KubeName* name) { look_soon(name); })),
          thread_([this](std::stop_token stop) { run(stop); }) {}

    ~State() {
        thread_.request_stop();
        woken_.notify_all();
        thread_.join();  // it begins watches
        references_.reset();
    }

    void want(std::set<KubeName> names) {
        {
            const std::lock_guard held(mutex_);
            for (const auto& name : names) {
                if (!clusters_.contains(name)) clusters_[name].read_at = clock_.steady_now();
            }
            std::erase_if(clusters_,
                          [&names](const auto& entry) { return !names.contains(entry.first); });
            watched_.clear();
            for (const auto& name : names) watched_.insert(options_.by_namespace ? name.ns : "");
            wake();
        }
    }

    KubeCluster of(const KubeName& name) const {
        const std::lock_guard held(mutex_);
        const auto found = clusters_.find(name);
        return found == clusters_.end() ? KubeCluster{} : found->second.view;
    }

    void doubt(const KubeName& name) {
        {
            const std::lock_guard held(mutex_);
            const auto found = clusters_.find(name);
            if (found == clusters_.end()) return;
            const auto soon = clock_.steady_now() + kTryAgain;
            found->second.read_at = std::min(found->second.read_at, soon);
            wake();
        }
    }

private:
    struct Entry {
        KubeCluster view;
        std::shared_ptr<const Secret> kubeconfig;  // of view.client
        SteadyTime read_at{};                      // look at it again
    };

    // Under the lock.
    void wake() {
        poked_ = true;
        woken_.notify_all();
    }
    // What is said of this cluster, or of all of them, is another thing.
    void look_soon(const KubeName* name) {
        const std::lock_guard held(mutex_);
        for (auto& [cluster, entry] : clusters_) {
            if (name == nullptr || cluster == *name) entry.read_at = clock_.steady_now();
        }
        wake();
    }

    void run(std::stop_token stop) {
        std::set<std::string> watching;
        std::unique_lock held(mutex_);
        while (!stop.stop_requested()) {
            if (watching != watched_) {
                watching = watched_;
                held.unlock();
                references_->want(watching);
                held.lock();
            }
            const auto poked = [this] { return std::exchange(poked_, false); };
            const auto now = clock_.steady_now();
            std::optional<KubeName> due;
            std::optional<SteadyTime> next;
            for (const auto& [name, entry] : clusters_) {
                if (entry.read_at <= now) due = name;
                if (!next || entry.read_at < *next) next = entry.read_at;
            }
            if (due) {
                look_at(*due, held, stop);
            } else if (next) {
                woken_.wait_for(held, stop, *next - now, poked);
            } else {
                woken_.wait(held, stop, poked);
            }
        }
    }

    // Under the lock, which it lets go while it asks.
    void look_at(const KubeName& name, std::unique_lock<std::mutex>& held,
                 const std::stop_token& stop) {
        auto& entry = clusters_[name];
        entry.read_at = clock_.steady_now() + kReadAgain;
        const auto view = references_->of(name);
        if (!view.known) {
            if (view.trouble.empty()) return;  // the first list is on its way
            return tell(name, blind(Sight::Blind, "cannot read GitopsClusters: " + view.trouble),
                        {}, held);
        }
        if (!view.reference) {
            return tell(name,
                        blind(Sight::NoCluster,
                              "GitopsCluster.gitops.weave.works \"" + name.name + "\" not found"),
                        {}, held);
        }
        if (!view.reference->ready) {
            return tell(name,
                        blind(Sight::ClusterNotReady,
                              "Target cluster '" + name_for_people(name) + "' not ready"),
                        {}, held);
        }
        const ClusterReference& wanted = *view.reference;
        const auto client = entry.view.client;
        const auto before = entry.kubeconfig;
        held.unlock();
        auto text = kubeconfig_of(name, wanted, stop);
        KubeCluster seen{true, Sight::Clear, "", client};
        bool again = false;
        if (!text) {
            seen = blind(Sight::Blind, text.error().message);
            again = true;
        } else if (client == nullptr || before == nullptr ||
                   (*text)->reveal() != before->reveal()) {
            auto config = kubeconfig_from_yaml(
                (*text)->reveal(), "Secret " + name.ns + "/" + wanted.secret,
                {.context = {}, .exec_allowed = {}, .origin = KubeconfigOrigin::Secret});
            if (config) {
                seen.client =
                    std::make_shared<KubeClient>(std::move(*config), outbound_, clock_, metrics_);
            } else {
                seen = blind(Sight::Blind, config.error().message);
            }
        }
        held.lock();
        if (stop.stop_requested() || !clusters_.contains(name)) return;
        if (again) clusters_[name].read_at = clock_.steady_now() + kTryAgain;
        tell(name, std::move(seen), text ? std::move(*text) : nullptr, held);
    }

    static KubeCluster blind(Sight sight, std::string error) {
        return {true, sight, std::move(error), nullptr};
    }

    // Under the lock, which it lets go while it tells.
    void tell(const KubeName& name, KubeCluster view, std::shared_ptr<const Secret> kubeconfig,
              std::unique_lock<std::mutex>& held) {
        auto& entry = clusters_[name];
        const bool same = entry.view.known && entry.view.sight == view.sight &&
                          entry.view.error == view.error && entry.view.client == view.client;
        entry.view = std::move(view);
        entry.kubeconfig = std::move(kubeconfig);
        if (same) return;
        const std::string error = entry.view.error;
        held.unlock();
        if (error.empty()) {
            log::info("PROMO-5103", "cluster in reach", {{"cluster", name.text()}});
        } else {
            log::warn("PROMO-5104", "cluster out of reach; what runs there is not seen",
                      {{"cluster", name.text()}, {"reason", error}});
        }
        changed_(name);
        held.lock();
    }

    Result<std::shared_ptr<const Secret>> kubeconfig_of(const KubeName& name,
                                                        const ClusterReference& reference,
                                                        const std::stop_token& stop) {
        const auto wrong = [&](std::string what) {
            return Error{ErrorKind::Invalid, name_for_people(name) + ": " + std::move(what)};
        };
        if (reference.secret.empty()) {
            return wrong("it has neither secretRef nor capiClusterRef");
        }
        auto secret = local_.get(kSecrets, {name.ns, reference.secret}, {.stop = stop});
        if (!secret) return context(secret.error().error, name_for_people(name));
        const JsonView values = JsonView(*secret)["data"];
        std::string keys;
        for (const auto& key : reference.keys) {
            if (const JsonView value = values[key]) {
                auto decoded = base64_decoded(value.text());
                if (!decoded) return wrong("key " + key + " of its Secret is not base64");
                return std::make_shared<const Secret>(std::move(*decoded));
            }
            keys += (keys.empty() ? "" : ", ") + key;
        }
        return wrong("Secret " + name.ns + "/" + reference.secret + " has no key " + keys);
    }

    KubeClient& local_;
    net::HttpClient& outbound_;
    const Clock& clock_;
    Metrics& metrics_;
    const KubeClustersOptions options_;
    const std::function<void(const KubeName&)> changed_;

    mutable std::mutex mutex_;
    std::condition_variable_any woken_;
    std::map<KubeName, Entry> clusters_;
    std::set<std::string> watched_;  // namespaces, "" = all
    bool poked_ = false;
    std::unique_ptr<ClusterReferences> references_;
    std::jthread thread_;  // last: it ends before the rest goes
};

KubeClusters::KubeClusters(KubeClient& local, net::HttpClient& outbound, const Clock& clock,
                           Metrics& metrics, KubeClustersOptions options,
                           std::function<void(const KubeName&)> changed)
    : state_(
          std::make_unique<State>(local, outbound, clock, metrics, options, std::move(changed))) {}

KubeClusters::~KubeClusters() = default;

void KubeClusters::want(std::set<KubeName> names) { state_->want(std::move(names)); }

KubeCluster KubeClusters::of(const KubeName& name) const { return state_->of(name); }

void KubeClusters::doubt(const KubeName& name) { state_->doubt(name); }

}  // namespace promotiond::platform
