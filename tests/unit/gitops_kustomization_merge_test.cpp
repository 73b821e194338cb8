// Strategic merge: what one patch makes of one resource. What kustomize makes of the same was
// looked up with kustomize 5.5, 2026-11.
#include "catch.hpp"
#include "sdk/gitops/kustomization_patch.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

namespace {

// The resource after the patch, or why there is none.
std::string merged(const std::string& resource, const std::string& patch) {
    const auto resources = read_yaml(resource);
    const auto kustomization = read_yaml("patches: [{path: p.yaml, target: {name: r}}]\n");
    std::vector<BuiltResource> built{{resources.value().front()}};
    const auto read = [&](const std::string&) { return std::optional(patch); };
    const auto done =
        apply_patches(kustomization.value().front(), "dev", read, built, Beside::Nothing);
    return done ? write_yaml(built.front().tree) : done.error().message;
}

// A Pod whose container "web" has this, after a patch of that container; its text from there.
std::string in_container(const std::string& has, const std::string& patch) {
    const auto all = merged(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: r}\nspec: {containers: "
        "[{name: web, " +
            has + "}]}\n",
        "kind: Pod\n\nspec: {containers: [{name: web, " + patch + "}]}\n");
    constexpr std::string_view kStart = "- name: web\n";
    const auto start = all.find(kStart);
    return start == std::string::npos ? all : all.substr(start + kStart.size());
}

std::string resource(const std::string& version, const std::string& kind, const std::string& rest) {
    return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: r}\n" + rest + "\n";
}

const std::string kEnv = "env: [{name: LEVEL, value: info}, {name: ZONE, value: a}]";

}  // namespace

TEST_CASE("kustomization: a patch may replace or take away a whole list that has keys") {
    const std::string one = "    env:\n    - name: NEW\n";
    CHECK(in_container(kEnv, "env: [{$patch: replace}, {name: NEW}]") == one);
    CHECK(in_container(kEnv, "env: [{name: NEW}, {$patch: replace}]") == one);
    CHECK(in_container(kEnv, "env: [{$patch: delete}]").empty());
    CHECK_THAT(in_container(kEnv, "env: [{$patch: merge}, {name: NEW}]"),
               Catch::StartsWith(one + "    - name: LEVEL\n      value: info\n"));
}

TEST_CASE("kustomization: where a list was not, a patch leaves nothing of what it takes away") {
    CHECK(
        in_container("image: a", "env: [{$patch: delete, name: OLD}, {name: NEW, value: null}]") ==
        "    image: a\n    env:\n    - name: NEW\n");
    CHECK(in_container("image: a", "lifecycle: {preStop: {$patch: delete}, postStart: {a: b}}") ==
          "    image: a\n    lifecycle:\n      postStart:\n        a: b\n");
}

TEST_CASE("kustomization: a word of patches that is not built here is refused wherever it stands") {
    const auto refused = [](const std::string& word, const std::string& patch) {
        INFO(patch);
        CHECK_THAT(in_container(kEnv, patch), Catch::Contains("dev/p.yaml: line 3: \"" + word) &&
                                                  Catch::Contains("cannot be built here"));
    };
    refused("$patch: none", "env: [{$patch: none}]");
    refused("$patch: delete", "env: [{$patch: delete}, {name: NEW}]");
    // kustomize passes over it in one item, and over the item.
    refused("$patch: replace", "env: [{$patch: replace, name: LEVEL, value: a}]");
    refused("$patch", "env: [{$patch: [delete]}]");
    refused("$retainKeys", "env: [{name: NEW, $retainKeys: [name]}]");
    refused("$retainKeys", "env: [{name: NEW, valueFrom: {fieldRef: {$retainKeys: [a]}}}]");
    refused("$retainKeys", "lifecycle: {preStop: {$retainKeys: [a]}}");
    refused("$setElementOrder/env", "$setElementOrder/env: [{name: NEW}]");
    // A list without keys is taken word by word, and so would this be.
    refused("$patch: replace", "args: [{$patch: replace}, --fast]");
    refused("$patch: delete", "envFrom: [{configMapRef: {$patch: delete}}]");
    CHECK_THAT(merged(resource("v1", "Pod", "spec: {a: b}"), "$patch: replace\nspec: {c: d}\n"),
               Catch::Contains("line 1: \"$patch: replace\" of a resource cannot be built here"));
}

TEST_CASE("kustomization: ports are told apart by number and protocol, which is TCP by default") {
    const std::string dns =
        "ports: [{containerPort: 53, protocol: TCP}, {containerPort: 53, protocol: UDP}]";
    const std::string tcp = "    ports:\n    - containerPort: 53\n      protocol: TCP\n";
    const std::string udp = "    - containerPort: 53\n      protocol: UDP\n";
    const std::string host = "      hostPort: 5\n";
    CHECK(in_container(dns, "ports: [{containerPort: 53, protocol: UDP, hostPort: 5}]") ==
          tcp + udp + host);
    CHECK(in_container(dns, "ports: [{containerPort: 53, hostPort: 5}]") == tcp + host + udp);
    CHECK(in_container(dns, "ports: [{containerPort: 53, protocol: UDP, $patch: delete}]") == tcp);
    CHECK(in_container("ports: [{containerPort: 53, name: dns}]",
                       "ports: [{containerPort: 53, protocol: TCP, $patch: delete}]") ==
          "    ports: []\n");
    CHECK_THAT(
        merged(resource("v1", "Service", "spec: {ports: [{port: 53}, {port: 53, protocol: UDP}]}"),
               "spec: {ports: [{port: 53, protocol: UDP, nodePort: 30053}]}\n"),
        Catch::EndsWith("ports:\n  - port: 53\n  - port: 53\n    protocol: UDP\n    nodePort: "
                        "30053\n"));
}

TEST_CASE("kustomization: an item that cannot be told from the others is refused") {
    for (const std::string item : {"{value: a}", "LEVEL", "null"})
        CHECK_THAT(in_container(kEnv, "env: [" + item + "]"),
                   Catch::Contains("line 3: an item of \"env\" has no \"name\""));
    CHECK_THAT(in_container(kEnv, "env: [{name: NEW}, {name: NEW, value: a}]"),
               Catch::Contains("line 3: an item of \"env\" is there twice"));
    CHECK_THAT(
        merged(resource("v1", "Pod", "spec: {topologySpreadConstraints: [{topologyKey: zone}]}"),
               "spec: {topologySpreadConstraints: [{topologyKey: zone, maxSkew: 2}]}\n"),
        Catch::Contains("has no \"whenUnsatisfiable\""));
}

TEST_CASE("kustomization: a list has keys in its own place and kind only") {
    const auto account = [](const std::string& list) {
        return merged(resource("v1", "ServiceAccount", list + ": [{name: a}]"),
                      list + ": [{name: b}]\n");
    };
    CHECK_THAT(account("secrets"), Catch::EndsWith("\nsecrets:\n- name: b\n- name: a\n"));
    CHECK_THAT(account("imagePullSecrets"), Catch::EndsWith("\nimagePullSecrets:\n- name: b\n"));
    CHECK_THAT(merged(resource("discovery.k8s.io/v1", "EndpointSlice", "ports: [{port: 1}]"),
                      "ports: [{port: 2}]\n"),
               Catch::EndsWith("\nports:\n- port: 2\n"));
    CHECK_THAT(merged(resource("apps/v1", "StatefulSet", "spec: {volumeClaimTemplates: [{a: b}]}"),
                      "spec: {volumeClaimTemplates: [{c: d}]}\n"),
               Catch::EndsWith("volumeClaimTemplates:\n  - c: d\n"));
    // Not a kind that Kubernetes brings along, whatever its group is called.
    CHECK_THAT(merged(resource("sparkoperator.k8s.io/v1beta2", "SparkApplication",
                               "spec: {volumes: [{name: a}]}"),
                      "spec: {volumes: [{name: b}]}\n"),
               Catch::EndsWith("volumes:\n  - name: b\n"));
    // kustomize joins these.
    CHECK_THAT(merged(resource("v1", "Secret", "type: Opaque"), "metadata: {finalizers: [x/a]}\n"),
               Catch::Contains("line 1: the list \"finalizers\" cannot be built here"));
}
