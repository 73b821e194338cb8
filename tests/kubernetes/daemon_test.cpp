// The daemon itself against the real API server: what kubectl shows, and what happens without any
// event.
#include <boost/json.hpp>

#include "catch.hpp"
#include "tests/kubernetes/daemon_fixture.hpp"

using namespace promotiond::tests;
namespace json = boost::json;

namespace {

// The other API server, with applications and nothing else.
Cluster& leaf() {
    static Cluster cluster({.users = {{"old-token", "promotiond", {"system:masters"}}}});
    static const bool prepared = [] {
        cluster.apply_file(PROMOTIOND_SOURCE "/tests/kubernetes/crds/applications.yaml");
        return true;
    }();
    (void)prepared;
    return cluster;
}

void set_kubeconfig(const std::string& ns, const std::string& secret, const std::string& key,
                    const std::string& kubeconfig) {
    (void)management().kubectl({"delete", "secret", secret, "-n", ns});
    management().must({"create", "secret", "generic", secret, "-n", ns,
                       "--from-literal=" + key + "=" + kubeconfig});
}

}  // namespace

TEST_CASE(
    "daemon: a target whose cluster is missing, then not ready, then ready, by events alone") {
    const auto ns = make_spaces(management());
    const Daemon daemon(ns, {.applications = false});
    management().apply(pipeline({.ns = ns, .dev_cluster = "leaf"}));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "False TargetClusterNotFound"; }));
    REQUIRE(eventually([&] { return !event_reasons(ns).empty(); }));
    CHECK(event_reasons(ns).front() == "GetClusterError");
    CHECK_FALSE(event_reasons(ns, "GitopsCluster.gitops.weave.works \"leaf\" not found").empty());
    make_cluster(ns, "leaf", "kubeconfig");
    CHECK(eventually([&] { return condition(ns, "Ready") == "False TargetClusterNotReady"; }));
    management().must({"create", "secret", "generic", "kubeconfig", "-n", ns,
                       "--from-literal=value=" + portable_kubeconfig(management())});
    make_cluster_ready(ns, "leaf", true);
    CHECK(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(status_of(ns).at("observedGeneration") == 1);
    // A cluster that is ready from the start is told of as pipeline-controller did.
    management().apply(pipeline({.ns = ns, .name = "late", .dev_cluster = "leaf"}));
    CHECK(eventually(
        [&] { return condition(ns, "Ready", "late") == "True ReconciliationSucceeded"; }));
    CHECK(eventually([&] { return event_reasons(ns, ns + "/late").size() == 1; }));
    CHECK(event_reasons(ns, ns + "/late").front() == "Updated");
}

TEST_CASE("daemon: without a cluster reference a Pipeline is Ready, and Updated is told") {
    const auto ns = make_spaces(management());
    const Daemon daemon(ns, {.applications = false});
    management().apply(pipeline({.ns = ns}));
    CHECK(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    REQUIRE(eventually([&] { return !event_reasons(ns).empty(); }));
    CHECK(event_reasons(ns).front() == "Updated");
    CHECK_FALSE(event_reasons(ns, "Updated pipeline " + ns + "/app").empty());
}

TEST_CASE("daemon: an application that is missing, made, and then runs is followed by its watch") {
    const std::string kind = GENERATE("HelmRelease", "Kustomization");
    const std::string version =
        kind == "HelmRelease" ? "helm.toolkit.fluxcd.io/v2" : "kustomize.toolkit.fluxcd.io/v1";
    CAPTURE(kind);
    const auto ns = make_spaces(management());
    make_application(management(), ns + "-prod", kind, kind == "HelmRelease" ? "v2" : "v1");
    const Daemon daemon(ns);
    management().apply(pipeline({.ns = ns, .kind = kind, .version = version}));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "False TargetNotReadable"; }));
    CHECK(eventually([&] { return target(ns, "error").find("not found") != std::string::npos; }));
    make_application(management(), ns, kind, kind == "HelmRelease" ? "v2" : "v1");
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(target(ns, "ready") == "false");
    CHECK(target(ns, "error").empty());
    runs(management(), ns, "1.0.1", kind);
    CHECK(eventually([&] { return target(ns, "revision") == "\"1.0.1\""; }));
    CHECK(target(ns, "ready") == "true");
}

TEST_CASE("daemon: an application on another cluster is followed through its GitopsCluster") {
    const std::string key = GENERATE("value", "value.yaml", "kubeconfig");
    CAPTURE(key);
    const auto ns = make_spaces(management());
    make_application(management(), ns + "-prod");
    set_kubeconfig(ns, "leaf-access", key, portable_kubeconfig(leaf()));
    make_cluster(ns, "leaf", "leaf-access");
    make_cluster_ready(ns, "leaf", true);
    const Daemon daemon(ns);
    management().apply(pipeline({.ns = ns, .dev_cluster = "leaf"}));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "False TargetNotReadable"; }));
    CHECK(eventually([&] { return target(ns, "error").find("not found") != std::string::npos; }));
    leaf().must({"create", "namespace", ns});
    make_application(leaf(), ns);
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(target(ns, "ready") == "false");
    runs(leaf(), ns, "1.0.1");
    CHECK(eventually([&] { return target(ns, "revision") == "\"1.0.1\""; }));
}

TEST_CASE("daemon: a cluster that comes, rotates its credentials and goes is followed") {
    const auto ns = make_spaces(management());
    make_application(management(), ns + "-prod");
    leaf().must({"create", "namespace", ns});
    make_application(leaf(), ns);
    const Daemon daemon(ns);
    management().apply(pipeline({.ns = ns, .dev_cluster = "leaf"}));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "False TargetNotReadable"; }));
    // As Cluster API has it: the Secret is named after its cluster.
    set_kubeconfig(ns, "capi-kubeconfig", "value", portable_kubeconfig(leaf(), "old-token"));
    management().apply(
        "apiVersion: gitops.weave.works/v1alpha1\nkind: GitopsCluster\nmetadata: {name: leaf, "
        "namespace: " +
        ns + "}\nspec: {capiClusterRef: {name: capi}}\n");
    make_cluster_ready(ns, "leaf", true);
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));

    set_kubeconfig(ns, "capi-kubeconfig", "value", portable_kubeconfig(leaf(), "new-token"));
    leaf().set_users({{"new-token", "promotiond", {"system:masters"}}});
    leaf().restart();
    runs(leaf(), ns, "1.0.1");
    CHECK(eventually([&] { return target(ns, "revision") == "\"1.0.1\""; }));

    management().must({"delete", "gitopscluster", "leaf", "-n", ns});
    CHECK(eventually([&] { return target(ns, "error").find("not found") != std::string::npos; }));
    CHECK(condition(ns, "Ready") == "False TargetNotReadable");
}

TEST_CASE("daemon: what an application runs is read in each version and kind that there is") {
    struct Row {
        std::string version;
        std::string kind;
        std::string plural;
        std::string status;
    };
    const std::string ready = R"("conditions":[{"type":"Ready","status":"True"}],)";
    const auto row = GENERATE_COPY(
        Row{"helm.toolkit.fluxcd.io/v2beta1", "HelmRelease", "helmreleases",
            ready + R"("lastAppliedRevision":"1.0.1")"},
        Row{"helm.toolkit.fluxcd.io/v2beta2", "HelmRelease", "helmreleases",
            ready + R"("history":[{"chartVersion":"1.0.1","status":"deployed"}])"},
        Row{"argoproj.io/v1alpha1", "Application", "applications",
            R"("health":{"status":"Healthy"},"sync":{"status":"Synced","revision":"1.0.1"})"});
    CAPTURE(row.version);
    const auto ns = make_spaces(management());
    for (const auto& space : {ns, ns + "-prod"}) {
        management().apply("apiVersion: " + row.version + "\nkind: " + row.kind +
                           "\nmetadata: {name: app, namespace: " + space + "}\nspec: {}\n");
    }
    const Daemon daemon(ns);
    management().apply(pipeline({.ns = ns, .kind = row.kind, .version = row.version}));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(eventually([&] { return !event_reasons(ns, "Updated pipeline " + ns).empty(); }));
    CHECK(target(ns, "ready") == "false");
    // Argo CD's status is no subresource.
    const bool argo = row.kind == "Application";
    const auto answer =
        management().send("PATCH",
                          "/apis/" + row.version + "/namespaces/" + ns + "/" + row.plural + "/app" +
                              (argo ? "" : "/status"),
                          "{\"status\":{" + row.status + "}}", "application/merge-patch+json");
    INFO(answer.body);
    REQUIRE(answer.code == 200);
    CHECK(eventually([&] { return target(ns, "revision") == "\"1.0.1\""; }));
    CHECK(target(ns, "ready") == "true");
}

TEST_CASE(
    "daemon: however many Pipelines and versions, one watch for a kind and namespace, and no list "
    "while nothing happens") {
    const auto ns = make_spaces(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    management().apply(pipeline({.ns = ns}));
    management().apply(
        pipeline({.ns = ns, .name = "second", .version = "helm.toolkit.fluxcd.io/v2beta2"}));
    management().apply(
        pipeline({.ns = ns, .name = "third", .version = "helm.toolkit.fluxcd.io/v2beta1"}));
    const auto asked = [](const char* verb) {
        return management().count(verb, "helmreleases") + management().count(verb, "pipelines");
    };
    const auto watches = asked("watch");
    const auto lists = asked("list");
    const Daemon daemon(ns);
    for (const char* name : {"app", "second", "third"}) {
        REQUIRE(eventually(
            [&] { return condition(ns, "Ready", name) == "True ReconciliationSucceeded"; }));
    }
    // One of Pipelines, one of each target namespace.
    CHECK(eventually([&] { return asked("watch") == watches + 3; }));
    for (const char* revision : {"1.0.0", "2.0.0", "3.0.0"}) {
        runs(management(), ns, revision);
        REQUIRE(eventually(
            [&] { return target(ns, "revision") == std::string("\"") + revision + "\""; }));
    }
    CHECK(asked("watch") == watches + 3);
    CHECK(asked("list") == lists + 3);
}

TEST_CASE("daemon: a revision that runs in dev is promoted without any event, once, and told of") {
    const auto ns = make_spaces(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    runs(management(), ns, "1.0.0");
    runs(management(), ns + "-prod", "1.0.0");
    Daemon daemon(ns);
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(daemon.promoted().empty());  // prod runs it already
    runs(management(), ns, "2.0.0");
    const std::string message = "Promote pipeline " + ns + "/app to prod with version 2.0.0";
    REQUIRE(eventually([&] { return daemon.promoted() == std::vector{message}; }));
    REQUIRE(eventually([&] {
        const auto text = json::serialize(status_of(ns));
        return text.find(R"("phase":"Succeeded")") != std::string::npos;
    }));
    CHECK(eventually([&] {
        return event_reasons(ns, "with version 2.0.0") == std::vector<std::string>{"Promote"};
    }));
    daemon.kill();
    daemon.start();
    runs(management(), ns, "3.0.0");
    REQUIRE(eventually([&] { return daemon.promoted().size() == 2; }));
    CHECK(daemon.promoted()[1].ends_with("3.0.0"));
}

TEST_CASE("daemon: a status that somebody overwrote is written again, and only then") {
    const auto ns = make_spaces(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    const Daemon daemon(ns);
    management().apply(pipeline({.ns = ns}));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    const auto answer = management().send(
        "PATCH", "/apis/pipelines.weave.works/v1alpha1/namespaces/" + ns + "/pipelines/app/status",
        R"({"status":{"conditions":[]}})", "application/merge-patch+json");
    REQUIRE(answer.code == 200);
    CHECK(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
}

TEST_CASE(
    "daemon: what pipeline-controller left in the status goes, as if it had never been there") {
    const auto ns = make_spaces(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    management().apply(pipeline({.ns = ns}));
    const auto leave = [&] {
        const auto answer = management().send(
            "PATCH",
            "/apis/pipelines.weave.works/v1alpha1/namespaces/" + ns +
                "/pipelines/app/status?fieldManager=manager",
            R"({"status":{"environments":{"dev":{"waitingApproval":{"revision":"0.9.0"}},"qa":{}}}})",
            "application/merge-patch+json");
        REQUIRE(answer.code == 200);
    };
    const auto is_clean = [&] {
        const auto status = status_of(ns);
        const auto* environments = status.if_contains("environments");
        if (environments == nullptr || !environments->is_object()) return false;
        const auto* dev = environments->get_object().if_contains("dev");
        return dev != nullptr && !environments->get_object().contains("qa") &&
               !dev->as_object().contains("waitingApproval") &&
               dev->as_object().contains("targets");
    };
    leave();  // before it was there
    const Daemon daemon(ns);
    CHECK(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(eventually(is_clean));
    leave();  // and while it is
    CHECK(eventually(is_clean));
}

TEST_CASE("daemon: a Pipeline that cannot be read harms no other") {
    const auto ns = make_spaces(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    const Daemon daemon(ns);
    management().apply(
        "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: "
        "{name: odd, namespace: " +
        ns + "}\nspec: {environments: []}\n");
    management().apply(pipeline({.ns = ns}));
    CHECK(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(eventually([&] { return daemon.lines_with(ns + "/odd in Kubernetes") > 0; }));
}
