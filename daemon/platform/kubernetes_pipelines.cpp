#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "model/codec.hpp"
#include "platform/kube_watch.hpp"
#include "platform/kubernetes.hpp"

namespace promotiond::platform {
namespace {

using PipelinePtr = std::shared_ptr<const model::Pipeline>;

std::string place_of(const KubeName& name) { return name.text() + " in Kubernetes"; }

class KubePipelines final : public PipelineSource {
public:
    KubePipelines(KubeClient& client, KubePipelinesOptions options, Metrics& metrics)
        : client_(client), options_(std::move(options)), metrics_(metrics) {
        if (options_.namespaces.empty()) options_.namespaces.emplace_back();  // all
    }
    ~KubePipelines() override {
        watches_.clear();
        publisher_.request_stop();
        if (publisher_.joinable()) publisher_.join();
    }

    Result<void> start(std::function<void(Pipelines)> changed) override {
        changed_ = std::move(changed);
        {
            const std::lock_guard held(mutex_);
            unsynced_ = options_.namespaces.size();
            for (const auto& ns : options_.namespaces) troubles_[ns];
        }
        for (const auto& ns : options_.namespaces) watches_.push_back(watch(ns));
        {
            std::unique_lock lock(mutex_);
            (void)woken_.wait_for(lock, options_.first_list,
                                  [this] { return unsynced_ == 0 || in_trouble(); });
        }
        publish();
        publisher_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
        return {};
    }

private:
    // What is known of one object. The Pipeline is that of its last good version.
    struct Known {
        std::string uid;
        std::int64_t generation = 0;
        PipelinePtr pipeline;
        std::optional<Problem> problem;
    };

    std::unique_ptr<KubeWatch> watch(const std::string& ns) {
        KubeWatchOptions options;
        options.resource = kPipelines;
        options.selection = {.ns = ns, .labels = options_.selector};
        KubeWatchHandler handler;
        handler.upserted = [this](const KubeObject& object) {
            if (object.deleting) return forget(object.name);
            const std::string fault = upsert(object);
            if (options_.object) options_.object(object, fault);
        };
        handler.deleted = [this](const KubeName& name) { forget(name); };
        handler.synced = [this, first = true]() mutable {
            if (!std::exchange(first, false)) return;
            change([this] { --unsynced_; });
        };
        handler.troubled = [this, ns](const std::optional<KubeError>& trouble) {
            change([&] { troubles_[ns] = trouble; });
        };
        return std::make_unique<KubeWatch>(client_, std::move(options), std::move(handler),
                                           metrics_);
    }

    void forget(const KubeName& name) {
        if (options_.gone) options_.gone(name);
        change([&] { known_.erase(name); });
    }

    // Why it cannot be read; empty: it can.
    std::string upsert(const KubeObject& object) {
        {
            // Status and labels change often; the spec has not if its generation is the same.
            const std::lock_guard held(mutex_);
            const auto known = known_.find(object.name);
            if (known != known_.end() && object.generation != 0 &&
                known->second.uid == object.uid && known->second.generation == object.generation)
                return known->second.problem ? known->second.problem->message : "";
        }
        const auto place = place_of(object.name);
        auto read = model::pipeline_from_json(object.json.raw(), place);
        const std::string fault = read ? "" : read.error().message;
        change([&] {
            Known& known = known_[object.name];
            known.uid = object.uid;
            known.generation = object.generation;
            known.problem.reset();
            if (read) {
                known.pipeline = std::make_shared<const model::Pipeline>(std::move(*read));
            } else {
                known.problem = Problem{{place, 0, 0}, fault};
            }
        });
        return fault;
    }

    template <class Change>
    void change(Change make) {
        {
            const std::lock_guard held(mutex_);
            make();
            dirty_ = true;
        }
        woken_.notify_all();
    }

    // Publishes what was gathered, when there is something to tell.
    void run(const std::stop_token& stop) {
        while (true) {
            std::unique_lock lock(mutex_);
            if (!woken_.wait(lock, stop, [this] { return dirty_ && ready(); })) return;
            (void)woken_.wait_for(lock, stop, options_.gather, [] { return false; });
            if (stop.stop_requested()) return;
            lock.unlock();
            publish();
        }
    }

    void publish() {
        Pipelines all;
        {
            const std::lock_guard held(mutex_);
            dirty_ = false;
            for (const auto& [ns, trouble] : troubles_) {
                if (trouble)
                    all.problems.push_back({{kKubernetesPlace, 0, 0}, trouble->error.message});
            }
            if (unsynced_ != 0 && all.problems.empty()) {
                all.problems.push_back({{kKubernetesPlace, 0, 0},
                                        "the Pipelines at " + client_.server_name() +
                                            " have not been read yet; they will be as soon as "
                                            "the server answers"});
            }
            for (const auto& [name, known] : known_) {
                if (known.pipeline) all.all.push_back(known.pipeline);
                if (known.problem) all.problems.push_back(*known.problem);
            }
        }
        changed_(std::move(all));
        if (options_.readiness != nullptr) tell(*options_.readiness);
    }

    // Ready is said only after what was read has been told. A namespace that may not be read keeps
    // nobody waiting, as long as there is another one.
    void tell(Readiness& readiness) {
        static const std::string kPart = "pipelines";
        const std::lock_guard held(mutex_);
        std::size_t refused = 0;
        std::string trouble;
        for (const auto& [ns, each] : troubles_) {
            if (!each) continue;
            trouble = each->error.message;
            if (each->reason == KubeReason::Forbidden) ++refused;
        }
        if (unsynced_ > refused || (unsynced_ != 0 && refused == troubles_.size())) {
            readiness.not_ready(kPart, trouble.empty() ? "they have not been read yet" : trouble);
        } else if (!trouble.empty()) {
            readiness.degraded(kPart, trouble);
        } else {
            readiness.ready(kPart);
        }
    }

    // A half-read list is not told, or each Pipeline of thousands would be told alone.
    [[nodiscard]] bool ready() const { return unsynced_ == 0 || in_trouble(); }
    [[nodiscard]] bool in_trouble() const {
        for (const auto& [ns, trouble] : troubles_) {
            if (trouble) return true;
        }
        return false;
    }

    KubeClient& client_;
    KubePipelinesOptions options_;
    Metrics& metrics_;
    std::function<void(Pipelines)> changed_;
    std::mutex mutex_;
    std::condition_variable_any woken_;
    // Invariant: mutex_ guards the following four.
    std::map<KubeName, Known> known_;
    std::map<std::string, std::optional<KubeError>> troubles_;  // by namespace watched
    std::size_t unsynced_ = 0;                                  // watches without a complete list
    bool dirty_ = false;
    std::jthread publisher_;
    std::vector<std::unique_ptr<KubeWatch>> watches_;
};

}  // namespace

std::unique_ptr<PipelineSource> kube_pipelines(KubeClient& client, KubePipelinesOptions options,
                                               Metrics& metrics) {
    return std::make_unique<KubePipelines>(client, std::move(options), metrics);
}

Result<KubeConfig> kube_config(const KubernetesOptions& options) {
    if (options.kubeconfig.empty()) return in_cluster_config(in_cluster_from_environment());
    return load_kubeconfig(options.kubeconfig,
                           {.context = options.context, .exec_allowed = options.exec_allowed});
}

}  // namespace promotiond::platform
