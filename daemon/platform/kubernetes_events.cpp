#include "platform/kubernetes_events.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "model/codec.hpp"
#include "platform/kube_object.hpp"
#include "platform/text_cut.hpp"

namespace promotiond::platform {
namespace {

using model::Phase;
using model::Sight;

const KubeResource kEvents{"events.k8s.io", "v1", "events"};

// events.k8s.io/v1 Event (k8s.io/api/events/v1/types.go, read 2026-11).
constexpr std::size_t kLongestNote = 1'024;
constexpr std::size_t kLongestName = 253;

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](unsigned char each) {
        return static_cast<char>(each >= 'A' && each <= 'Z' ? each - 'A' + 'a' : each);
    });
    return result;
}

// A DNS subdomain that differs where the texts differ, near enough for a name.
std::string name_of(std::string_view kind, const std::string& text, std::string_view what) {
    const auto number = std::hash<std::string>{}(text);
    return std::string(kind) + "." + std::to_string(number) + "." + lower(what);
}

std::string reason_of(const model::Promotion& promotion, Phase phase) {
    // pipeline-controller's notification strategy told each promotion like this.
    if (phase == Phase::Succeeded && promotion.strategy == "notification") return "Promote";
    return "Promotion" + std::string(name_of(phase));
}

std::string message_of(const model::Promotion& promotion, const model::Transition& step) {
    const auto& scope = promotion.scope;
    if (step.to == Phase::Succeeded && promotion.strategy == "notification") {
        return "Promote pipeline " + scope.pipeline.text() + " to " + scope.environment +
               " with version " + promotion.revision;
    }
    std::string message = promotion.revision + " to " + scope.environment;
    if (!scope.target.empty()) message += " (" + scope.target + ")";
    message += ": " + (step.reason.empty() ? lower(name_of(step.to)) : step.reason);
    if (step.to == Phase::Pending && !promotion.location.empty()) {
        message += ": " + promotion.location;
    }
    return message;
}

}  // namespace

PipelineEvent event_of_step(const model::Promotion& promotion, const model::Transition& step) {
    PipelineEvent event;
    event.name = promotion.id + "." + lower(name_of(step.to)) + "." +
                 std::to_string(step.at.time_since_epoch().count());
    event.warning = step.to == Phase::Failed;
    event.reason = reason_of(promotion, step.to);
    event.action = "Promote";
    event.message = message_of(promotion, step);
    return event;
}

PipelineEvent event_of_sight(const model::Observation& seen) {
    PipelineEvent event;
    event.warning = true;
    event.action = "Observe";
    const bool cluster = seen.sight == Sight::NoCluster || seen.sight == Sight::ClusterNotReady;
    event.reason = cluster ? "GetClusterError" : "GetAppError";
    const auto slash = seen.target.find('/');
    const std::string at = slash == std::string::npos ? "" : seen.target.substr(0, slash);
    if (cluster) {
        event.message = "Failed to get cluster " + at + " for pipeline " + seen.pipeline.text() +
                        ": " + seen.error;
    } else {
        event.message = "Failed to get application object " + (at.empty() ? "" : at + ":") +
                        seen.object.ns + "/" + seen.object.name + " for pipeline " +
                        seen.pipeline.text() + ": " + seen.error;
    }
    event.name = name_of(seen.pipeline.name,
                         seen.environment + "/" + seen.target + event.message +
                             std::to_string(seen.seen.time_since_epoch().count()),
                         event.reason);
    return event;
}

class KubernetesEvents::State {
public:
    State(KubeClient& client, const Clock& clock, Metrics& metrics, KubernetesEventsOptions options)
        : client_(client),
          clock_(clock),
          metrics_(metrics),
          options_(std::move(options)),
          thread_([this](std::stop_token stop) { run(stop); }) {}

    ~State() {
        thread_.request_stop();
        woken_.notify_all();
    }

    void tell(const model::PipelineName& about, const std::string& uid, PipelineEvent event) {
        std::string body = json_of(about, uid, event);
        const std::lock_guard held(mutex_);
        if (waiting_.size() >= options_.most_waiting) {
            waiting_.pop_front();
            count("dropped");
        }
        waiting_.emplace_back(about.ns, std::move(body));
        woken_.notify_all();
    }

private:
    std::string json_of(const model::PipelineName& about, const std::string& uid,
                        const PipelineEvent& event) const {
        // A MicroTime: exactly six digits after the second.
        const std::string time = model::time_to_text(clock_.now()).substr(0, 23) + "000Z";
        boost::json::object regarding{{"apiVersion", kPipelines.api_version()},
                                      {"kind", "Pipeline"},
                                      {"namespace", about.ns},
                                      {"name", about.name}};
        if (!uid.empty()) regarding["uid"] = uid;
        return boost::json::serialize(boost::json::object{
            {"apiVersion", kEvents.api_version()},
            {"kind", "Event"},
            {"metadata", {{"namespace", about.ns}, {"name", cut(event.name, kLongestName)}}},
            {"eventTime", time},
            {"reportingController", "promotiond"},
            {"reportingInstance", cut(options_.instance, 128)},
            {"action", event.action},
            {"reason", event.reason},
            {"regarding", std::move(regarding)},
            {"note", cut(event.message, kLongestNote)},
            {"type", event.warning ? "Warning" : "Normal"}});
    }

    void run(const std::stop_token& stop) {
        std::unique_lock held(mutex_);
        while (woken_.wait(held, stop, [this] { return !waiting_.empty(); })) {
            const auto [ns, body] = std::move(waiting_.front());
            waiting_.pop_front();
            held.unlock();
            send(ns, body, stop);
            held.lock();
        }
    }

    void send(const std::string& ns, const std::string& body, const std::stop_token& stop) {
        for (int attempt = 1;; ++attempt) {
            const auto made = client_.create(kEvents, ns, body, {}, {.stop = stop});
            if (made || made.error().reason == KubeReason::AlreadyExists) return count("written");
            const auto reason = made.error().reason;
            const bool passing = reason == KubeReason::ServerError ||
                                 reason == KubeReason::Throttled ||
                                 reason == KubeReason::Unreachable;
            if (!passing || attempt >= options_.tries || stop.stop_requested()) {
                return count(std::string(name_of(reason)));
            }
            std::unique_lock held(mutex_);
            woken_.wait_for(held, stop, options_.pause, [] { return false; });
        }
    }

    void count(const std::string& result) {
        metrics_
            .counter("promotiond_kube_events_total", "Kubernetes Events about Pipelines, by result",
                     {{"result", result}})
            .add();
    }

    KubeClient& client_;
    const Clock& clock_;
    Metrics& metrics_;
    const KubernetesEventsOptions options_;

    std::mutex mutex_;
    std::condition_variable_any woken_;
    std::deque<std::pair<std::string, std::string>> waiting_;  // namespace, body
    std::jthread thread_;                                      // last
};

KubernetesEvents::KubernetesEvents(KubeClient& client, const Clock& clock, Metrics& metrics,
                                   KubernetesEventsOptions options)
    : state_(std::make_unique<State>(client, clock, metrics, std::move(options))) {}

KubernetesEvents::~KubernetesEvents() = default;

void KubernetesEvents::tell(const model::PipelineName& about, const std::string& uid,
                            PipelineEvent event) {
    state_->tell(about, uid, std::move(event));
}

}  // namespace promotiond::platform
