// What Kubernetes Events and Flux's tell of Pipelines.
#include "platform/kubernetes_events.hpp"

#include <boost/json.hpp>

#include "catch.hpp"
#include "platform/flux_events.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using model::Phase;

namespace {

model::Promotion promotion(const std::string& strategy) {
    model::Promotion result;
    result.id = "p-1";
    result.scope = {{"test-ns", "test-pipeline"}, "test", ""};
    result.revision = "v0.1.2";
    result.strategy = strategy;
    return result;
}

model::Transition to(Phase phase, const std::string& reason = "") {
    return {"p-1", Phase::Running, phase, WallTime{std::chrono::milliseconds{42}}, reason, "", 1};
}

}  // namespace

TEST_CASE("events: a step is told once, however often it is told") {
    const auto first = event_of_step(promotion("pullRequest"), to(Phase::Pending));
    CHECK(first.name == event_of_step(promotion("pullRequest"), to(Phase::Pending)).name);
    CHECK(first.name != event_of_step(promotion("pullRequest"), to(Phase::Succeeded)).name);
    CHECK(first.name == "p-1.pending.42");
}

TEST_CASE("events: a promotion at the forge is told with its address, a failure as a warning") {
    auto open = promotion("pullRequest");
    open.location = "https://forge/1";
    const auto pending = event_of_step(open, to(Phase::Pending, "waits for its merge"));
    CHECK(pending.reason == "PromotionPending");
    CHECK(pending.message == "v0.1.2 to test: waits for its merge: https://forge/1");
    CHECK_FALSE(pending.warning);
    const auto failed = event_of_step(open, to(Phase::Failed, "closed without a merge"));
    CHECK(failed.reason == "PromotionFailed");
    CHECK(failed.warning);
}

TEST_CASE("events: the notification strategy's is told in pipeline-controller's words") {
    const auto event = event_of_step(promotion("notification"), to(Phase::Succeeded, "done"));
    CHECK(event.reason == "Promote");
    CHECK_FALSE(event.warning);
    CHECK(event.message == "Promote pipeline test-ns/test-pipeline to test with version v0.1.2");
}

TEST_CASE("events: a target out of sight is told as pipeline-controller told it") {
    model::Observation seen;
    seen.pipeline = {"ns", "app"};
    seen.environment = "dev";
    seen.target = "eu/apps";
    seen.object = {"", "HelmRelease", "apps", "podinfo"};
    seen.sight = model::Sight::NoCluster;
    seen.error = "GitopsCluster.gitops.weave.works \"eu\" not found";
    const auto cluster = event_of_sight(seen);
    CHECK(cluster.reason == "GetClusterError");
    CHECK(cluster.warning);
    CHECK(cluster.message ==
          "Failed to get cluster eu for pipeline ns/app: GitopsCluster.gitops.weave.works \"eu\" "
          "not found");
    seen.sight = model::Sight::NoObject;
    seen.error = "not found";
    const auto object = event_of_sight(seen);
    CHECK(object.reason == "GetAppError");
    CHECK(object.message ==
          "Failed to get application object eu:apps/podinfo for pipeline ns/app: not found");
    CHECK(object.name != cluster.name);
}

TEST_CASE("events: Flux gets the object as it is, and metadata that survives on its way") {
    auto open = promotion("pullRequest");
    open.scope.target = "eu/shop";
    open.location = "https://forge/1";
    const auto text = flux_event({{"test-ns", "test-pipeline"}, "u-1", "77"}, open,
                                 to(Phase::Pending, "waits for its merge"), "pod-0");
    const auto event = boost::json::parse(text).as_object();
    CHECK(boost::json::serialize(event.at("involvedObject")) ==
          R"({"kind":"Pipeline","namespace":"test-ns","name":"test-pipeline",)"
          R"("apiVersion":"pipelines.weave.works/v1alpha1","uid":"u-1","resourceVersion":"77"})");
    CHECK(event.at("severity") == "info");
    CHECK(event.at("timestamp") == "1970-01-01T00:00:00Z");
    CHECK(event.at("reason") == "PromotionPending");
    CHECK(event.at("reportingInstance") == "pod-0");
    // What notification-controller lets through begins with the object's group.
    for (const auto& [key, value] : event.at("metadata").as_object())
        CHECK(key.starts_with("pipelines.weave.works/"));
    CHECK(event.at("metadata").at("pipelines.weave.works/revision") == "v0.1.2");
    CHECK(event.at("metadata").at("pipelines.weave.works/target") == "eu/shop");
    CHECK(event.at("metadata").at("pipelines.weave.works/url") == "https://forge/1");
    const auto failed = flux_event({{"test-ns", "test-pipeline"}}, open, to(Phase::Failed), "");
    CHECK(boost::json::parse(failed).at("severity") == "error");
}
