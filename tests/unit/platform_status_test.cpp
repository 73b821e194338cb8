// The status of a Pipeline object, as kubectl, Weave GitOps and scripts read it.
#include <boost/json.hpp>

#include "catch.hpp"
#include "model/codec.hpp"
#include "platform/pipeline_status.hpp"
#include "platform/status_patch.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using model::Observation;
using model::Phase;
using model::Sight;
namespace json = boost::json;

namespace {

struct Standing {
    std::shared_ptr<model::Pipeline> pipeline = std::make_shared<model::Pipeline>();
    std::shared_ptr<model::History> history = std::make_shared<model::History>();
    std::shared_ptr<model::Observations> observed = std::make_shared<model::Observations>();
    StatusView view;
    WallTime now{std::chrono::milliseconds{1'700'000'000'000}};
    std::string current;
    std::string unusable;

    Standing() {
        auto read = model::pipelines_from_yaml(
            "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n"
            "metadata: {name: app, namespace: default}\nspec:\n"
            "  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: app}\n"
            "  promotion: {manual: true, strategy: {notification: {}}}\n"
            "  environments:\n"
            "  - {name: dev, targets: [{namespace: dev}]}\n"
            "  - {name: prod, targets: [{namespace: prod, clusterRef: {kind: GitopsCluster, "
            "name: eu}}]}\n",
            "status.yaml");
        if (!read) FAIL(read.error().message);
        *pipeline = read->pipelines.front();
        pipeline->generation = 3;
        see("dev", "dev", true, "1.0.0");
        see("prod", "eu/prod", true, "1.0.0");
    }
    Observation& see(const std::string& environment, const std::string& target, bool ready,
                     const std::string& revision) {
        auto& seen = (*observed)[{environment, target}];
        seen = {pipeline->id, environment, target, {}, ready, revision, "", now};
        return seen;
    }
    model::Promotion& promote(const std::string& revision, Phase phase) {
        model::Promotion promotion;
        promotion.id = "p-" + revision;
        promotion.scope = {pipeline->id, "prod", ""};
        promotion.revision = revision;
        promotion.phase = phase;
        promotion.reason = "because";
        promotion.created = promotion.updated = now;
        auto& list = history->promotions[{"prod", ""}];
        list.push_back(promotion);
        return list.back();
    }
    [[nodiscard]] std::string text() const {
        return pipeline_status({pipeline->id, pipeline, history, observed, unusable}, current, view,
                               now);
    }
    [[nodiscard]] json::object status() const { return json::parse(text()).as_object(); }
    // "True Reason: message", or nothing.
    [[nodiscard]] std::string condition(const std::string& type) const {
        const json::object all = status();
        for (const auto& each : all.at("conditions").as_array()) {
            const auto& condition = each.as_object();
            if (condition.at("type").as_string() != type) continue;
            return std::string(condition.at("status").as_string()) + " " +
                   std::string(condition.at("reason").as_string()) + ": " +
                   std::string(condition.at("message").as_string());
        }
        return "";
    }
    [[nodiscard]] std::string environment(const std::string& name, const char* member) const {
        const json::object all = status();
        const auto& one = all.at("environments").as_object().at(name).as_object();
        const auto* found = one.if_contains(member);
        return found == nullptr ? "" : json::serialize(*found);
    }
};

}  // namespace

TEST_CASE("status: all targets read is Ready, with the generation that was looked at") {
    const Standing standing;
    CHECK(standing.status().at("observedGeneration") == 3);
    CHECK(standing.condition("Ready") == "True ReconciliationSucceeded: All clusters checked");
    CHECK(standing.condition("PromotionPending").empty());
    CHECK(standing.condition("Reconciling").empty());
    CHECK(standing.condition("Stalled").empty());
    CHECK(standing.environment("dev", "targets") ==
          R"([{"clusterAppRef":{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease",)"
          R"("name":"app"},"ready":true,"revision":"1.0.0"}])");
    CHECK(standing.environment("prod", "targets")
              .find(R"("clusterRef":{"kind":"GitopsCluster",)"
                    R"("name":"eu"})") != std::string::npos);
    CHECK(standing.environment("prod", "waitingApproval") == R"({"revision":""})");
}

TEST_CASE("status: nothing is said before all targets were looked at") {
    Standing standing;
    standing.observed->erase({"prod", "eu/prod"});
    CHECK(standing.text().empty());
}

TEST_CASE("status: a target that cannot be read is TargetNotReadable, with its error") {
    Standing standing;
    auto& seen = standing.see("prod", "eu/prod", false, "");
    seen.sight = Sight::NoObject;
    seen.error = "helmreleases.helm.toolkit.fluxcd.io \"app\" not found";
    CHECK(standing.condition("Ready") ==
          "False TargetNotReadable: One or more targets was not reachable or not present");
    CHECK(standing.environment("prod", "targets").find("not found") != std::string::npos);
}

TEST_CASE("status: without watching applications only clusters count, with reasons of their own") {
    Standing standing;
    standing.view.applications = false;
    CHECK(standing.environment("dev", "targets").empty());
    auto& seen = standing.see("prod", "eu/prod", false, "");
    seen.sight = Sight::NoCluster;
    CHECK(standing.condition("Ready") ==
          "False TargetClusterNotFound: Target cluster 'GitopsCluster/eu' not found");
    seen.sight = Sight::ClusterNotReady;
    CHECK(standing.condition("Ready") ==
          "False TargetClusterNotReady: Target cluster 'GitopsCluster/eu' not ready");
}

TEST_CASE("status: while the first environment disagrees with itself a promotion is pending") {
    Standing standing;
    standing.see("dev", "dev", false, "1.0.0");
    CHECK(standing.condition("PromotionPending") ==
          "True EnvironmentNotReady: Waiting for all targets to be ready");
    standing.see("dev", "dev", false, "");
    CHECK(standing.condition("PromotionPending") ==
          "True EnvironmentNotReady: Waiting for all targets to have the same revision");
}

TEST_CASE("status: a revision that waits for approval is named where Weave GitOps looks for it") {
    Standing standing;
    standing.promote("2.0.0", Phase::AwaitingApproval);
    CHECK(standing.environment("prod", "waitingApproval") == R"({"revision":"2.0.0"})");
    CHECK(standing.condition("AwaitingApproval") ==
          "True ManualPromotion: 2.0.0 into prod: because");
    standing.promote("2.0.0", Phase::Succeeded);
    CHECK(standing.condition("AwaitingApproval").empty());
    CHECK(standing.environment("prod", "waitingApproval") == R"({"revision":""})");
}

TEST_CASE("status: the last promotion of each environment, with its pull request") {
    Standing standing;
    standing.promote("1.9.0", Phase::Superseded);
    standing.promote("2.0.0", Phase::Pending).location = "https://forge/1";
    CHECK(standing.environment("prod", "lastPromotion") ==
          R"({"id":"p-2.0.0","revision":"2.0.0","phase":"Pending","reason":"because",)"
          R"("lastTransitionTime":"2023-11-14T22:13:20Z","url":"https://forge/1"})");
    CHECK(standing.environment("dev", "lastPromotion").empty());
}

TEST_CASE("status: kstatus sees work as Reconciling and failure as Stalled") {
    Standing standing;
    standing.promote("2.0.0", Phase::Running);
    CHECK(standing.condition("Reconciling") == "True Progressing: 2.0.0 into prod: because");
    standing.promote("2.0.0", Phase::Failed);
    CHECK(standing.condition("Reconciling").empty());
    CHECK(standing.condition("Stalled") == "True PromotionFailed: 2.0.0 into prod: because");
}

TEST_CASE("status: a Pipeline that no strategy serves is neither ready nor at work") {
    Standing standing;
    standing.promote("2.0.0", Phase::Queued);
    standing.unusable = "nothing serves pullRequets; served are: pullRequest";
    CHECK(standing.condition("Ready") == "False StrategyNotUsable: " + standing.unusable);
    CHECK(standing.condition("Stalled") == "True StrategyNotUsable: " + standing.unusable);
    CHECK(standing.condition("Reconciling").empty());
}

TEST_CASE(
    "status: what failed for a target alone is forgotten when targets are promoted together") {
    Standing standing;
    standing.pipeline->environments[1].per = model::Per::Target;
    model::Promotion alone = standing.promote("1.0.0", Phase::Failed);
    alone.scope.target = "eu/prod";
    *standing.history = {};
    standing.history->promotions[{"prod", "eu/prod"}] = {alone};
    CHECK(standing.condition("Stalled") == "True PromotionFailed: 1.0.0 into prod: because");
    standing.pipeline->environments[1].per = model::Per::Environment;
    CHECK(standing.condition("Stalled").empty());
}

TEST_CASE("status: a condition that stays keeps its time, and what is said already is known") {
    Standing standing;
    standing.current = standing.text();
    standing.now += std::chrono::hours{1};
    CHECK(says_already(standing.current, standing.text()));
    standing.see("dev", "dev", true, "2.0.0");
    CHECK_FALSE(says_already(standing.current, standing.text()));
    CHECK_FALSE(says_already("", standing.text()));
    CHECK_FALSE(says_already(R"({"observedGeneration":-1})", standing.text()));
}

TEST_CASE("status: an environment that is gone from the Pipeline goes from the status") {
    Standing standing;
    standing.current = standing.text();
    standing.pipeline->environments.pop_back();
    CHECK_FALSE(says_already(standing.current, standing.text()));
}

TEST_CASE("status: what another field manager left in an environment is known, and nothing else") {
    Standing standing;
    standing.pipeline->promotion->manual = false;
    standing.current = standing.text();
    CHECK(leftovers(standing.current, standing.text()).empty());
    auto status = standing.status();
    auto& environments = status["environments"].as_object();
    environments["qa"] = json::object{};
    environments["dev"].as_object()["waitingApproval"] = {{"revision", "0.9.0"}};
    standing.current = json::serialize(status);
    CHECK_FALSE(says_already(standing.current, standing.text()));
    CHECK(json::parse(leftovers(standing.current, standing.text())) ==
          json::parse(R"({"environments":{"qa":null,"dev":{"waitingApproval":null}}})"));
    // First what is to be said, then what is not.
    standing.see("dev", "dev", true, "2.0.0");
    CHECK(leftovers(standing.current, standing.text()).empty());
    CHECK_FALSE(says_already(standing.current, standing.text()));
}

TEST_CASE("status: what waits for an approval says so when its rule is not manual any more") {
    Standing standing;
    standing.promote("2.0.0", Phase::AwaitingApproval);
    CHECK(standing.environment("prod", "waitingApproval") == R"({"revision":"2.0.0"})");
    const std::string reason = "not manual any more";
    CHECK(standing.environment("prod", "lastPromotion").find(reason) == std::string::npos);
    standing.pipeline->promotion->manual = false;
    CHECK(standing.environment("prod", "lastPromotion").find(reason) != std::string::npos);
    CHECK(standing.environment("prod", "waitingApproval") == R"({"revision":"2.0.0"})");
}

TEST_CASE("status: long errors are cut where pipeline-controller cut them, between characters") {
    Standing standing;
    std::string error = "x";
    while (error.size() < 30'000) error += "\xC3\xA9";
    standing.see("dev", "dev", false, "").error = error;
    const auto targets = json::parse(standing.environment("dev", "targets"));
    const std::string told(targets.at(0).at("error").as_string());
    CHECK(told.size() <= 20'000);
    CHECK(told.ends_with("\xC3\xA9..."));
}

TEST_CASE("status: a Pipeline that cannot be read says so, once, and keeps what else it says") {
    const auto status = faulty_status("spec.environments: must be a list", 7, "", WallTime{});
    const auto read = boost::json::parse(status);
    CHECK(read.at("observedGeneration") == 7);
    CHECK(read.as_object().if_contains("environments") == nullptr);
    const auto& conditions = read.at("conditions").as_array();
    REQUIRE(conditions.size() == 2);
    CHECK(conditions[0].at("type") == "Ready");
    CHECK(conditions[0].at("status") == "False");
    CHECK(conditions[0].at("reason") == "InvalidPipeline");
    CHECK(conditions[0].at("message") == "spec.environments: must be a list");
    CHECK(conditions[1].at("type") == "Stalled");
    const auto later = faulty_status("spec.environments: must be a list", 7, status,
                                     WallTime{std::chrono::hours{1}});
    CHECK(says_already(status, later));
    CHECK_FALSE(says_already(status, faulty_status("another", 7, status, WallTime{})));
}
