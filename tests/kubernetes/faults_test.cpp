// The daemon and an API server that fails it: away, without rights, with odd and vanishing objects.
#include <boost/json.hpp>

#include "catch.hpp"
#include "tests/kubernetes/daemon_fixture.hpp"

using namespace promotiond::tests;
namespace json = boost::json;

namespace {

constexpr const char* kDefinition = "pipelines.pipelines.weave.works";
constexpr const char* kReleases = "helmreleases.helm.toolkit.fluxcd.io";
const std::string kPipelinesOf = "/apis/pipelines.weave.works/v1alpha1/namespaces/";

// Stores an object that the real definition would refuse, as an older one took it.
void store_under_loose_definition(const std::string& object, const Cluster& cluster) {
    const auto definition = json::parse(cluster.must({"get", "crd", kDefinition, "-o", "json"}));
    json::object loose{{"apiVersion", "apiextensions.k8s.io/v1"},
                       {"kind", "CustomResourceDefinition"},
                       {"metadata", {{"name", kDefinition}}},
                       {"spec", definition.at("spec")}};
    auto& version = loose["spec"].as_object()["versions"].as_array()[0].as_object();
    version.erase("subresources");  // so that a status is stored with it
    version["schema"] = {
        {"openAPIV3Schema", {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}}};
    cluster.must({"replace", "-f", "-"}, json::serialize([&] {
                     loose["metadata"].as_object()["resourceVersion"] =
                         definition.at("metadata").at("resourceVersion");
                     return loose;
                 }()));
    // A definition is taken up a moment after it was stored.
    REQUIRE(eventually([&] {
        return cluster.kubectl({"apply", "-f", "-", "--validate=false"}, object).code == 0;
    }));
    cluster.must({"apply", "--server-side", "--force-conflicts", "-f",
                  PROMOTIOND_SOURCE "/config/crd/pipelines.yaml"});
    std::string another = object;
    another.replace(another.find("name: "), 6, "name: not-");
    REQUIRE(eventually([&] {
        return cluster
                   .kubectl({"create", "-f", "-", "--validate=false", "--dry-run=server"}, another)
                   .code != 0;
    }));
}

std::size_t status_patches(const std::string& ns, const std::string& name) {
    std::size_t count = 0;
    for (const auto& request : management().requests()) {
        count += request.verb == "patch" && request.resource == "pipelines/status" &&
                 request.space == ns && request.name == name;
    }
    return count;
}

}  // namespace

TEST_CASE(
    "faults: a daemon that starts before the API server serves, is not ready, and becomes so") {
    const auto ns = make_target_spaces();
    management().apply(pipeline({.ns = ns}));
    management().stop();
    const Daemon daemon(ns, {.server = "unsignedEvents: allow"});
    CHECK(daemon.health("/livez").code == 200);
    CHECK_FALSE(daemon.ready());
    CHECK(daemon.health("/readyz?verbose").body.find("[-] pipelines: ") != std::string::npos);
    CHECK(daemon
              .ask("POST", "/promotion/" + ns + "/app/dev", "{}",
                   {{"Content-Type", "application/json"}})
              .code == 503);
    management().start();
    CHECK(eventually([&] { return daemon.ready(); }));
    CHECK(is_ready(ns));
}

TEST_CASE("faults: a server that restarts and forgets its past costs nothing and doubles nothing") {
    const auto ns = make_target_spaces();
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    const Daemon daemon(ns);
    REQUIRE(is_ready(ns));
    runs(management(), ns, "1.0.0");
    REQUIRE(eventually([&] { return daemon.promoted().size() == 1; }));
    const auto lists = management().count("list", "pipelines");
    management().must({"create", "secret", "generic", "another", "-n", ns});
    management().forget_past();
    CHECK(daemon.ready());
    CHECK(eventually([&] { return management().count("list", "pipelines") > lists; }));
    runs(management(), ns, "2.0.0");
    REQUIRE(eventually([&] { return daemon.promoted().size() >= 2; }));
    CHECK(daemon.promoted().back().ends_with("2.0.0"));
    CHECK(daemon.promoted().size() == 2);
}

TEST_CASE("faults: definitions that are deleted and put back are followed again by themselves") {
    const auto ns = make_target_spaces();
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    const Daemon daemon(ns);
    REQUIRE(is_ready(ns));
    const auto told = [&] { return daemon.health("/readyz?verbose").body; };

    management().must({"delete", "crd", kReleases});
    CHECK(eventually([&] { return target(ns, "error").find("definition") != std::string::npos; }));
    management().must({"delete", "crd", kDefinition});
    CHECK(
        eventually([&] { return told().find("[!] pipelines: degraded: ") != std::string::npos; }));
    CHECK(daemon.ready());

    management().apply_file(PROMOTIOND_SOURCE "/config/crd/pipelines.yaml");
    management().apply_file(PROMOTIOND_SOURCE "/tests/kubernetes/crds/applications.yaml");
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    // Both are asked for again within a minute.
    CHECK(is_ready(ns));
    CHECK(eventually([&] { return told().find("[+] pipelines") != std::string::npos; }));
    runs(management(), ns, "1.0.0");
    CHECK(eventually([&] { return daemon.promoted().size() == 1; }));
}

TEST_CASE("faults: a status that is overwritten again and again is no news, but its writer is") {
    const auto ns = make_target_spaces();
    management().apply(pipeline({.ns = ns}));
    const Daemon daemon(ns);
    REQUIRE(is_ready(ns));
    const auto news = [&] { return event_reasons(ns, "Updated pipeline").size(); };
    REQUIRE(eventually([&] { return news() > 0; }));
    const auto before = news();
    for (int i = 0; i < 3; ++i) {
        REQUIRE(management()
                    .send("PATCH", kPipelinesOf + ns + "/pipelines/app/status?fieldManager=meddler",
                          R"({"status":{"conditions":[]}})", "application/merge-patch+json")
                    .code == 200);
        REQUIRE(is_ready(ns));
    }
    CHECK(eventually([&] { return daemon.lines_with("writer=meddler") == 1; }));
    CHECK(news() == before);
}

TEST_CASE("faults: a status of the wrong types gives way to ours, whatever the spec holds") {
    const auto ns = make_target_spaces();
    store_under_loose_definition(
        "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: odd, "
        "namespace: " +
            ns +
            "}\nspec: {appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: "
            "7}, "
            "environments: [{name: dev, targets: [{namespace: " +
            ns + "}]}]}\nstatus: {conditions: {Ready: true}, environments: [dev], phase: done}\n",
        management());
    const Daemon daemon(ns);
    CHECK(eventually([&] { return condition(ns, "Ready", "odd") == "False TargetNotReadable"; }));
    CHECK_FALSE(status_of(ns, "odd").contains("phase"));
    CHECK(status_patches(ns, "odd") <= 3);
}

TEST_CASE("faults: an object stored under a looser definition says what is wrong with it, once") {
    const auto ns = make_target_spaces();
    store_under_loose_definition(
        "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: odd, "
        "namespace: " +
            ns + "}\nspec: {appRef: podinfo, environments: 7}\n",
        management());
    management().apply(pipeline({.ns = ns}));
    const Daemon daemon(ns);
    REQUIRE(is_ready(ns));
    CHECK(eventually([&] { return condition(ns, "Ready", "odd") == "False InvalidPipeline"; }));
    CHECK(condition(ns, "Stalled", "odd") == "True InvalidPipeline");
    CHECK(json::serialize(status_of(ns, "odd")).find("spec.appRef") != std::string::npos);
    management().forget_past();  // everything is listed anew
    management().apply(pipeline({.ns = ns, .name = "late"}));
    REQUIRE(is_ready(ns, "late"));
    CHECK(status_patches(ns, "odd") == 1);
    CHECK(daemon.lines_with("/odd in Kubernetes") == 1);

    management().must({"delete", "pipeline", "odd", "-n", ns});
    management().apply(pipeline({.ns = ns, .name = "odd"}));
    CHECK(is_ready(ns, "odd"));
}

TEST_CASE("faults: a stored Pipeline that the definition refuses today says so in its status") {
    const std::string promotion =
        GENERATE("{manual: 'yes', notification: {}}",
                 "{pullRequest: {url: 'https://forge/r.git'}, webhook: {url: 'https://hook/'}}");
    CAPTURE(promotion);
    const auto ns = make_target_spaces();
    store_under_loose_definition(pipeline({.ns = ns, .promotion = promotion}), management());
    const Daemon daemon(ns);
    CHECK(eventually([&] { return condition(ns, "Ready") == "False InvalidPipeline"; }));
    CHECK(json::serialize(status_of(ns)).find("spec.promotion") != std::string::npos);
    CHECK(daemon.health("/readyz?verbose").body.find("[!] status") == std::string::npos);
}

TEST_CASE("faults: a status that the API server does not take is told of in its own words") {
    const auto ns = make_spaces(management());
    // A rule of the definition cannot be asked of such a promotion, whatever is written.
    store_under_loose_definition(pipeline({.ns = ns, .promotion = "manual"}), management());
    const Daemon daemon(ns, {.applications = false});
    const auto told = [&] { return daemon.health("/readyz?verbose").body; };
    REQUIRE(eventually([&] { return told().find("[!] status: degraded: ") != std::string::npos; }));
    const auto words = told();
    INFO(words);
    CHECK(words.find("cannot patch pipelines.pipelines.weave.works " + ns + "/app") !=
          std::string::npos);
    CHECK(words.find("spec.promotion: Invalid value") != std::string::npos);
    CHECK(daemon.ready());
    CHECK(daemon.lines_with("PROMO-5105") == 1);
    management().must({"replace", "-f", "-"}, pipeline({.ns = ns, .promotion = kNotify}));
    CHECK(eventually([&] { return told().find("[+] status") != std::string::npos; }));
    CHECK(is_ready(ns));
}

TEST_CASE("faults: a Pipeline of a megabyte is read, told of, and keeps no other waiting") {
    const auto ns = make_target_spaces();
    const std::string large(1'000'000, 'x');
    const auto made = management().send(
        "POST", kPipelinesOf + ns + "/pipelines",
        R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline","metadata":{"name":"large"},)"
        R"("spec":{"appRef":{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","name":"app"},)"
        R"("promotion":{"strategy":{"carrier-pigeon":{"song":")" +
            large + R"("}}},"environments":[{"name":"dev","targets":[{"namespace":")" + ns +
            R"("}]}]}})");
    INFO(made.body.substr(0, 1000));
    REQUIRE(made.code == 201);
    management().apply(pipeline({.ns = ns}));
    const Daemon daemon(ns);
    CHECK(is_ready(ns));
    // Its strategy is not served, and it says so.
    CHECK(eventually([&] { return condition(ns, "Ready", "large") == "False StrategyNotUsable"; }));
    CHECK(condition(ns, "Stalled", "large") == "True StrategyNotUsable");
}

TEST_CASE("faults: a promotion waits while its Pipeline is deleted, and goes on when it is back") {
    const auto ns = make_target_spaces();
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    Daemon daemon(ns, {.receives = {promotiond::simulators::whole(503, "")}});
    REQUIRE(is_ready(ns));
    runs(management(), ns, "1.0.0");
    REQUIRE(eventually([&] { return !daemon.receiver.requests().empty(); }));
    management().must({"delete", "pipeline", "app", "-n", ns});
    REQUIRE(
        eventually([&] { return daemon.lines_with("msg=\"pipelines read\" pipelines=0") == 1; }));
    const auto tries = daemon.receiver.requests().size();
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    CHECK(eventually([&] { return daemon.receiver.requests().size() > tries; }));
    CHECK(is_ready(ns));
    CHECK(daemon.running());
    CHECK(daemon.ready());
}

TEST_CASE("faults: a Pipeline under another name promotes nothing again that runs already") {
    const auto ns = make_target_spaces();
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    const Daemon daemon(ns);
    REQUIRE(is_ready(ns));
    runs(management(), ns, "1.0.0");
    REQUIRE(eventually([&] { return daemon.promoted().size() == 1; }));
    runs(management(), ns + "-prod", "1.0.0");
    management().must({"delete", "pipeline", "app", "-n", ns});
    management().apply(pipeline({.ns = ns, .name = "renamed", .promotion = kNotify}));
    REQUIRE(is_ready(ns, "renamed"));
    runs(management(), ns, "2.0.0");
    REQUIRE(eventually([&] { return daemon.promoted().size() == 2; }));
    CHECK(daemon.promoted().back() ==
          "Promote pipeline " + ns + "/renamed to prod with version 2.0.0");
}

TEST_CASE(
    "faults: a cluster that is nowhere, or not ready, is told of, and harms no other target") {
    const auto ns = make_target_spaces();
    management().apply(pipeline({.ns = ns, .dev_cluster = "nowhere"}));
    management().apply(pipeline({.ns = ns, .name = "well"}));
    const Daemon daemon(ns);
    CHECK(eventually([&] { return condition(ns, "Ready") == "False TargetNotReadable"; }));
    CHECK(target(ns, "error").find("\\\"nowhere\\\" not found") != std::string::npos);
    CHECK(eventually([&] { return !event_reasons(ns, "\"nowhere\" not found").empty(); }));
    CHECK(event_reasons(ns, "\"nowhere\" not found").front() == "GetClusterError");
    make_cluster(ns, "nowhere", "kubeconfig");
    CHECK(eventually([&] { return target(ns, "error").find("not ready") != std::string::npos; }));
    CHECK(condition(ns, "Ready") == "False TargetNotReadable");
    CHECK(is_ready(ns, "well"));
}
