// config/kubernetes on a real API server: that it is taken whole, and what its service account may
// do.
#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>
#include <utility>

#include "catch.hpp"
#include "tests/kubernetes/cluster.hpp"
#include "tests/kubernetes/eventually.hpp"

using promotiond::tests::Cluster;
using promotiond::tests::eventually;

namespace {

const std::string kManifests = PROMOTIOND_SOURCE "/config/kubernetes";
const std::string kKinds = PROMOTIOND_SOURCE "/tests/kubernetes/crds";
const std::string kAccount = "system:serviceaccount:promotiond:promotiond";

// All of config/kubernetes, in the namespace that it makes, beside the kinds that it reads.
Cluster& installed() {
    Cluster& cluster = Cluster::shared();
    cluster.apply_file(kKinds + "/applications.yaml");
    cluster.apply_file(kKinds + "/gitopsclusters.yaml");
    cluster.must({"apply", "--server-side", "-k", kManifests});
    return cluster;
}

std::string restricted_namespace(Cluster& cluster) {
    auto space = cluster.make_namespace();
    cluster.must({"label", "namespace", space, "pod-security.kubernetes.io/enforce=restricted",
                  "pod-security.kubernetes.io/warn=restricted"});
    return space;
}

// As `kubectl auth can-i VERB RESOURCE.GROUP/NAME --subresource=S -n NAMESPACE --as USER`, in a
// hundredth of its time.
bool may(const Cluster& cluster, const std::vector<std::string>& question,
         const std::string& user = kAccount) {
    const auto& what = question[1];
    const auto slash = std::min(what.find('/'), what.size());
    const auto dot = std::min(what.find('.'), slash);
    boost::json::object asked{{"verb", question[0]}, {"resource", what.substr(0, dot)}};
    if (dot < slash) asked["group"] = what.substr(dot + 1, slash - dot - 1);
    if (slash < what.size()) asked["name"] = what.substr(slash + 1);
    const std::string sub = "--subresource=";
    for (std::size_t i = 2; i < question.size(); ++i) {
        if (question[i].starts_with(sub)) asked["subresource"] = question[i].substr(sub.size());
        if (question[i] == "-n") asked["namespace"] = question[i + 1];
    }
    const boost::json::object review{
        {"apiVersion", "authorization.k8s.io/v1"},
        {"kind", "SubjectAccessReview"},
        {"spec",
         {{"user", user}, {"groups", {"system:authenticated"}}, {"resourceAttributes", asked}}}};
    const auto answer = cluster.send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                                     boost::json::serialize(review));
    INFO(answer.body);
    REQUIRE(answer.code == 201);
    return boost::json::parse(answer.body).at("status").at("allowed").as_bool();
}

// What was granted just now is in force a moment later.
bool may_soon(const Cluster& cluster, const std::vector<std::string>& question) {
    return eventually([&] { return may(cluster, question); });
}

// The pod that a StatefulSet of rendered manifests would make.
std::string pod_of(const Cluster& cluster, const std::string& folder, const std::string& set) {
    const auto list =
        boost::json::parse(cluster.must({"apply", "--server-side", "--dry-run=server", "-o", "json",
                                         "-n", "promotiond", "-k", folder}));
    for (const auto& item : list.at("items").as_array()) {
        if (item.at("kind") != "StatefulSet" || item.at("metadata").at("name").as_string() != set)
            continue;
        boost::json::object pod = item.at("spec").at("template").as_object();
        pod["apiVersion"] = "v1";
        pod["kind"] = "Pod";
        pod["metadata"].as_object()["name"] = set + "-0";
        pod["spec"].at("volumes").as_array().push_back(
            {{"name", "journal"}, {"persistentVolumeClaim", {{"claimName", "journal-0"}}}});
        return boost::json::serialize(pod);
    }
    FAIL("no StatefulSet " + set);
    return {};
}

}  // namespace

TEST_CASE("manifests: a team that starts afresh applies one folder, and again without a change") {
    Cluster& cluster = installed();
    const auto again = cluster.kubectl({"diff", "--server-side", "-k", kManifests});
    INFO(again.out);
    CHECK(again.code == 0);
    CHECK(again.err.find("Warning") == std::string::npos);
}

TEST_CASE("manifests: the base goes to any namespace, with its rights bound there") {
    Cluster& cluster = installed();
    const auto space = restricted_namespace(cluster);
    const auto folder = promotiond::tests::ScratchDirectory();
    // kustomize takes a base by a relative path only.
    const auto base = std::filesystem::relative(kManifests + "/base", folder.path()).native();
    std::ofstream(folder.path() / "kustomization.yaml")
        << "namespace: " << space << "\nresources: [" << base
        << "]\nimages: [{name: ghcr.io/promotiond/promotiond, newName: "
           "registry.example.com/promotiond, newTag: 1.2.3}]\n";
    const auto applied = cluster.kubectl(
        {"apply", "--server-side", "--dry-run=server", "-k", folder.path().native(), "-o", "json"});
    INFO(applied.err);
    CHECK(applied.code == 0);
    CHECK(applied.err.find("Warning") == std::string::npos);
    CHECK(applied.out.find("registry.example.com/promotiond:1.2.3") != std::string::npos);
    CHECK(applied.out.find("\"namespace\": \"promotiond\"") == std::string::npos);
}

TEST_CASE(
    "manifests: the sidecar example is taken in a namespace that enforces the restricted profile") {
    Cluster& cluster = Cluster::shared();
    const auto space = restricted_namespace(cluster);
    const auto applied = cluster.kubectl(
        {"apply", "--server-side", "--dry-run=server", "-n", space, "-k", kManifests + "/sidecar"});
    INFO(applied.err);
    CHECK(applied.code == 0);
    CHECK(applied.err.find("Warning") == std::string::npos);
}

TEST_CASE("manifests: the image is the chart's, of the same version") {
    std::ifstream file(PROMOTIOND_SOURCE "/packaging/helm/promotiond/Chart.yaml");
    const std::string chart{std::istreambuf_iterator<char>(file), {}};
    const std::string key = "appVersion: ";
    const auto at = chart.find(key) + key.size();
    const auto image =
        "image: ghcr.io/promotiond/promotiond:" + chart.substr(at, chart.find('\n', at) - at) +
        "\n";
    for (const auto& folder : {kManifests, kManifests + "/sidecar"})
        CHECK(Cluster::shared().must({"kustomize", folder}).find(image) != std::string::npos);
}

TEST_CASE("manifests: the pods pass the restricted profile, and one that asks for more does not") {
    Cluster& cluster = installed();
    const auto space = restricted_namespace(cluster);
    const std::vector<std::string> create{"create", "--dry-run=server", "-n", space, "-f", "-"};
    for (const auto& [folder, set] :
         {std::pair{kManifests, "promotiond"}, std::pair{kManifests + "/sidecar", "backend"}}) {
        auto pod = pod_of(cluster, folder, set);
        const auto created = cluster.kubectl(create, pod);
        INFO(created.err);
        CHECK(created.code == 0);
        const auto at = pod.find("\"allowPrivilegeEscalation\":false");
        REQUIRE(at != std::string::npos);
        pod.replace(at, 32, "\"allowPrivilegeEscalation\":true");
        CHECK(cluster.kubectl(create, pod).err.find("violates PodSecurity") != std::string::npos);
    }
}

TEST_CASE("manifests: the service account may do what promotiond does") {
    Cluster& cluster = installed();
    for (const char* kind :
         {"pipelines.pipelines.weave.works", "gitopsclusters.gitops.weave.works",
          "helmreleases.helm.toolkit.fluxcd.io", "kustomizations.kustomize.toolkit.fluxcd.io",
          "applications.argoproj.io"})
        for (const char* verb : {"get", "list", "watch"}) {
            INFO(verb << " " << kind);
            CHECK(may_soon(cluster, {verb, kind, "-A"}));
        }
    CHECK(may_soon(cluster,
                   {"patch", "pipelines.pipelines.weave.works", "--subresource=status", "-A"}));
    CHECK(may_soon(cluster, {"get", "secrets", "-A"}));
    CHECK(may_soon(cluster, {"create", "events.events.k8s.io", "-A"}));
    CHECK(may_soon(cluster, {"create", "tokenreviews.authentication.k8s.io"}));
    CHECK(may_soon(cluster, {"create", "subjectaccessreviews.authorization.k8s.io"}));
    CHECK(may_soon(cluster, {"create", "leases.coordination.k8s.io", "-n", "promotiond"}));
    for (const char* verb : {"get", "update"})
        CHECK(
            may_soon(cluster, {verb, "leases.coordination.k8s.io/promotiond", "-n", "promotiond"}));
}

TEST_CASE("manifests: the service account may do nothing else") {
    Cluster& cluster = installed();
    for (const char* verb : {"create", "update", "patch", "delete", "deletecollection"}) {
        INFO(verb);
        CHECK_FALSE(may(cluster, {verb, "pipelines.pipelines.weave.works", "-A"}));
        CHECK_FALSE(may(cluster, {verb, "secrets", "-A"}));
        CHECK_FALSE(may(cluster, {verb, "helmreleases.helm.toolkit.fluxcd.io", "-A"}));
        CHECK_FALSE(may(cluster, {verb, "pods", "-n", "promotiond"}));
    }
    CHECK_FALSE(may(cluster, {"patch", "events.events.k8s.io", "-A"}));
    CHECK_FALSE(
        may(cluster, {"patch", "leases.coordination.k8s.io/promotiond", "-n", "promotiond"}));
    for (const char* verb : {"list", "watch"}) {
        CHECK_FALSE(may(cluster, {verb, "secrets", "-A"}));
        CHECK_FALSE(may(cluster, {verb, "secrets", "-n", "promotiond"}));
    }
    CHECK_FALSE(
        may(cluster, {"update", "pipelines.pipelines.weave.works", "--subresource=status", "-A"}));
    CHECK_FALSE(may(cluster, {"update", "leases.coordination.k8s.io/another", "-n", "promotiond"}));
    CHECK_FALSE(may(cluster, {"create", "leases.coordination.k8s.io", "-n", "default"}));
}

TEST_CASE("manifests: of the people only approvers may approve, and they write nothing") {
    Cluster& cluster = installed();
    const auto space = cluster.make_namespace();
    for (const auto& [role, write, approve] :
         {std::tuple{"viewer", false, false}, std::tuple{"editor", true, false},
          std::tuple{"approver", false, true}}) {
        const std::string user = std::string(role) + "-of-" + space;
        cluster.must({"create", "rolebinding", role, "-n", space, "--user", user, "--clusterrole",
                      std::string("promotiond-pipeline-") + role});
        const auto can = [&](const char* verb) {
            return may(cluster, {verb, "pipelines.pipelines.weave.works/app", "-n", space}, user);
        };
        INFO(role);
        CHECK(eventually([&] { return can("get"); }));
        CHECK(can("update") == write);
        CHECK(can("approve") == approve);
    }
}

TEST_CASE("manifests: the addresses of pipeline-controller lead to promotiond") {
    Cluster& cluster = installed();
    const auto service = boost::json::parse(
        cluster.must({"get", "service", "pipeline-promotion", "-n", "promotiond", "-o", "json"}));
    const auto& spec = service.at("spec");
    CHECK(spec.at("selector").at("app.kubernetes.io/name") == "promotiond");
    for (const auto& port : spec.at("ports").as_array()) CHECK(port.at("targetPort") == "http");
    CHECK(spec.at("ports").at(0).at("port") == 80);
    CHECK(spec.at("ports").at(1).at("port") == 8082);
}
