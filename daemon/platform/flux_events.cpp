#include "platform/flux_events.hpp"

#include <boost/json.hpp>

#include "base/log.hpp"
#include "model/codec.hpp"
#include "platform/kube_object.hpp"
#include "platform/kubernetes_events.hpp"
#include "platform/text_cut.hpp"

namespace promotiond::platform {
namespace {

namespace json = boost::json;

// The longest that the CRDs of notification-controller take (event_types.go: MaxLength=39000).
constexpr std::size_t kLongestMessage = 39'000;

bool passes(int code) { return code >= 200 && code < 300; }

// Worth another try; 429 is how it answers to an event that it took a moment ago.
bool may_pass_later(int code) { return code == 408 || code >= 500; }

}  // namespace

std::string flux_event(const EventSubject& about, const model::Promotion& promotion,
                       const model::Transition& step, const std::string& instance) {
    const auto event = event_of_step(promotion, step);
    json::object object{{"kind", "Pipeline"},
                        {"namespace", about.name.ns},
                        {"name", about.name.name},
                        {"apiVersion", kPipelines.api_version()}};
    if (!about.uid.empty()) object["uid"] = about.uid;
    if (!about.resource_version.empty()) object["resourceVersion"] = about.resource_version;
    json::object metadata;
    const auto add = [&metadata](const char* key, std::string_view value) {
        if (!value.empty()) metadata[kPipelines.group + "/" + key] = value;
    };
    add("environment", promotion.scope.environment);
    add("target", promotion.scope.target);
    add("revision", promotion.revision);
    add("previous-revision", promotion.previous_revision);
    add("promotion", promotion.id);
    add("phase", model::name_of(step.to));
    add("url", promotion.location);
    json::object told{{"involvedObject", std::move(object)},
                      {"severity", event.warning ? "error" : "info"},
                      {"timestamp", model::time_to_text(step.at).substr(0, 19) + "Z"},
                      {"message", cut(event.message, kLongestMessage)},
                      {"reason", event.reason},
                      {"metadata", std::move(metadata)},
                      {"reportingController", "promotiond"}};
    if (!instance.empty()) told["reportingInstance"] = instance;
    return json::serialize(told);
}

FluxEvents::FluxEvents(net::HttpClient& http, Metrics& metrics, FluxEventsOptions options)
    : http_(http),
      metrics_(metrics),
      options_(std::move(options)),
      outbox_(
          options_.delivery,
          [this](const std::string& event, bool last, const std::stop_token& stop) {
              return send(event, last, stop);
          },
          [this] { count("dropped"); }) {}

bool FluxEvents::send(const std::string& event, bool last, const std::stop_token& stop) {
    net::Request request;
    request.method = "POST";
    request.url = options_.address;
    request.headers = {{"Content-Type", "application/json"}, {"Gotk-Component", "promotiond"}};
    request.body = log::redacted(event);
    request.timeout = options_.timeout;
    const auto result = http_.send(request, stop);
    const auto* answer = std::get_if<net::Response>(&result);
    if (answer != nullptr && passes(answer->code)) {
        count("taken");
        return true;
    }
    if (answer != nullptr && answer->code == 429) {
        count("repeated");
        return true;
    }
    if ((answer == nullptr || may_pass_later(answer->code)) && !last) return false;
    count("failed");
    log::warn("PROMO-5107", "notification-controller did not take an event; it is dropped",
              {{"address", options_.address},
               {"reason", answer != nullptr ? "it answered " + std::to_string(answer->code)
                                            : std::get<net::HttpError>(result).message}});
    return true;
}

void FluxEvents::count(const char* result) {
    metrics_
        .counter("promotiond_flux_events_total",
                 "Events handed to Flux's notification-controller, by result.",
                 {{"result", result}})
        .add();
}

}  // namespace promotiond::platform
