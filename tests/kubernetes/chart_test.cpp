// packaging/helm: that the chart's promises hold for helm, for a real API server that enforces the
// restricted profile, and for the daemon that reads its configuration.
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "catch.hpp"
#include "tests/kubernetes/cluster.hpp"
#include "tests/kubernetes/eventually.hpp"

using promotiond::tests::Cluster;
using promotiond::tests::eventually;
using promotiond::tests::Output;

namespace {

using Words = std::vector<std::string>;
const std::string kChart = PROMOTIOND_SOURCE "/packaging/helm/promotiond";

// The two ways to keep the journal, and the second one without any volume.
const Words kVolume{"--set", "replicas=1"};
const Words kReplicas{"--set", "replicas=3"};
const Words kNoVolume{"--set", "replicas=2,persistence.enabled=false"};
// Whatever can be switched on and asks for no kinds of other projects.
const Words kEverything{
    "--set",
    "replicas=3,ingress.enabled=true,ingress.hosts[0].host=promotions.example.com",
    "--set",
    "ingress.hosts[0].path=/promotion,ingress.className=nginx",
    "--set",
    "ingress.tls[0].secretName=tls,ingress.tls[0].hosts[0]=promotions.example.com",
    "--set",
    "service.type=LoadBalancer,service.pipelineControllerName=old-promotion",
    "--set",
    "networkPolicy.egress[0].ports[0].port=5432,persistence.storageClass=fast",
    "--set",
    "config.server.trustedProxies[0]=10.0.0.0/8,imagePullSecrets[0].name=registry",
    "--set",
    "tolerations[0].operator=Exists,nodeSelector.disk=ssd,priorityClassName=system-node-critical",
    "--set",
    "image.digest=sha256:"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "--set",
    "extraVolumes[0].name=ca,extraVolumes[0].configMap.name=ca",
    "--set",
    "extraVolumeMounts[0].name=ca,extraVolumeMounts[0].mountPath=/etc/ca"};

Output helm(const Words& first, const Words& more = {}) {
    Words all = first;
    all.insert(all.end(), more.begin(), more.end());
    return Cluster::shared().helm(all);
}

std::string rendered(const std::string& space, const Words& values = {}) {
    auto output = helm({"template", "promotiond", kChart, "--namespace", space}, values);
    INFO(output.err);
    REQUIRE(output.code == 0);
    return output.out;
}

std::string restricted_namespace() {
    auto space = Cluster::shared().make_namespace();
    Cluster::shared().must({"label", "namespace", space,
                            "pod-security.kubernetes.io/enforce=restricted",
                            "pod-security.kubernetes.io/warn=restricted"});
    return space;
}

// What the API server would make of it: the objects, with its defaults. Warnings fail the test.
boost::json::array taken_by_server(const std::string& documents, const std::string& space) {
    const auto applied = Cluster::shared().kubectl(
        {"apply", "--server-side", "--dry-run=server", "-o", "json", "-n", space, "-f", "-"},
        documents);
    INFO(applied.err);
    REQUIRE(applied.code == 0);
    CHECK(applied.err.find("Warning") == std::string::npos);
    auto list = boost::json::parse(applied.out);
    return std::move(list.at("items").as_array());
}

boost::json::object only(const boost::json::array& objects, const std::string& kind) {
    for (const auto& each : objects)
        if (each.at("kind").as_string() == kind) return each.as_object();
    FAIL("there is no " + kind);
    return {};
}

// The pod that the StatefulSet would make; there is no controller here that does.
boost::json::object pod_of(boost::json::object set) {
    boost::json::object pod = set.at("spec").at("template").as_object();
    pod["apiVersion"] = "v1";
    pod["kind"] = "Pod";
    pod["metadata"].as_object()["name"] = "promotiond-0";
    if (set.at("spec").as_object().contains("volumeClaimTemplates"))
        pod.at("spec").at("volumes").as_array().push_back(
            {{"name", "journal"}, {"persistentVolumeClaim", {{"claimName", "journal-0"}}}});
    return pod;
}

}  // namespace

TEST_CASE("chart: helm lint --strict has nothing to say, whatever is switched on") {
    for (const auto& values : {kVolume, kReplicas, kNoVolume, kEverything}) {
        const auto linted = helm({"lint", "--strict", kChart}, values);
        INFO(linted.out << linted.err);
        CHECK(linted.code == 0);
    }
}

TEST_CASE("chart: it installs in each storage mode where the restricted profile is enforced") {
    for (const auto& values : {kVolume, kReplicas, kNoVolume, kEverything}) {
        const auto space = restricted_namespace();
        const auto objects = taken_by_server(rendered(space, values), space);
        const auto pod = pod_of(only(objects, "StatefulSet"));
        const auto created = Cluster::shared().kubectl(
            {"create", "--dry-run=server", "-n", space, "-f", "-"}, boost::json::serialize(pod));
        INFO(created.err);
        CHECK(created.code == 0);
    }
}

TEST_CASE("chart: helm install is taken by the API server, definitions of kinds included") {
    const auto space = restricted_namespace();
    const auto installed =
        helm({"install", "promotiond", kChart, "--namespace", space, "--dry-run=server"});
    INFO(installed.err);
    CHECK(installed.code == 0);
    CHECK(installed.out.find("one replica.") != std::string::npos);
    const auto definitions = helm({"show", "crds", kChart});
    CHECK(definitions.out.find("name: pipelines.pipelines.weave.works") != std::string::npos);
}

TEST_CASE("chart: one replica has a volume that no second pod can have; several are told apart") {
    const auto space = restricted_namespace();
    const auto one = taken_by_server(rendered(space), space);
    const auto claim = only(one, "StatefulSet").at("spec").at("volumeClaimTemplates").at(0);
    CHECK(claim.at("spec").at("accessModes").at(0) == "ReadWriteOncePod");
    CHECK(only(one, "ConfigMap")
              .at("data")
              .at("promotiond.yaml")
              .as_string()
              .find("leaderElection") == boost::json::string::npos);

    const auto several = taken_by_server(rendered(space, kReplicas), space);
    CHECK(only(several, "StatefulSet").at("spec").at("replicas") == 3);
    CHECK(only(several, "PodDisruptionBudget").at("spec").at("maxUnavailable") == 1);
    const std::string config(
        only(several, "ConfigMap").at("data").at("promotiond.yaml").as_string());
    CHECK(config.find("leaderElection:\n      enabled: true\n      name: promotiond\n") !=
          std::string::npos);
}

TEST_CASE("chart: its service account may read the lease that its configuration names") {
    Cluster& cluster = Cluster::shared();
    const auto space = restricted_namespace();
    cluster.must({"apply", "--server-side", "-n", space, "-f", "-"},
                 rendered(space, Words{"-s", "templates/rbac.yaml", "--set",
                                       "fullnameOverride=other,replicas=3"}));
    const std::string account = "system:serviceaccount:" + space + ":other";
    const auto may = [&](Words question) {
        Words all{"auth", "can-i", "--quiet", "--as", account, "-n", space};
        all.insert(all.end(), question.begin(), question.end());
        return cluster.kubectl(all).code == 0;
    };
    CHECK(eventually([&] { return may({"update", "leases.coordination.k8s.io/other"}); }));
    CHECK_FALSE(may({"update", "leases.coordination.k8s.io/promotiond"}));
    CHECK(eventually([&] { return may({"get", "secrets"}); }));
    CHECK_FALSE(may({"list", "secrets"}));
    CHECK_FALSE(may({"update", "pipelines.pipelines.weave.works"}));
}

TEST_CASE("chart: what its schema does not know, or what would lose the journal, is refused") {
    const auto refused = [](const std::string& value) {
        const auto output = helm({"template", "promotiond", kChart, "--set", value});
        CHECK(output.code != 0);
        return output.err;
    };
    CHECK(refused("replica=3").find("'replica' not allowed") != std::string::npos);
    CHECK(refused("config.sever.listen=x").find("'sever' not allowed") != std::string::npos);
    CHECK(refused("persistence.enabled=false").find("/replicas") != std::string::npos);
    CHECK(refused("persistence.accessMode=ReadWriteMany").find("/persistence/accessMode") !=
          std::string::npos);
    CHECK(refused("image.repository=a b").find("/image/repository") != std::string::npos);
    CHECK(refused("ingress.enabled=true").find("/ingress/hosts") != std::string::npos);
    CHECK(refused("ingress.enabled=true,ingress.hosts=null").find("'hosts'") != std::string::npos);
    CHECK(refused("persistence.size=null").find("'size'") != std::string::npos);
    CHECK(refused("networkPolicy=null").find("'networkPolicy'") != std::string::npos);
}

TEST_CASE("chart: what is emptied is left out, and means nobody instead of everybody") {
    const auto space = restricted_namespace();
    const auto text = rendered(space, {"--set", "networkPolicy.monitoringNamespace=", "--set-json",
                                       "networkPolicy.egressPorts=[]"});
    CHECK(text.find("kubernetes.io/metadata.name: }") == std::string::npos);
    const auto policy = only(taken_by_server(text, space), "NetworkPolicy").at("spec").as_object();
    REQUIRE(policy.at("ingress").as_array().size() == 1);
    CHECK(policy.at("ingress").at(0).at("ports").at(0).at("port") == "http");
    for (const auto& rule : policy.at("egress").as_array()) {
        CHECK_FALSE(rule.at("ports").as_array().empty());
        for (const auto& to : rule.at("to").as_array())
            CHECK_FALSE(to.as_object().contains("ipBlock"));
    }
}

TEST_CASE("chart: the schema knows each section of the configuration, and no other") {
    std::set<std::string> documented;
    std::ifstream file(PROMOTIOND_SOURCE "/config/promotiond.yaml");
    for (std::string line; std::getline(file, line);)
        if (!line.empty() && line.front() >= 'a' && line.front() <= 'z')
            documented.insert(line.substr(0, line.find(':')));
    std::ifstream schema(kChart + "/values.schema.json");
    std::stringstream text;
    text << schema.rdbuf();
    std::set<std::string> known;
    const auto parsed = boost::json::parse(text.str());
    for (const auto& each : parsed.at("properties").at("config").at("properties").as_object())
        known.insert(std::string(each.key()));
    CHECK(known == documented);
}

TEST_CASE("chart: the daemon takes the configuration of each storage mode") {
    const auto space = restricted_namespace();
    const promotiond::tests::ScratchDirectory place;
    const auto strategies = place.path() / "strategies";
    std::filesystem::create_directory(strategies);
    std::filesystem::permissions(strategies, std::filesystem::perms{0755});
    for (const auto& values : {kVolume, kReplicas, kNoVolume, kEverything}) {
        const auto objects = taken_by_server(rendered(space, values), space);
        std::string config(only(objects, "ConfigMap").at("data").at("promotiond.yaml").as_string());
        const std::string packaged = "/usr/lib/x86_64-linux-gnu/promotiond/strategies";
        const auto at = config.find(packaged);
        REQUIRE(at != std::string::npos);
        config.replace(at, packaged.size(), strategies.native());
        const auto file = place.path() / "promotiond.yaml";
        std::ofstream(file) << config;
        const auto read = promotiond::tests::run(
            {PROMOTIOND_BUILD "/bin/promotiond", "--config=" + file.native(), "--list-strategies"});
        INFO(config << read.err);
        CHECK(read.code == 0);
    }
}

TEST_CASE("chart: image, service account and version follow the values") {
    const auto text = rendered("somewhere", kEverything);
    CHECK(text.find("image: ghcr.io/promotiond/promotiond@sha256:0123") != std::string::npos);
    const auto plain = rendered("somewhere");
    std::ifstream list(PROMOTIOND_SOURCE "/CMakeLists.txt");
    std::stringstream cmake;
    cmake << list.rdbuf();
    const auto at = plain.find("image: ghcr.io/promotiond/promotiond:");
    REQUIRE(at != std::string::npos);
    const auto tag = plain.substr(at + 37, plain.find('\n', at) - at - 37);
    CHECK(cmake.str().find("project(promotiond VERSION " + tag + " ") != std::string::npos);
}
