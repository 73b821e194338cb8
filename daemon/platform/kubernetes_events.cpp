#include "platform/kubernetes_events.hpp"

#include <algorithm>
#include <boost/json.hpp>

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
const std::string kPart = "events";  // as /readyz names it

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
          outbox_(
              options_.delivery,
              [this](const Waiting& waiting, bool last, const std::stop_token& stop) {
                  return send(waiting, last, stop);
              },
              [this] { count("dropped"); }) {}

    void tell(const EventSubject& about, const PipelineEvent& event, Onward onward) {
        outbox_.put({about.name.ns, json_of(about, event), std::move(onward)});
    }

private:
    struct Waiting {
        std::string ns;
        std::string body;
        Onward onward;
    };

    std::string json_of(const EventSubject& about, const PipelineEvent& event) const {
        // A MicroTime: exactly six digits after the second.
        const std::string time = model::time_to_text(clock_.now()).substr(0, 23) + "000Z";
        boost::json::object regarding{{"apiVersion", kPipelines.api_version()},
                                      {"kind", "Pipeline"},
                                      {"namespace", about.name.ns},
                                      {"name", about.name.name}};
        if (!about.uid.empty()) regarding["uid"] = about.uid;
        if (!about.resource_version.empty()) regarding["resourceVersion"] = about.resource_version;
        return boost::json::serialize(boost::json::object{
            {"apiVersion", kEvents.api_version()},
            {"kind", "Event"},
            {"metadata", {{"namespace", about.name.ns}, {"name", cut(event.name, kLongestName)}}},
            {"eventTime", time},
            {"reportingController", "promotiond"},
            {"reportingInstance", cut(options_.instance, 128)},
            {"action", event.action},
            {"reason", event.reason},
            {"regarding", std::move(regarding)},
            {"note", cut(event.message, kLongestNote)},
            {"type", event.warning ? "Warning" : "Normal"}});
    }

    bool send(const Waiting& waiting, bool last, const std::stop_token& stop) {
        const auto made = client_.create(kEvents, waiting.ns, waiting.body, {}, {.stop = stop});
        if (made) {
            client_.tell(kPart, nullptr);
            count("written");
            hand_on(waiting);
            return true;
        }
        const auto reason = made.error().reason;
        if (reason == KubeReason::AlreadyExists) {
            count("repeated");
            return true;
        }
        const bool passing = reason == KubeReason::ServerError || reason == KubeReason::Throttled ||
                             reason == KubeReason::Unreachable;
        if (passing && !last) return false;
        if (reason == KubeReason::Cancelled) return true;
        if (reason == KubeReason::Forbidden) client_.tell(kPart, &made.error());
        count(std::string(name_of(reason)));
        if (!waiting.onward.again) hand_on(waiting);
        return true;
    }

    void hand_on(const Waiting& waiting) const {
        if (options_.hand_on && !waiting.onward.text.empty()) options_.hand_on(waiting.onward.text);
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
    Outbox<Waiting> outbox_;  // last
};

KubernetesEvents::KubernetesEvents(KubeClient& client, const Clock& clock, Metrics& metrics,
                                   KubernetesEventsOptions options)
    : state_(std::make_unique<State>(client, clock, metrics, std::move(options))) {}

KubernetesEvents::~KubernetesEvents() = default;

void KubernetesEvents::tell(const EventSubject& about, const PipelineEvent& event, Onward onward) {
    state_->tell(about, event, std::move(onward));
}

}  // namespace promotiond::platform
