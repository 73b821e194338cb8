// FluxEvents: hands what happens to promotions on to Flux's notification-controller, whose Alerts
// and Providers tell people about it as about everything else that Flux does.
//
// Delivery is as Flux's own controllers': a few tries within seconds, then the event is dropped and
// counted (promotiond_flux_events_total{result}); nothing depends on one.
//
// Thread-safety: all functions from any thread; none blocks. Lifetime: http and metrics outlive it.
#pragma once

#include <memory>
#include <string>

#include "base/metrics.hpp"
#include "model/promotion.hpp"
#include "net/http_client.hpp"
#include "platform/outbox.hpp"

namespace promotiond::platform {

// The Pipeline object that an event is about, as the API server has it.
struct EventSubject {
    model::PipelineName name;
    std::string uid = {};
    std::string resource_version = {};
};

// A step of a promotion as JSON of Flux's event (fluxcd/pkg apis/event/v1beta1/event.go, read
// 2026-11). notification-controller passes on only metadata keys that begin with the involved
// object's API group, and takes that off: a receiver sees environment, revision, promotion, phase
// and, where there are such, target, url and previous-revision.
[[nodiscard]] std::string flux_event(const EventSubject& about, const model::Promotion& promotion,
                                     const model::Transition& step, const std::string& instance);

struct FluxEventsOptions {
    std::string address;  // of notification-controller; an http or https URL
    OutboxOptions delivery = {};
    std::chrono::milliseconds timeout{5'000};  // of one try, as Flux's own recorder
};

class FluxEvents final {
public:
    FluxEvents(net::HttpClient& http, Metrics& metrics, FluxEventsOptions options);

    void tell(std::string event) { outbox_.put(std::move(event)); }

private:
    bool send(const std::string& event, bool last, const std::stop_token& stop);
    void count(const char* result);

    net::HttpClient& http_;
    Metrics& metrics_;
    const FluxEventsOptions options_;
    Outbox<std::string> outbox_;  // last
};

}  // namespace promotiond::platform
