#include "notification.hpp"

#include <boost/json.hpp>
#include <ctime>

namespace promotiond::notification {
namespace {

namespace json = boost::json;

// The address inside a cluster that `flux install` set up.
constexpr const char* kAddress = "http://notification-controller.flux-system.svc.cluster.local./";
constexpr const char* kGroup = "pipelines.weave.works";
constexpr std::chrono::seconds kTimeout{5};

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

std::string time_text(std::chrono::sys_time<std::chrono::milliseconds> time) {
    const auto seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[sizeof "2026-01-01T00:00:00Z"];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

std::string message_of(const sdk::Promotion& promotion) {
    return "Promote pipeline " + std::string(promotion.pipeline_namespace) + "/" +
           std::string(promotion.pipeline_name) + " to " + std::string(promotion.environment) +
           " with version " + std::string(promotion.revision);
}

std::chrono::milliseconds retry_after(const sdk::HttpResponse& answer) {
    constexpr int kMost = 3'600;
    int seconds = 0;
    for (const char c : answer.header("retry-after")) {
        if (c < '0' || c > '9') return {};
        seconds = std::min(seconds * 10 + (c - '0'), kMost);
    }
    return std::chrono::seconds{seconds};
}

}  // namespace

std::string event_of(const sdk::Promotion& promotion,
                     std::chrono::sys_time<std::chrono::milliseconds> now) {
    const std::string group = std::string(kGroup) + "/";
    json::object metadata{{group + "environment", view(promotion.environment)},
                          {group + "version", view(promotion.revision)},
                          {group + "revision", view(promotion.revision)},
                          {group + "promotion", view(promotion.id)}};
    if (!promotion.target.empty()) metadata[group + "target"] = view(promotion.target);
    return json::serialize(json::object{
        {"involvedObject", json::object{{"kind", "Pipeline"},
                                        {"namespace", view(promotion.pipeline_namespace)},
                                        {"name", view(promotion.pipeline_name)},
                                        {"apiVersion", group + "v1alpha1"}}},
        {"severity", "info"},
        {"timestamp", time_text(now)},
        {"message", message_of(promotion)},
        {"reason", "Promote"},
        {"metadata", std::move(metadata)},
        {"reportingController", "promotiond"},
    });
}

Notification::Notification(const sdk::Settings& settings) : address_(kAddress) {
    json::error_code error;
    const auto read = json::parse(view(settings.json), error);
    const auto* object = error ? nullptr : read.if_object();
    if (object == nullptr) throw sdk::Rejected("settings of notification-flux are no object");
    for (const auto& [key, value] : *object) {
        if (key != "address" || !value.is_string()) {
            throw sdk::Rejected(
                "settings of notification-flux have one key: address, the URL of "
                "Flux's notification-controller");
        }
        address_ = std::string(value.get_string());
    }
    if (!address_.starts_with("http://") && !address_.starts_with("https://")) {
        throw sdk::Rejected("settings.notification-flux.address is no http or https URL");
    }
}

sdk::Outcome Notification::promote(const sdk::Promotion& promotion, sdk::Call& call) {
    sdk::HttpRequest request;
    request.method = "POST";
    request.url = address_;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = event_of(promotion, call.now());
    request.timeout = kTimeout;
    const auto answer = call.http(request);
    if (!answer) return sdk::Outcome::from(answer.error());
    const int code = answer->code;
    if (code >= 200 && code < 300) {
        return sdk::Outcome::done().with_summary("handed to notification-controller");
    }
    // It answers so to an event that it took a moment ago: a repeat after a lost answer.
    if (code == 429 && answer->header("retry-after").empty()) {
        return sdk::Outcome::done().with_summary("notification-controller has it already");
    }
    const std::string why = "notification-controller answered " + std::to_string(code);
    if (code == 408 || code == 429 || code >= 500) {
        return sdk::Outcome::retry_after(retry_after(*answer), why);
    }
    return sdk::Outcome::rejected(why + "; check settings.notification-flux.address, now " +
                                  address_);
}

sdk::Outcome Notification::plan(const sdk::Promotion& promotion, sdk::Call& call) {
    json::object details{
        {"method", "POST"}, {"url", address_}, {"body", event_of(promotion, call.now())}};
    return sdk::Outcome::done()
        .with_summary(message_of(promotion))
        .with_details(json::serialize(details));
}

// Nothing that must not run at the same time, but for one Pipeline's promotions into one place.
std::string Notification::lane(const sdk::Promotion& promotion) const {
    return std::string(promotion.pipeline_namespace) + "/" + std::string(promotion.pipeline_name) +
           "/" + std::string(promotion.environment) + "/" + std::string(promotion.target);
}

}  // namespace promotiond::notification
