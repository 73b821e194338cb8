// config/crd/pipelines.yaml on a real API server.
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <map>

#include "catch.hpp"
#include "tests/kubernetes/cluster.hpp"
#include "tests/kubernetes/eventually.hpp"

using promotiond::tests::Cluster;
using promotiond::tests::eventually;

namespace {

const std::string kSource = PROMOTIOND_SOURCE;
const std::string kDefinition = kSource + "/config/crd/pipelines.yaml";
const std::string kOldDefinition = kSource + "/tests/kubernetes/crds/pipelines-shipped.yaml";
const std::string kShipped = kSource + "/tests/kubernetes/pipelines/shipped.yaml";
const std::string kShapes = kSource + "/tests/kubernetes/pipelines/shapes.yaml";

std::string pipeline(const std::string& name, const std::string& spec) {
    return "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: " + name +
           "}\nspec: " + spec;
}

// Whether the server takes it; what it says goes to `words`.
bool admitted(const Cluster& cluster, const std::string& space, const std::string& document,
              std::string* words = nullptr) {
    const auto output =
        cluster.kubectl({"create", "-n", space, "--dry-run=server", "-f", "-"}, document);
    if (words != nullptr) *words = output.err;
    return output.code == 0;
}

// The definition in force, whichever was before: the server takes a changed one after its answer.
Cluster& defined() {
    Cluster& cluster = Cluster::shared();
    cluster.apply_file(kDefinition);
    REQUIRE(eventually(
        [&] { return admitted(cluster, "default", pipeline("probe", "{environments: []}")); }));
    return cluster;
}

using Specs = std::map<std::string, boost::json::value>;

Specs specs_of(const std::string& list) {
    Specs specs;
    const auto parsed = boost::json::parse(list);
    for (const auto& item : parsed.at("items").as_array()) {
        const auto* spec = item.as_object().if_contains("spec");
        specs[item.at("metadata").at("name").as_string().c_str()] =
            spec != nullptr ? *spec : boost::json::value();
    }
    return specs;
}

// What is written in the file, as JSON without the server's doing.
Specs written(const Cluster& cluster, const std::string& file) {
    const std::string documents =
        cluster.must({"create", "--dry-run=client", "--validate=false", "-o", "json", "-f", file});
    boost::json::array items;
    boost::json::stream_parser parser;
    for (std::size_t at = 0; at < documents.size();) {
        boost::json::error_code error;
        at += parser.write_some(documents.data() + at, documents.size() - at, error);
        REQUIRE(!error);
        if (!parser.done()) break;
        items.push_back(parser.release());
        parser.reset();
    }
    if (items.size() == 1 && items[0].as_object().contains("items"))
        return specs_of(boost::json::serialize(items[0]));
    return specs_of(boost::json::serialize(boost::json::object{{"items", items}}));
}

Specs stored(const Cluster& cluster, const std::string& space) {
    return specs_of(cluster.must({"get", "pipelines", "-n", space, "-o", "json"}));
}

void check_same(const Specs& want, const Specs& have) {
    CHECK(want.size() == have.size());
    for (const auto& [name, spec] : want) {
        INFO(name);
        const auto found = have.find(name);
        REQUIRE(found != have.end());
        CHECK(boost::json::serialize(found->second) == boost::json::serialize(spec));
        CHECK(found->second == spec);
    }
}

}  // namespace

TEST_CASE("crd: what the shipped definition stored stays whole, and can still be written") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    cluster.apply_file(kOldDefinition);
    REQUIRE(eventually(
        [&] { return !admitted(cluster, space, pipeline("probe", "{environments: []}")); }));
    cluster.must({"create", "-n", space, "-f", kShipped});
    const Specs before = stored(cluster, space);
    REQUIRE(before.size() == 6);

    defined();
    check_same(before, stored(cluster, space));
    cluster.must({"annotate", "pipelines", "--all", "-n", space, "touched=yes"});
    for (const auto& [name, spec] : before) {
        const auto status = cluster.send(
            "PATCH",
            "/apis/pipelines.weave.works/v1alpha1/namespaces/" + space + "/pipelines/" + name +
                "/status",
            R"({"status":{"environments":{"dev":{"waitingApproval":{"revision":""}}}}})",
            "application/merge-patch+json");
        INFO(status.body);
        CHECK(status.code == 200);
    }
}

TEST_CASE("crd: every shape that a Pipeline ever had is admitted and reads back whole") {
    Cluster& cluster = defined();
    for (const auto& file : {kShipped, kShapes}) {
        const auto space = cluster.make_namespace();
        cluster.must({"create", "-n", space, "-f", file});
        check_same(written(cluster, file), stored(cluster, space));
    }
}

TEST_CASE("crd: the documented example is admitted") {
    Cluster& cluster = defined();
    CHECK(cluster
              .kubectl({"create", "--dry-run=server", "--validate=strict", "-f",
                        kSource + "/config/pipelines/example.yaml"})
              .err.find("unknown field") == std::string::npos);
}

TEST_CASE("crd: a mistake in what is new is refused with its place and the way out") {
    Cluster& cluster = defined();
    struct Mistake {
        std::string spec;
        std::string words;
    };
    const std::string app = "appRef: {apiVersion: a/v1, kind: B, name: c}, ";
    const std::vector<Mistake> mistakes = {
        {"{" + app + "environments: [{name: a, when: 2, targets: [{namespace: x}]}]}",
         "spec.environments[0]: Invalid value: \"object\": when asks for more targets"},
        {"{" + app + "environments: [{name: a, when: most, targets: []}]}",
         "spec.environments[0].when"},
        {"{" + app + "environments: [{name: a, when: 0, targets: []}]}",
         "spec.environments[0].when"},
        {"{" + app + "environments: [], promotion: {per: cluster}}",
         "spec.promotion.per: Unsupported value"},
        {"{" + app + "environments: [], promotion: {webhook: {url: 'ftp://x'}}}",
         "spec.promotion.webhook.url"},
        {"{" + app + "environments: [], promotion: {pullRequest: {branch: main}}}",
         "spec.promotion.pullRequest.url: Required value"},
        {"{" + app + "environments: [], promotion: {webhook: {}, pullRequest: {url: x}}}",
         "keep exactly one"},
        {"{" + app + "environments: [], promotion: {webhook: {}, notification: {}}}",
         "keep exactly one"},
        {"{" + app + "promotion: {}}", "spec.environments: Required value"},
    };
    for (const auto& mistake : mistakes) {
        INFO(mistake.spec);
        std::string words;
        CHECK_FALSE(admitted(cluster, "default", pipeline("mistake", mistake.spec), &words));
        INFO(words);
        CHECK(words.find(mistake.words) != std::string::npos);
    }
}

TEST_CASE("crd: the status keeps what is shown, and kubectl get shows it") {
    Cluster& cluster = defined();
    const auto space = cluster.make_namespace();
    cluster.must({"create", "-n", space, "-f", "-"},
                 pipeline("app",
                          "{appRef: {apiVersion: a/v1, kind: HelmRelease, name: podinfo}, "
                          "environments: [{name: dev, targets: []}]}"));
    const std::string path =
        "/apis/pipelines.weave.works/v1alpha1/namespaces/" + space + "/pipelines/app";
    const auto fresh = boost::json::parse(cluster.send("GET", path).body);
    CHECK(fresh.at("status").at("observedGeneration").to_number<int>() == -1);

    const auto status = boost::json::parse(R"({
        "observedGeneration": 1,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded",
             "message": "All clusters checked", "lastTransitionTime": "2023-01-01T00:00:00Z"},
            {"type": "PromotionPending", "status": "True", "reason": "EnvironmentNotReady",
             "message": "Waiting for all targets to be ready",
             "lastTransitionTime": "2023-01-01T00:00:00Z", "observedGeneration": 1},
            {"type": "AwaitingApproval", "status": "True", "reason": "ManualPromotion",
             "message": "1.2.3 into prod", "lastTransitionTime": "2023-01-01T00:00:00Z"},
            {"type": "Stalled", "status": "True", "reason": "PromotionFailed",
             "message": "1.2.3 into qa: refused", "lastTransitionTime": "2023-01-01T00:00:00Z"}],
        "environments": {
            "dev": {"waitingApproval": {"revision": "1.2.3"},
                    "lastPromotion": {"id": "p1", "revision": "1.2.3", "phase": "Pending",
                                      "reason": "waits for a merge", "url": "https://a/b/pull/1",
                                      "lastTransitionTime": "2023-01-01T00:00:00Z"},
                    "targets": [{"clusterAppRef": {"apiVersion": "a/v1", "kind": "HelmRelease",
                                                   "name": "podinfo",
                                                   "clusterRef": {"kind": "GitopsCluster",
                                                                  "name": "dev"}},
                                 "ready": true, "revision": "1.2.3", "error": ""}]}}})");
    const auto answer = cluster.send(
        "PATCH", path + "/status", boost::json::serialize(boost::json::object{{"status", status}}),
        "application/merge-patch+json");
    INFO(answer.body);
    REQUIRE(answer.code == 200);
    CHECK(boost::json::parse(answer.body).at("status") == status);

    const auto table = cluster.must({"get", "pipelines", "-n", space});
    CHECK(table.find("NAME   APP KIND      APP NAME   AGE") == 0);
    CHECK(table.find("READY   STATUS                 PENDING") != std::string::npos);
    CHECK(table.find("True    All clusters checked   True") != std::string::npos);
    const auto wide = cluster.must({"get", "pipelines", "-n", space, "-o", "wide"});
    for (const char* said :
         {"Waiting for all targets to be ready", "1.2.3 into prod", "1.2.3 into qa: refused"}) {
        CHECK(table.find(said) == std::string::npos);
        CHECK(wide.find(said) != std::string::npos);
    }
    cluster.must({"wait", "--for=condition=Ready", "--timeout=180s", "pipeline/app", "-n", space});
}

TEST_CASE("crd: kubectl explain describes every field") {
    Cluster& cluster = defined();
    for (const char* part :
         {"spec", "spec.promotion", "spec.environments", "status", "status.environments"}) {
        // What the server publishes follows what it takes.
        INFO(part);
        CHECK(eventually([&] {
            const auto text = cluster.kubectl({"explain", std::string("pipeline.") + part});
            return text.code == 0 && text.out.find("<no description>") == std::string::npos;
        }));
    }
}
