#include "platform/kube_clusters.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "platform/base64.hpp"
#include "platform/kube_watch.hpp"

namespace promotiond::platform {
namespace {

using model::Sight;
using std::chrono::minutes;
using std::chrono::seconds;

const KubeResource kGitopsClusters{"gitops.weave.works", "v1alpha1", "gitopsclusters"};

constexpr auto kReadAgain = minutes{5};
constexpr auto kTryAgain = seconds{15};

// What a GitopsCluster says, as far as it matters here.
struct Reference {
    bool ready = false;
    std::string secret;
    std::vector<std::string> keys;  // any of them, in this order
    bool operator==(const Reference&) const = default;
};

Reference reference_of(JsonView object) {
    Reference reference;
    object.at({"status", "conditions"}).each_item([&reference](JsonView condition) {
        if (condition["type"].text() != "Ready") return true;
        reference.ready = condition["status"].text() == "True";
        return false;
    });
    if (auto capi = object.at({"spec", "capiClusterRef", "name"}).text(); !capi.empty()) {
        reference.secret = capi + "-kubeconfig";
        reference.keys = {"value"};
    } else {
        reference.secret = object.at({"spec", "secretRef", "name"}).text();
        reference.keys = {"value", "value.yaml", "kubeconfig"};
    }
    return reference;
}

std::string name_for_people(const KubeName& name) { return "GitopsCluster/" + name.text(); }

}  // namespace

class KubeClusters::State {
public:
    State(KubeClient& local, net::HttpClient& outbound, const Clock& clock, Metrics& metrics,
          std::function<void(const KubeName&)> changed)
        : local_(local),
          outbound_(outbound),
          clock_(clock),
          metrics_(metrics),
          changed_(std::move(changed)),
          thread_([this](std::stop_token stop) { run(stop); }) {}

    ~State() {
        thread_.request_stop();
        woken_.notify_all();
        thread_.join();  // it may be about to begin the watch
        watch_.reset();
    }

    void want(std::set<KubeName> names) {
        {
            const std::lock_guard held(mutex_);
            for (const auto& name : names) {
                if (!clusters_.contains(name)) clusters_[name].read_at = clock_.steady_now();
            }
            std::erase_if(clusters_,
                          [&names](const auto& entry) { return !names.contains(entry.first); });
            wanted_ = std::move(names);
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

    // Begins on this thread, since its destructor waits for handlers that take the lock.
    void start_watch() {
        KubeWatchHandler handler;
        handler.upserted = [this](const KubeObject& object) {
            const Reference reference = reference_of(object.json);
            const std::lock_guard held(mutex_);
            auto& kept = references_[object.name];
            if (kept == reference) return;
            kept = reference;
            look_now(object.name);
        };
        handler.deleted = [this](const KubeName& name) {
            const std::lock_guard held(mutex_);
            references_.erase(name);
            look_now(name);
        };
        handler.synced = [this] {
            const std::lock_guard held(mutex_);
            synced_ = true;
            look_at_all();
        };
        handler.troubled = [this](const std::optional<KubeError>& trouble) {
            const std::lock_guard held(mutex_);
            trouble_ = trouble ? trouble->error.message : std::string();
            look_at_all();
        };
        KubeWatchOptions options;
        options.resource = kGitopsClusters;
        watch_ = std::make_unique<KubeWatch>(local_, options, std::move(handler), metrics_);
    }

    // Under the lock.
    void wake() {
        poked_ = true;
        woken_.notify_all();
    }
    void look_now(const KubeName& name) {
        const auto found = clusters_.find(name);
        if (found == clusters_.end()) return;
        found->second.read_at = clock_.steady_now();
        wake();
    }
    void look_at_all() {
        for (auto& [name, entry] : clusters_) entry.read_at = clock_.steady_now();
        wake();
    }

    void run(std::stop_token stop) {
        std::unique_lock held(mutex_);
        while (!stop.stop_requested()) {
            if (!wanted_.empty() && watch_ == nullptr) {
                held.unlock();
                start_watch();
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
        if (!synced_) {
            if (trouble_.empty()) return;  // the first list is on its way
            return tell(name, blind(Sight::Blind, "cannot read GitopsClusters: " + trouble_), {},
                        held);
        }
        const auto reference = references_.find(name);
        if (reference == references_.end()) {
            return tell(name,
                        blind(Sight::NoCluster,
                              "GitopsCluster.gitops.weave.works \"" + name.name + "\" not found"),
                        {}, held);
        }
        if (!reference->second.ready) {
            return tell(name,
                        blind(Sight::ClusterNotReady,
                              "Target cluster '" + name_for_people(name) + "' not ready"),
                        {}, held);
        }
        const Reference wanted = reference->second;
        const auto client = entry.view.client;
        const auto before = entry.kubeconfig;
        held.unlock();
        auto text = kubeconfig_of(name, wanted, stop);
        KubeCluster view{true, Sight::Clear, "", client};
        bool again = false;
        if (!text) {
            view = blind(Sight::Blind, text.error().message);
            again = true;
        } else if (client == nullptr || before == nullptr ||
                   (*text)->reveal() != before->reveal()) {
            auto config = kubeconfig_from_yaml(
                (*text)->reveal(), "Secret " + name.ns + "/" + wanted.secret,
                {.context = {}, .exec_allowed = {}, .origin = KubeconfigOrigin::Secret});
            if (config) {
                view.client =
                    std::make_shared<KubeClient>(std::move(*config), outbound_, clock_, metrics_);
            } else {
                view = blind(Sight::Blind, config.error().message);
            }
        }
        held.lock();
        if (stop.stop_requested() || !clusters_.contains(name)) return;
        if (again) clusters_[name].read_at = clock_.steady_now() + kTryAgain;
        tell(name, std::move(view), text ? std::move(*text) : nullptr, held);
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
                                                        const Reference& reference,
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
    const std::function<void(const KubeName&)> changed_;

    mutable std::mutex mutex_;
    std::condition_variable_any woken_;
    std::set<KubeName> wanted_;
    std::map<KubeName, Entry> clusters_;
    std::map<KubeName, Reference> references_;  // of all GitopsClusters there are
    bool poked_ = false;
    bool synced_ = false;
    std::string trouble_;
    std::unique_ptr<KubeWatch> watch_;
    std::jthread thread_;  // last: it ends before the rest goes
};

KubeClusters::KubeClusters(KubeClient& local, net::HttpClient& outbound, const Clock& clock,
                           Metrics& metrics, std::function<void(const KubeName&)> changed)
    : state_(std::make_unique<State>(local, outbound, clock, metrics, std::move(changed))) {}

KubeClusters::~KubeClusters() = default;

void KubeClusters::want(std::set<KubeName> names) { state_->want(std::move(names)); }

KubeCluster KubeClusters::of(const KubeName& name) const { return state_->of(name); }

void KubeClusters::doubt(const KubeName& name) { state_->doubt(name); }

}  // namespace promotiond::platform
