#include "platform/kubernetes_status.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/log.hpp"

namespace promotiond::platform {
namespace {

constexpr const char* kFieldManager = "promotiond";
const std::string kPart = "status";  // as /readyz names it

std::string apply_body(const model::PipelineName& name, const std::string& status) {
    boost::json::object metadata{{"name", name.name}, {"namespace", name.ns}};
    return R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline","metadata":)" +
           boost::json::serialize(metadata) + R"(,"status":)" + status + "}";
}

}  // namespace

class KubernetesStatus::State {
public:
    State(KubeClient& client, const Clock& clock, Metrics& metrics, KubernetesStatusOptions options)
        : client_(client),
          clock_(clock),
          metrics_(metrics),
          options_(std::move(options)),
          thread_([this](std::stop_token stop) { run(stop); }) {}

    ~State() {
        thread_.request_stop();
        woken_.notify_all();
    }

    void stands(const PipelineState& state) {
        const std::lock_guard held(mutex_);
        kept_[state.name].wanted = state;
        look_at(state.name);
    }

    void found(const KubeObject& object, const std::string& fault) {
        const std::lock_guard held(mutex_);
        const model::PipelineName name{object.name.ns, object.name.name};
        Kept& kept = kept_[name];
        if (!take(kept, object)) return;
        kept.fault = fault;
        kept.generation = object.generation;
        look_at(name);
    }

    void gone(const model::PipelineName& name) {
        const std::lock_guard held(mutex_);
        kept_.erase(name);
    }

private:
    struct Kept {
        PipelineState wanted;
        std::optional<std::string> current;  // as the server has it
        std::uint64_t version = 0;           // of the object that says so
        std::string fault;                   // the object cannot be read
        std::int64_t generation = 0;         // of what cannot be read
        SteadyTime due = SteadyTime::max();
        std::chrono::milliseconds pause{0};  // after failures
    };

    // Resource versions of one resource may be compared as numbers
    // (kubernetes.io/docs/reference/using-api/api-concepts, read 2026-11). False: it is older.
    static bool take(Kept& kept, const KubeObject& object) {
        std::uint64_t version = 0;
        const auto& text = object.resource_version;
        std::from_chars(text.data(), text.data() + text.size(), version);
        if (kept.current && version < kept.version) return false;
        kept.current = std::string(object.json["status"].raw());
        kept.version = version;
        return true;
    }

    // Under the lock. A failed write keeps its pause: each change would hammer the server else.
    void look_at(const model::PipelineName& name) {
        Kept& kept = kept_[name];
        if (kept.pause.count() == 0) kept.due = clock_.steady_now();
        poked_ = true;
        woken_.notify_all();
    }

    void run(const std::stop_token& stop) {
        const auto poked = [this] { return std::exchange(poked_, false); };
        std::unique_lock held(mutex_);
        while (!stop.stop_requested()) {
            const auto next = std::min_element(
                kept_.begin(), kept_.end(),
                [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
            const auto now = clock_.steady_now();
            if (next != kept_.end() && next->second.due <= now) {
                write(next->first, held, stop);
            } else if (next != kept_.end() && next->second.due != SteadyTime::max()) {
                woken_.wait_for(held, stop, next->second.due - now, poked);
            } else {
                woken_.wait(held, stop, poked);
            }
        }
    }

    // Under the lock, which it lets go while it asks the server.
    void write(model::PipelineName name, std::unique_lock<std::mutex>& held,
               const std::stop_token& stop) {
        Kept& kept = kept_[name];
        kept.due = SteadyTime::max();
        const std::string fault = kept.fault;
        if (!kept.current || (kept.wanted.pipeline == nullptr && fault.empty())) {
            kept.pause = {};
            return;
        }
        const PipelineState state = kept.wanted;
        const std::string current = *kept.current;
        const auto generation = kept.generation;
        held.unlock();
        const std::string status =
            fault.empty() ? pipeline_status(state, current, options_.view, clock_.now())
                          : faulty_status(fault, generation, current, clock_.now());
        if (status.empty() || says_already(current, status)) {
            held.lock();
            if (const auto found = kept_.find(name); found != kept_.end()) found->second.pause = {};
            return;
        }
        if (options_.may_write && !options_.may_write()) {
            held.lock();
            // Asked again, for a new leader may not write yet.
            if (const auto found = kept_.find(name); found != kept_.end())
                found->second.due = clock_.steady_now() + options_.pause_first;
            return;
        }
        // An object of the wrong types cannot be applied to, as that reads all of it; and an apply
        // takes nothing away that another field manager wrote.
        const std::string leftover = leftovers(current, status);
        const bool apply = fault.empty() && leftover.empty();
        const std::string& merged = leftover.empty() ? status : leftover;
        const auto written = client_.patch(
            kPipelines, {name.ns, name.name}, apply ? KubePatchKind::Apply : KubePatchKind::Merge,
            apply ? apply_body(name, status) : R"({"status":)" + merged + "}",
            {.subresource = "status", .field_manager = kFieldManager, .force = apply},
            {.stop = stop});
        count(written ? "written" : std::string(name_of(written.error().reason)));
        if (written && fault.empty() && options_.written) options_.written(state);
        held.lock();
        conclude(name, written);
    }

    // Under the lock.
    void conclude(const model::PipelineName& name, const KubeResult<std::string>& written) {
        const auto found = kept_.find(name);
        if (found == kept_.end()) return;
        Kept& kept = found->second;
        if (written) {
            client_.tell(kPart, nullptr);
            kept.pause = {};
            // The watch tells the same soon; until then this keeps a second write from going out.
            if (const auto object = kube_object(JsonView(*written))) (void)take(kept, *object);
            return;
        }
        const KubeError& error = written.error();
        if (error.reason == KubeReason::Cancelled || error.reason == KubeReason::NotFound) {
            kept.pause = {};
            return;
        }
        if (error.reason == KubeReason::Forbidden) client_.tell(kPart, &error);
        if (kept.pause.count() == 0) {
            log::warn("PROMO-5105", "the status of a Pipeline could not be written; tried again",
                      {{"pipeline", name.text()}, {"reason", error.error.message}});
        }
        kept.pause = std::clamp(kept.pause * 2, options_.pause_first, options_.pause_most);
        kept.due = clock_.steady_now() + error.error.retry_after.value_or(kept.pause);
    }

    void count(const std::string& result) {
        metrics_
            .counter("promotiond_status_writes_total", "Writes of Pipelines' status, by result",
                     {{"result", result}})
            .add();
    }

    KubeClient& client_;
    const Clock& clock_;
    Metrics& metrics_;
    const KubernetesStatusOptions options_;

    std::mutex mutex_;
    std::condition_variable_any woken_;
    bool poked_ = false;
    std::map<model::PipelineName, Kept> kept_;
    std::jthread thread_;  // last
};

KubernetesStatus::KubernetesStatus(KubeClient& client, const Clock& clock, Metrics& metrics,
                                   KubernetesStatusOptions options)
    : state_(std::make_unique<State>(client, clock, metrics, std::move(options))) {}

KubernetesStatus::~KubernetesStatus() = default;

void KubernetesStatus::stands(const PipelineState& state) { state_->stands(state); }

void KubernetesStatus::found(const KubeObject& object, const std::string& fault) {
    state_->found(object, fault);
}

void KubernetesStatus::gone(const model::PipelineName& name) { state_->gone(name); }

}  // namespace promotiond::platform
