// What is told of promotions, and how often: Events, and what is handed on to Flux.
#include "base/readiness.hpp"
#include "platform/kubernetes_report.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;
using model::Phase;
using promotiond::tests::eventually;

namespace {

model::Promotion promotion(const std::string& strategy = "pullRequest") {
    model::Promotion result;
    result.id = "p-1";
    result.scope = {{"team", "app"}, "prod", ""};
    result.revision = "1.0.0";
    result.strategy = strategy;
    return result;
}

model::Transition step(Phase phase) {
    return {"p-1", Phase::Queued, phase, WallTime{42ms}, "", "", 1};
}

// An API server that answers to Events as told, a notification-controller, and a report to both
// that knows of the Pipeline team/app.
struct Telling {
    explicit Telling(std::vector<ScriptedAnswer> answers)
        : cluster(std::move(answers)),
          flux_http({}, cluster.metrics),
          flux(flux_http, cluster.metrics,
               {.address = controller.url(), .delivery = {.pause = 1ms}}),
          report(cluster.client, cluster.clock, cluster.metrics, {.flux = &flux}) {}
    void stands() {
        auto pipeline = std::make_shared<model::Pipeline>();
        pipeline->id = {"team", "app"};
        pipeline->uid = "u1";
        report.stands({pipeline->id, pipeline, nullptr, nullptr});
    }
    bool asked(std::size_t times) {
        return eventually([&] { return cluster.server.requests().size() >= times; });
    }
    bool handed_on(std::size_t times) {
        return eventually([&] { return controller.requests().size() >= times; });
    }

    Cluster cluster;
    simulators::HttpServer controller{{whole(202, "")}};
    net::HttpClient flux_http;
    FluxEvents flux;
    KubernetesReport report;
};

ScriptedAnswer exists() { return status(409, "AlreadyExists", "there is one of that name"); }

}  // namespace

TEST_CASE("report: each step is an Event and goes on to Flux") {
    Telling telling({whole(201, "{}")});
    telling.stands();
    telling.report.stepped(promotion(), step(Phase::Running));
    telling.report.stepped(promotion(), step(Phase::Succeeded));
    CHECK(telling.asked(2));
    REQUIRE(telling.handed_on(2));
    CHECK(telling.controller.requests()[1].find("PromotionSucceeded") != std::string::npos);
}

TEST_CASE("report: what the process before told already is not handed on again") {
    Telling telling({exists(), whole(201, "{}")});
    telling.report.resume(
        {{promotion(), step(Phase::Running)}, {promotion(), step(Phase::Failed)}});
    CHECK(telling.cluster.server.requests().empty());  // its Pipeline may be gone
    telling.stands();
    REQUIRE(telling.handed_on(1));
    telling.stands();
    CHECK(telling.cluster.server.requests().size() == 2);
    REQUIRE(telling.controller.requests().size() == 1);
    CHECK(telling.controller.requests()[0].find("PromotionFailed") != std::string::npos);
}

TEST_CASE("report: without the right to write Events Flux still hears of each new step") {
    Telling telling({status(403, "Forbidden", "User x cannot create events")});
    telling.report.resume({{promotion(), step(Phase::Running)}});
    telling.stands();
    telling.report.stepped(promotion(), step(Phase::Succeeded));
    REQUIRE(telling.handed_on(1));
    CHECK(telling.asked(2));
    CHECK(telling.controller.requests().size() == 1);
    CHECK(telling.controller.requests()[0].find("PromotionSucceeded") != std::string::npos);
}

TEST_CASE("report: the notification strategy hands on by itself, and is not told twice") {
    Telling telling({whole(201, "{}")});
    telling.stands();
    telling.report.stepped(promotion("notification"), step(Phase::Succeeded));
    telling.report.stepped(promotion(), step(Phase::Succeeded));
    REQUIRE(telling.handed_on(1));
    CHECK(telling.asked(2));
    CHECK(telling.controller.requests().size() == 1);
}

TEST_CASE("report: a notification-controller that is away is tried again, and then passed over") {
    Metrics metrics;
    net::HttpClient http({}, metrics);
    simulators::HttpServer away({whole(503, ""), whole(503, ""), whole(503, ""), whole(202, "")});
    FluxEvents flux(http, metrics, {.address = away.url(), .delivery = {.pause = 1ms}});
    flux.tell("{\"n\":1}");
    flux.tell("{\"n\":2}");
    CHECK(eventually([&] { return away.requests().size() == 4; }));
    CHECK(away.requests().back().ends_with("{\"n\":2}"));
    CHECK(eventually([&] {
        return metrics.render().find("promotiond_flux_events_total{result=\"failed\"} 1") !=
               std::string::npos;
    }));
}

TEST_CASE("report: an outbox that is full drops the oldest and says so") {
    std::atomic<int> dropped{0};
    std::mutex door;
    std::vector<int> sent;
    std::unique_lock closed(door);
    Outbox<int> outbox(
        {.most_waiting = 2},
        [&](int each, bool, const std::stop_token&) {
            const std::lock_guard pass(door);
            sent.push_back(each);
            return true;
        },
        [&] { ++dropped; });
    for (int i = 0; i < 5; ++i) outbox.put(i);
    CHECK(dropped >= 2);  // one may be on its way already
    closed.unlock();
    CHECK(eventually([&] {
        const std::lock_guard pass(door);
        return !sent.empty() && sent.back() == 4;
    }));
}
