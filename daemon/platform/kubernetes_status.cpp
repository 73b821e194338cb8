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
// What the server refuses for good changes with the object, which is noticed by itself.
constexpr std::chrono::milliseconds kRefusedMost = std::chrono::minutes{5};
const std::string kPart = "status";  // as /readyz names it

std::string apply_body(const model::PipelineName& name, const std::string& status) {
    boost::json::object metadata{{"name", name.name}, {"namespace", name.ns}};
    return R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline","metadata":)" +
           boost::json::serialize(metadata) + R"(,"status":)" + status + "}";
}

std::string merge_body(const std::string& status) { return R"({"status":)" + status + "}"; }

// An apply reads all of the stored object by its schema, and cannot when a definition of before let
// other types in (sigs.k8s.io/structured-merge-diff; apimachinery's managedfields, read 2026-11).
bool cannot_be_typed(const KubeError& error) {
    return error.code == 500 &&
           error.error.message.find("failed to create typed") != std::string::npos;
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
        if (kept.generation != object.generation) {
            kept.replace = false;
            kept.pause = {};
        }
        if (!kept.said.empty()) kept.writer = last_status_writer(object, kFieldManager);
        kept.fault = fault;
        kept.generation = object.generation;
        look_at(name);
    }

    void gone(const model::PipelineName& name) {
        const std::lock_guard held(mutex_);
        kept_.erase(name);
        tell_refusals_without(name);
    }

private:
    struct Kept {
        PipelineState wanted;
        std::optional<std::string> current;  // as the server has it
        std::uint64_t version = 0;           // of the object that says so
        std::string fault;                   // the object cannot be read
        std::int64_t generation = 0;         // of what cannot be read
        std::string said;                    // what was written last, or was there
        std::string writer;                  // of the status as it is now
        bool replace = false;                // what is there cannot be applied to
        StatusDispute dispute;
        SteadyTime due = SteadyTime::max();
        std::chrono::milliseconds pause{0};  // after failures
    };
    // One write, as it was decided on.
    struct Attempt {
        std::string status;
        bool again = false;  // the same was written before
        bool apply = true;   // else it is merged
        std::string writer;  // of what it overwrites
        std::string body;
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
        if (!kept.current || (kept.wanted.pipeline == nullptr && kept.fault.empty()))
            return settle(name, {});
        const Kept seen = kept;
        held.unlock();
        const Attempt attempt = attempt_of(name, seen);
        const bool nothing = attempt.status.empty() || says_already(*seen.current, attempt.status);
        const bool may = nothing || !options_.may_write || options_.may_write();
        if (nothing || !may) {
            held.lock();
            if (nothing) return settle(name, attempt.status);
            return put_off(name,
                           clock_.steady_now() + options_.pause_first);  // a new leader soon may
        }
        if (attempt.again && clock_.steady_now() < seen.dispute.next()) {
            held.lock();
            return put_off(name, seen.dispute.next());
        }
        const auto written = client_.patch(
            kPipelines, {name.ns, name.name},
            attempt.apply ? KubePatchKind::Apply : KubePatchKind::Merge, attempt.body,
            {.subresource = "status", .field_manager = kFieldManager, .force = attempt.apply},
            {.stop = stop});
        count(written ? "written" : std::string(name_of(written.error().reason)));
        if (written && seen.fault.empty() && !attempt.again && options_.written)
            options_.written(seen.wanted);
        held.lock();
        const auto found = kept_.find(name);
        if (found == kept_.end()) return;
        if (written) {
            conclude(name, found->second, attempt, *written);
        } else {
            fail(name, found->second, attempt, written.error());
        }
    }

    [[nodiscard]] Attempt attempt_of(const model::PipelineName& name, const Kept& seen) const {
        const auto status_after = [&](const std::string& before) {
            return seen.fault.empty()
                       ? pipeline_status(seen.wanted, before, options_.view, clock_.now())
                       : faulty_status(seen.fault, seen.generation, before, clock_.now());
        };
        const std::string& current = *seen.current;
        Attempt attempt;
        attempt.status = status_after(current);
        attempt.writer = seen.writer;
        if (attempt.status.empty()) return attempt;
        // What was overwritten is put back as it was, with its times.
        attempt.again = !seen.said.empty() && status_after(seen.said) == seen.said;
        if (attempt.again && !says_already(current, attempt.status)) attempt.status = seen.said;
        // An object of the wrong types cannot be applied to; and an apply takes nothing away that
        // another field manager wrote.
        const std::string leftover = leftovers(current, attempt.status);
        attempt.apply = seen.fault.empty() && !seen.replace && leftover.empty();
        if (attempt.apply) {
            attempt.body = apply_body(name, attempt.status);
        } else if (seen.fault.empty() && seen.replace) {
            attempt.body = merge_body(replacement(current, attempt.status));
        } else {
            attempt.body = merge_body(leftover.empty() ? attempt.status : leftover);
        }
        return attempt;
    }

    // Under the lock, as all of these. There is nothing to write; status: what the object says.
    void settle(const model::PipelineName& name, const std::string& status) {
        const auto found = kept_.find(name);
        if (found == kept_.end()) return;
        found->second.pause = {};
        if (!status.empty()) found->second.said = status;
        tell_refusals_without(name);
    }

    void put_off(const model::PipelineName& name, SteadyTime until) {
        const auto found = kept_.find(name);
        if (found != kept_.end()) found->second.due = until;
    }

    void conclude(const model::PipelineName& name, Kept& kept, const Attempt& attempt,
                  const std::string& answer) {
        kept.pause = {};
        kept.said = attempt.status;
        refusals_.erase(name);
        tell_refusals();
        if (attempt.again && kept.dispute.rewritten(clock_.steady_now(), options_.dispute)) {
            std::string writer = attempt.writer.empty() ? "unknown" : attempt.writer;
            if (writer == kFieldManager) writer = "another promotiond";
            log::warn("PROMO-5109",
                      "somebody else keeps overwriting the status of a Pipeline; it is put back "
                      "less and less often",
                      {{"pipeline", name.text()}, {"writer", writer}});
        }
        // The watch tells the same soon; until then this keeps a second write from going out.
        if (const auto object = kube_object(JsonView(answer))) (void)take(kept, *object);
    }

    void fail(const model::PipelineName& name, Kept& kept, const Attempt& attempt,
              const KubeError& error) {
        const auto reason = error.reason;
        if (reason == KubeReason::Cancelled || reason == KubeReason::NotFound) {
            kept.pause = {};
            return;
        }
        if (attempt.apply && cannot_be_typed(error)) {
            kept.replace = true;
            kept.due = clock_.steady_now();
            return;
        }
        if (kept.pause.count() == 0) {
            log::warn("PROMO-5105", "the status of a Pipeline could not be written; tried again",
                      {{"pipeline", name.text()}, {"reason", error.error.message}});
        }
        const bool invalid = reason == KubeReason::Invalid;
        kept.pause = std::clamp(kept.pause * 2, options_.pause_first,
                                invalid ? kRefusedMost : options_.pause_most);
        kept.due = clock_.steady_now() + error.error.retry_after.value_or(kept.pause);
        const bool lasts = reason == KubeReason::ServerError && kept.pause >= options_.pause_most;
        if (invalid || lasts || reason == KubeReason::Forbidden) {
            refusals_.insert_or_assign(name, error);
            tell_refusals();
        }
    }

    void tell_refusals() {
        client_.tell(kPart, refusals_.empty() ? nullptr : &refusals_.begin()->second);
    }
    void tell_refusals_without(const model::PipelineName& name) {
        if (refusals_.erase(name) != 0) tell_refusals();
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
    std::map<model::PipelineName, KubeError> refusals_;  // of objects that cannot be written now
    std::jthread thread_;                                // last
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
