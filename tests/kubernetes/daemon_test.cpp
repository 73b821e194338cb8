// The daemon itself against the real API server: what kubectl shows, and what happens without any
// event.
#include <openssl/evp.h>

#include <boost/json.hpp>
#include <fstream>

#include "catch.hpp"
#include "tests/kubernetes/cluster.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/simulators/http_server.hpp"

using promotiond::simulators::HttpServer;
using promotiond::simulators::whole;
using promotiond::tests::Cluster;
using promotiond::tests::eventually;
using promotiond::tests::Program;
using promotiond::tests::ScratchDirectory;
namespace json = boost::json;

namespace {

const std::string kSource = PROMOTIOND_SOURCE;
const std::string kBuild = PROMOTIOND_BUILD;

// A cluster with the kinds that the daemon reads.
Cluster& management() {
    static const bool prepared = [] {
        Cluster& cluster = Cluster::shared();
        cluster.apply_file(kSource + "/config/crd/pipelines.yaml");
        cluster.apply_file(kSource + "/tests/kubernetes/crds/applications.yaml");
        cluster.apply_file(kSource + "/tests/kubernetes/crds/gitopsclusters.yaml");
        return true;
    }();
    (void)prepared;
    return Cluster::shared();
}

// A running daemon that sees one namespace of the cluster; what it promotes arrives at the
// receiver.
class Daemon {
public:
    explicit Daemon(std::string ns, bool applications = true) : ns_(std::move(ns)) {
        std::ofstream(directory_.path() / "promotiond.yaml")
            << "server: {listen: 127.0.0.1:0, health: 127.0.0.1:0}\n"
            << "platform: {kubernetes: {kubeconfig: " << management().kubeconfig_file().native()
            << ", namespaces: [" << ns_ << "], applications: " << (applications ? "true" : "false")
            << "}}\n"
            << "journal: {path: ./journal.db}\n"
            << "strategies: {directory: " << kBuild << "/strategies, settings: {notification-flux: "
            << "{address: \"" << receiver.url() << "\"}}}\n";
        start();
    }
    ~Daemon() {
        program_.stop();
        UNSCOPED_INFO(log());  // shown where a promise is broken afterwards
    }
    void start() {
        program_ = Program({kBuild + "/bin/promotiond", "--config",
                            (directory_.path() / "promotiond.yaml").native()},
                           directory_.path() / "log");
    }
    void kill() { program_.kill(); }
    [[nodiscard]] std::string log() const {
        std::ifstream file(directory_.path() / "log");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    // The messages of the events that arrived.
    [[nodiscard]] std::vector<std::string> promoted() const {
        std::vector<std::string> messages;
        for (const auto& request : receiver.requests()) {
            const auto body = request.find("\r\n\r\n");
            const auto event = json::parse(request.substr(body + 4));
            messages.emplace_back(event.at("message").as_string());
        }
        return messages;
    }

    HttpServer receiver{{whole(202, "")}};

private:
    std::string ns_;
    ScratchDirectory directory_;
    Program program_;
};

// A Pipeline of two environments; dev's target perhaps on another cluster.
std::string pipeline(const std::string& ns, const std::string& kind = "HelmRelease",
                     const std::string& version = "helm.toolkit.fluxcd.io/v2",
                     const std::string& dev_cluster = "", const std::string& promotion = "") {
    const std::string reference =
        dev_cluster.empty() ? "" : ", clusterRef: {kind: GitopsCluster, name: " + dev_cluster + "}";
    return "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n"
           "metadata: {name: app, namespace: " +
           ns + "}\nspec:\n  appRef: {apiVersion: " + version + ", kind: " + kind +
           ", name: app}\n" + (promotion.empty() ? "" : "  promotion: " + promotion + "\n") +
           "  environments:\n  - {name: dev, targets: [{namespace: " + ns + reference +
           "}]}\n  - {name: prod, targets: [{namespace: " + ns + "-prod}]}\n";
}

std::string group_of(const std::string& kind) {
    return kind == "HelmRelease" ? "helm.toolkit.fluxcd.io" : "kustomize.toolkit.fluxcd.io";
}

void make_application(const Cluster& cluster, const std::string& ns,
                      const std::string& kind = "HelmRelease", const std::string& version = "v2") {
    cluster.apply("apiVersion: " + group_of(kind) + "/" + version + "\nkind: " + kind +
                  "\nmetadata: {name: app, namespace: " + ns + "}\nspec: {}\n");
}

// As its controller would.
void runs(const Cluster& cluster, const std::string& ns, const std::string& revision,
          const std::string& kind = "HelmRelease") {
    const bool helm = kind == "HelmRelease";
    const std::string where = "/apis/" + group_of(kind) + (helm ? "/v2" : "/v1") + "/namespaces/" +
                              ns + "/" + (helm ? "helmreleases" : "kustomizations") + "/app/status";
    const std::string ready = R"("conditions":[{"type":"Ready","status":"True"}])";
    const std::string what =
        helm ? R"("history":[{"chartVersion":")" + revision + R"(","status":"deployed"}])"
             : R"("lastAppliedRevision":")" + revision + "\"";
    const auto answer = cluster.send("PATCH", where, "{\"status\":{" + ready + "," + what + "}}",
                                     "application/merge-patch+json");
    INFO(answer.body);
    REQUIRE(answer.code == 200);
}

json::object status_of(const std::string& ns) {
    const auto answer = management().send(
        "GET", "/apis/pipelines.weave.works/v1alpha1/namespaces/" + ns + "/pipelines/app");
    const auto object = json::parse(answer.body);
    const auto* status = object.as_object().if_contains("status");
    return status == nullptr || !status->is_object() ? json::object() : status->as_object();
}

// "True Reason", or nothing.
std::string condition(const std::string& ns, const std::string& type) {
    const auto status = status_of(ns);
    const auto* list = status.if_contains("conditions");
    if (list == nullptr || !list->is_array()) return "";
    for (const auto& each : list->as_array()) {
        if (each.at("type") != json::value(type)) continue;
        return std::string(each.at("status").as_string()) + " " +
               std::string(each.at("reason").as_string());
    }
    return "";
}

// A member of the dev target's status, as JSON; empty if there is none.
std::string target(const std::string& ns, const char* member) {
    const auto status = status_of(ns);
    const auto* all = status.if_contains("environments");
    if (all == nullptr || !all->is_object()) return "";
    const auto* dev = all->as_object().if_contains("dev");
    const auto* targets = dev == nullptr ? nullptr : dev->as_object().if_contains("targets");
    if (targets == nullptr || targets->as_array().empty()) return "";
    const auto* found = targets->as_array()[0].as_object().if_contains(member);
    return found == nullptr ? "" : json::serialize(*found);
}

// Reasons of the Events about the namespace's Pipelines, in the order of their making.
std::vector<std::string> event_reasons(const std::string& ns, const std::string& note = "") {
    const auto answer =
        management().send("GET", "/apis/events.k8s.io/v1/namespaces/" + ns + "/events");
    std::vector<std::pair<std::string, std::string>> found;
    const auto list = json::parse(answer.body);
    for (const auto& item : list.at("items").as_array()) {
        const std::string text(item.at("note").as_string());
        if (text.find(note) == std::string::npos) continue;
        found.emplace_back(item.at("eventTime").as_string(), item.at("reason").as_string());
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> reasons;
    for (auto& [time, reason] : found) reasons.push_back(std::move(reason));
    return reasons;
}

// The administrator's kubeconfig as a Secret may hold it: without files.
std::string portable_kubeconfig(const Cluster& cluster) {
    const std::string& pem = cluster.ca_pem();
    std::string base64((pem.size() + 2) / 3 * 4 + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                       reinterpret_cast<const unsigned char*>(pem.data()),
                                       static_cast<int>(pem.size()));
    base64.resize(static_cast<std::size_t>(length));
    std::string text = cluster.kubeconfig(cluster.admin_token());
    const std::string file = "certificate-authority: '" + cluster.ca_file().native() + "'";
    const auto at = text.find(file);
    REQUIRE(at != std::string::npos);
    return text.replace(at, file.size(), "certificate-authority-data: " + base64);
}

void make_cluster_ready(const std::string& ns, const std::string& name, bool ready) {
    const auto answer =
        management().send("PATCH",
                          "/apis/gitops.weave.works/v1alpha1/namespaces/" + ns +
                              "/gitopsclusters/" + name + "/status",
                          std::string(R"({"status":{"conditions":[{"type":"Ready","status":")") +
                              (ready ? "True" : "False") + "\"}]}}",
                          "application/merge-patch+json");
    REQUIRE(answer.code == 200);
}

void make_cluster(const std::string& ns, const std::string& name, const std::string& secret) {
    management().apply(
        "apiVersion: gitops.weave.works/v1alpha1\nkind: GitopsCluster\nmetadata: "
        "{name: " +
        name + ", namespace: " + ns + "}\nspec: {secretRef: {name: " + secret + "}}\n");
}

std::string space(Cluster& cluster) {
    auto ns = cluster.make_namespace();
    cluster.must({"create", "namespace", ns + "-prod"});
    return ns;
}

}  // namespace

TEST_CASE(
    "daemon: a target whose cluster is missing, then not ready, then ready, by events alone") {
    const auto ns = space(management());
    const Daemon daemon(ns, false);
    management().apply(pipeline(ns, "HelmRelease", "helm.toolkit.fluxcd.io/v2", "leaf"));
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
}

TEST_CASE("daemon: without a cluster reference a Pipeline is Ready, and Updated is told") {
    const auto ns = space(management());
    const Daemon daemon(ns, false);
    management().apply(pipeline(ns));
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
    const auto ns = space(management());
    make_application(management(), ns + "-prod", kind, kind == "HelmRelease" ? "v2" : "v1");
    const Daemon daemon(ns);
    management().apply(pipeline(ns, kind, version));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "False TargetNotReadable"; }));
    CHECK(target(ns, "error").find("not found") != std::string::npos);
    make_application(management(), ns, kind, kind == "HelmRelease" ? "v2" : "v1");
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(target(ns, "ready") == "false");
    CHECK(target(ns, "error").empty());
    runs(management(), ns, "1.0.1", kind);
    CHECK(eventually([&] { return target(ns, "revision") == "\"1.0.1\""; }));
    CHECK(target(ns, "ready") == "true");
}

TEST_CASE("daemon: an application on another cluster is followed through its GitopsCluster") {
    Cluster leaf;
    leaf.apply_file(kSource + "/tests/kubernetes/crds/applications.yaml");
    const std::string key = GENERATE("value", "kubeconfig");
    CAPTURE(key);
    const auto ns = space(management());
    make_application(management(), ns + "-prod");
    management().must({"create", "secret", "generic", "leaf-access", "-n", ns,
                       "--from-literal=" + key + "=" + portable_kubeconfig(leaf)});
    make_cluster(ns, "leaf", "leaf-access");
    make_cluster_ready(ns, "leaf", true);
    const Daemon daemon(ns);
    management().apply(pipeline(ns, "HelmRelease", "helm.toolkit.fluxcd.io/v2", "leaf"));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "False TargetNotReadable"; }));
    CHECK(eventually([&] { return target(ns, "error").find("not found") != std::string::npos; }));
    leaf.must({"create", "namespace", ns});
    make_application(leaf, ns);
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(target(ns, "ready") == "false");
    runs(leaf, ns, "1.0.1");
    CHECK(eventually([&] { return target(ns, "revision") == "\"1.0.1\""; }));
}

TEST_CASE("daemon: a revision that runs in dev is promoted without any event, once, and told of") {
    const auto ns = space(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    runs(management(), ns, "1.0.0");
    runs(management(), ns + "-prod", "1.0.0");
    Daemon daemon(ns);
    management().apply(pipeline(ns, "HelmRelease", "helm.toolkit.fluxcd.io/v2", "",
                                "{strategy: {notification: {}}}"));
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
    const auto ns = space(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    const Daemon daemon(ns);
    management().apply(pipeline(ns));
    REQUIRE(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    const auto answer = management().send(
        "PATCH", "/apis/pipelines.weave.works/v1alpha1/namespaces/" + ns + "/pipelines/app/status",
        R"({"status":{"conditions":[]}})", "application/merge-patch+json");
    REQUIRE(answer.code == 200);
    CHECK(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
}

TEST_CASE("daemon: a Pipeline that cannot be read harms no other") {
    const auto ns = space(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    const Daemon daemon(ns);
    management().apply(
        "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: "
        "{name: odd, namespace: " +
        ns + "}\nspec: {environments: []}\n");
    management().apply(pipeline(ns));
    CHECK(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
    CHECK(daemon.log().find(ns + "/odd in Kubernetes") != std::string::npos);
}
