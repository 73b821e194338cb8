#include "platform/kubernetes_status.hpp"

#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "platform/status_write.hpp"

namespace promotiond::platform {
namespace {

constexpr const char* kFieldManager = "promotiond";
// What the server refuses for good changes with the object, which is noticed by itself.
constexpr std::chrono::milliseconds kRefusedMost = std::chrono::minutes{5};
const std::string kPart = "status";  // as /readyz names it

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
        : client_(client), clock_(clock), metrics_(metrics), options_(std::move(options)) {
        for (std::size_t i = 0; i < options_.at_once; ++i)
            writers_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    }

    ~State() {
        for (auto& writer : writers_) writer.request_stop();
        for (auto& writer : writers_) writer.join();
    }

    void stands(const PipelineState& state) {
        const std::lock_guard held(mutex_);
        Kept& kept = kept_[state.name];
        kept.known.wanted = state;
        look_at(state.name, kept);
    }

    void found(const KubeObject& object, const std::string& fault) {
        const std::lock_guard held(mutex_);
        const model::PipelineName name{object.name.ns, object.name.name};
        Kept& kept = kept_[name];
        if (!take(kept, object)) return;
        if (kept.known.generation != object.generation) {
            kept.known.replace = false;
            kept.pause = {};
        }
        if (!kept.known.said.empty()) kept.writer = last_status_writer(object, kFieldManager);
        kept.known.fault = fault;
        kept.known.generation = object.generation;
        look_at(name, kept);
    }

    void gone(const model::PipelineName& name) {
        const std::lock_guard held(mutex_);
        const auto found = kept_.find(name);
        if (found != kept_.end()) {
            due_.erase({found->second.due, name});
            kept_.erase(found);
        }
        tell_refusals_without(name);
    }

private:
    struct Kept {
        KnownStatus known;
        std::uint64_t version = 0;  // of the object that says known.current
        std::string writer;         // of the status as it is now
        StatusDispute dispute;
        SteadyTime due = SteadyTime::max();
        std::chrono::milliseconds pause{0};  // after failures
        bool passed_over = false;            // something new came in that pause
    };

    // Resource versions of one resource may be compared as numbers
    // (kubernetes.io/docs/reference/using-api/api-concepts, read 2026-11). False: it is older.
    static bool take(Kept& kept, const KubeObject& object) {
        std::uint64_t version = 0;
        const auto& text = object.resource_version;
        std::from_chars(text.data(), text.data() + text.size(), version);
        if (kept.known.current && version < kept.version) return false;
        kept.known.current = std::string(object.json["status"].raw());
        kept.version = version;
        return true;
    }

    // Under the lock, as all of these. A failed write keeps its pause: each change would hammer the
    // server else.
    void look_at(const model::PipelineName& name, Kept& kept) {
        kept.passed_over = kept.pause.count() != 0;
        if (!kept.passed_over) plan(name, kept, std::min(kept.due, clock_.steady_now()));
    }

    void end_pause(const model::PipelineName& name, Kept& kept) {
        kept.pause = {};
        if (kept.passed_over) look_at(name, kept);
    }

    // What is written now comes to its turn when that is done.
    void plan(const model::PipelineName& name, Kept& kept, SteadyTime due) {
        due_.erase({kept.due, name});
        kept.due = due;
        if (due == SteadyTime::max() || writing_.contains(name)) return;
        due_.emplace(due, name);
        woken_.notify_one();
    }

    void run(const std::stop_token& stop) {
        pthread_setname_np(pthread_self(), "status");
        std::unique_lock held(mutex_);
        while (!stop.stop_requested()) {
            if (due_.empty()) {
                woken_.wait(held, stop, [this] { return !due_.empty(); });
                continue;
            }
            const auto next = due_.begin()->first;
            const auto now = clock_.steady_now();
            if (next > now) {
                woken_.wait_for(held, stop, next - now, [&] {
                    return due_.empty() || due_.begin()->first != next ||
                           next <= clock_.steady_now();
                });
                continue;
            }
            const auto name = due_.begin()->second;
            due_.erase(due_.begin());
            if (!due_.empty()) woken_.notify_one();  // for another writer
            kept_.at(name).due = SteadyTime::max();
            writing_.insert(name);
            write(name, held, stop);
            writing_.erase(name);
            const auto kept = kept_.find(name);
            if (kept != kept_.end()) plan(name, kept->second, kept->second.due);
        }
    }

    // Lets the lock go while it asks the server.
    void write(const model::PipelineName& name, std::unique_lock<std::mutex>& held,
               const std::stop_token& stop) {
        Kept& now = kept_.at(name);
        now.passed_over = false;
        const Kept seen = now;
        held.unlock();
        const auto write = status_write(name, seen.known, options_.view, clock_.now());
        const bool needed = write && write->needed;
        const bool may = !needed || !options_.may_write || options_.may_write();
        const bool early = needed && write->again && clock_.steady_now() < seen.dispute.next();
        if (!needed || !may || early) {
            held.lock();
            if (!needed) return settle(name, write ? write->status : "");
            // A new leader soon may.
            return put_off(name,
                           may ? seen.dispute.next() : clock_.steady_now() + options_.pause_first);
        }
        const auto written =
            client_.patch(kPipelines, {name.ns, name.name}, write->kind, write->body,
                          {.subresource = "status",
                           .field_manager = kFieldManager,
                           .force = write->kind == KubePatchKind::Apply},
                          {.stop = stop});
        count(written ? "written" : std::string(name_of(written.error().reason)));
        if (written && seen.known.fault.empty() && !write->again && options_.written)
            options_.written(seen.known.wanted);
        held.lock();
        const auto found = kept_.find(name);
        if (found == kept_.end()) return;
        if (written) {
            conclude(name, found->second, *write, seen.writer, *written);
        } else {
            fail(name, found->second, *write, written.error());
        }
    }

    // There is nothing to write; status: what the object says.
    void settle(const model::PipelineName& name, const std::string& status) {
        const auto found = kept_.find(name);
        if (found == kept_.end()) return;
        end_pause(name, found->second);
        if (!status.empty()) found->second.known.said = status;
        tell_refusals_without(name);
    }

    void put_off(const model::PipelineName& name, SteadyTime until) {
        const auto found = kept_.find(name);
        if (found == kept_.end()) return;
        plan(name, found->second, std::min(found->second.due, until));  // unless there is news
    }

    void conclude(const model::PipelineName& name, Kept& kept, const StatusWrite& write,
                  const std::string& overwritten, const std::string& answer) {
        end_pause(name, kept);
        kept.known.said = write.status;
        refusals_.erase(name);
        tell_refusals();
        if (write.again && kept.dispute.rewritten(clock_.steady_now(), options_.dispute)) {
            std::string writer = overwritten.empty() ? "unknown" : overwritten;
            if (writer == kFieldManager) writer = "another promotiond";
            log::warn("PROMO-5109",
                      "somebody else keeps overwriting the status of a Pipeline; it is put back "
                      "less and less often",
                      {{"pipeline", name.text()}, {"writer", writer}});
        }
        // The watch tells the same soon; until then this keeps a second write from going out.
        if (const auto object = kube_object(JsonView(answer))) (void)take(kept, *object);
    }

    void fail(const model::PipelineName& name, Kept& kept, const StatusWrite& write,
              const KubeError& error) {
        const auto reason = error.reason;
        if (reason == KubeReason::Cancelled || reason == KubeReason::NotFound)
            return end_pause(name, kept);
        if (write.kind == KubePatchKind::Apply && cannot_be_typed(error)) {
            kept.known.replace = true;
            plan(name, kept, clock_.steady_now());
            return;
        }
        if (kept.pause.count() == 0) {
            log::warn("PROMO-5105", "the status of a Pipeline could not be written; tried again",
                      {{"pipeline", name.text()}, {"reason", error.error.message}});
        }
        const bool invalid = reason == KubeReason::Invalid;
        kept.pause = std::clamp(kept.pause * 2, options_.pause_first,
                                invalid ? kRefusedMost : options_.pause_most);
        plan(name, kept, clock_.steady_now() + error.error.retry_after.value_or(kept.pause));
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
    // Invariant: mutex_ guards the following four; a name is in one of due_ and writing_ at most.
    std::map<model::PipelineName, Kept> kept_;
    std::set<std::pair<SteadyTime, model::PipelineName>> due_;
    std::set<model::PipelineName> writing_;
    std::map<model::PipelineName, KubeError> refusals_;  // of objects that cannot be written now
    std::vector<std::jthread> writers_;                  // last
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
