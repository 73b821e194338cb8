// Patches, replicas and generators of the environments that features are copied of.
#include <map>

#include "catch.hpp"
#include "promotiond/gitops/feature.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

namespace {

using Texts = std::map<std::string, std::string>;

const FeatureWish kWish{{"shop", "web", "v2"}, "dev", "blue", {{"app", "web"}}};
const std::string kDeployment = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: web
        image: x/web:v1
        args: [--verbose, --slow]
        env: [{name: LEVEL, value: info}, {name: ZONE, value: a}]
      - {name: proxy, image: "proxy:1"}
      volumes: [{name: cache, emptyDir: {}}]
)";

Result<std::vector<FileChange>> copy(Texts texts) {
    texts.emplace("shop/dev/d.yaml", kDeployment);
    return copy_feature(kWish,
                        [&](const std::string& path) -> Result<std::optional<std::string>> {
                            const auto found = texts.find(path);
                            if (found == texts.end()) return std::optional<std::string>();
                            return std::optional(found->second);
                        },
                        {});
}

// The copy of the Deployment, in an environment with a namespace and this below it.
std::string patched(const std::string& kustomization, const Texts& more = {}) {
    Texts texts = more;
    texts["shop/dev/kustomization.yaml"] = "namespace: shop\nresources: [d.yaml]\n" + kustomization;
    const auto changes = copy(texts);
    if (!changes) return changes.error().message;
    for (const auto& change : *changes)
        if (change.path.find("Deployment") != std::string::npos) return change.content;
    return "(no Deployment)";
}

std::string refusal(const std::string& kustomization) {
    const auto changes = copy({{"shop/dev/kustomization.yaml", kustomization}});
    return changes ? "(taken)" : changes.error().message;
}

const std::string kHead = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n";

}  // namespace

TEST_CASE("kustomization: a patch is merged into what it names, lists by their keys") {
    const Texts patch{{"shop/dev/patch.yaml", kHead + R"(spec:
  replicas: null
  template:
    metadata: {annotations: {a: b}}
    spec:
      containers:
      - name: web
        args: [--fast]
        env: [{name: LEVEL, value: debug}, {name: ZONE, $patch: delete}, {name: NEW, value: "1"}]
        resources: {limits: {cpu: 100m}}
      volumes: [{name: data, emptyDir: {}}]
)"}};
    for (const std::string list :
         {"patches: [{path: patch.yaml}]\n", "patchesStrategicMerge: [patch.yaml]\n"}) {
        const auto out = patched(list, patch);
        CHECK(out.find("replicas") == std::string::npos);
        CHECK_THAT(out, Catch::Contains("image: x/web:v2") && Catch::Contains("image: proxy:1"));
        CHECK_THAT(out, Catch::Contains("args:\n        - --fast\n        env"));
        CHECK_THAT(out, Catch::Contains("value: debug") && !Catch::Contains("ZONE"));
        CHECK_THAT(out, Catch::Contains("name: NEW") && Catch::Contains("cpu: 100m"));
        CHECK_THAT(out, Catch::Contains("- name: data") && Catch::Contains("- name: cache"));
        CHECK_THAT(out, Catch::Contains("annotations:\n        a: b"));
    }
}

TEST_CASE("kustomization: a patch may be written in place, and name what it is for by a target") {
    const auto with = [](const std::string& target) {
        return patched("patches:\n- target: " + target +
                       "\n  patch: |\n    kind: Deployment\n    metadata: {name: any}\n    spec: "
                       "{paused: true}\n");
    };
    for (const std::string target : {"{kind: Deployment}", "{name: w.*}", "{name: ^web$}",
                                     "{group: apps, version: v1, labelSelector: app=web}"}) {
        INFO(target);
        CHECK_THAT(with(target), Catch::Contains("paused: true") && Catch::Contains("name: web"));
    }
    for (const std::string target :
         {"{kind: Job}", "{name: we}", "{name: .*b1}", "{labelSelector: app=other}"}) {
        INFO(target);
        CHECK_THAT(with(target), !Catch::Contains("paused") && Catch::Contains("kind: Dep"));
    }
    CHECK_THAT(with("{name: w(e|a)b}"), Catch::Contains("of regular expressions only .* can"));
    CHECK_THAT(with("{annotationSelector: a=b}"), Catch::Contains("cannot be built here"));
    CHECK_THAT(with("{labelSelector: app in (web)}"), Catch::Contains("cannot be built here"));
}

TEST_CASE("kustomization: operations by JSON pointers are carried out in their order") {
    const auto out = patched(R"(patchesJson6902:
- target: {kind: Deployment, name: web}
  patch: |
    - {op: test, path: /spec/replicas, value: 1}
    - {op: replace, path: /spec/replicas, value: 3}
    - {op: add, path: /metadata/annotations, value: {}}
    - {op: add, path: /metadata/annotations/a~1b, value: c}
    - {op: copy, from: /spec/replicas, path: /spec/most}
)");
    // "test" would fail beside a copy, which has three.
    CHECK_THAT(out, Catch::Contains("would spoil a copy beside it"));
    const auto good = patched(R"(patches:
- target: {kind: Deployment, name: web}
  patch: |
    - {op: replace, path: /spec/replicas, value: 3}
    - {op: add, path: /metadata/annotations, value: {}}
    - {op: add, path: /metadata/annotations/a~1b, value: c}
    - {op: copy, from: /spec/replicas, path: /spec/most}
    - {op: replace, path: /spec/template/spec/containers/1/image, value: "proxy:2"}
)");
    CHECK_THAT(good, Catch::Contains("replicas: 3") && Catch::Contains("a/b: c") &&
                         Catch::Contains("most: 3") && Catch::Contains("proxy:2"));
}

TEST_CASE("kustomization: patches of a base change what is copied, whatever they do") {
    const Texts base{{"shop/dev/kustomization.yaml", "resources: [base]\n"},
                     {"shop/dev/base/kustomization.yaml",
                      "resources: [../d.yaml]\nreplicas: [{name: web, count: 2}]\npatches:\n"
                      "- target: {kind: Deployment}\n  patch: |\n"
                      "    - {op: move, from: /spec/template/spec/containers/1, path: "
                      "/spec/template/spec/initContainers}\n"
                      "    - {op: remove, path: /spec/template/spec/containers/0/env/1}\n"}};
    const auto changes = copy(base);
    INFO((changes ? std::string() : changes.error().message));
    REQUIRE(changes);
    const auto& out = changes->front().content;
    CHECK_THAT(out, Catch::Contains("replicas: 2") && Catch::Contains("initContainers") &&
                        !Catch::Contains("ZONE"));
}

TEST_CASE("kustomization: what would spoil the environment with a copy in it is refused") {
    // Without a namespace kustomize takes resource and copy for the same.
    CHECK_THAT(
        refusal("resources: [d.yaml]\npatches:\n- patch: |\n    apiVersion: apps/v1\n    kind: "
                "Deployment\n    metadata: {name: web}\n    spec: {paused: true}\n"),
        Catch::Contains("changes Deployment web, and would spoil a copy"));
    // A patch of something else does no harm.
    CHECK(refusal("resources: [d.yaml, o.yaml]\npatches: [{path: o.yaml}]\n")
              .find("shop/dev/o.yaml") != std::string::npos);
}

TEST_CASE("kustomization: a resource may be taken away") {
    CHECK(patched("patches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n    "
                  "metadata: {name: web}\n    $patch: delete\n")
              .find("no resource of shop/dev has the labels") != std::string::npos);
}

TEST_CASE("kustomization: patches that cannot be applied are named with their place") {
    CHECK_THAT(patched("patches: [{path: none.yaml}]\n"),
               Catch::Contains("shop/dev/kustomization.yaml:3: patch: there is no "
                               "shop/dev/none.yaml"));
    CHECK_THAT(patched("patches: [{path: ../../../x}]\n"),
               Catch::Contains("leads out of the repository"));
    CHECK_THAT(patched("patches: [{path: p.yaml, options: {allowNameChange: true}}]\n"),
               Catch::Contains("\"options\" of a patch cannot be built here"));
    CHECK_THAT(patched("patches: [{path: p.yaml}]\n",
                       {{"shop/dev/p.yaml", "kind: Job\nmetadata: {name: other}\n"}}),
               Catch::Contains("it fits no resource: there is no Job other"));
    CHECK_THAT(patched("patches: [{path: p.yaml}]\n",
                       {{"shop/dev/p.yaml", kHead + "spec: {$retainKeys: [a]}\n"}}),
               Catch::Contains("\"$retainKeys\" cannot be built here"));
    CHECK_THAT(patched("patches: [{path: p.yaml, target: {kind: Deployment}}]\n",
                       {{"shop/dev/p.yaml", "- {op: remove, path: /spec/none}\n"}}),
               Catch::Contains("line 1: \"remove /spec/none\" cannot be done on Deployment"));
    CHECK_THAT(patched("patches: [{path: p.yaml}]\n", {{"shop/dev/p.yaml", "- {op: remove}\n"}}),
               Catch::Contains("needs a target"));
    CHECK_THAT(patched("patches: [{path: p.yaml}]\n", {{"shop/dev/p.yaml", "just words\n"}}),
               Catch::Contains("neither a resource nor a list of operations"));
}

TEST_CASE("kustomization: generators that keep their names are shared with the application") {
    const std::string generator = "configMapGenerator:\n- name: config\n  literals: [a=b]\n";
    CHECK_THAT(patched(generator), Catch::Contains("\"configMapGenerator\" cannot be built here"));
    CHECK_THAT(patched("generatorOptions: {disableNameSuffixHash: true}\n" + generator),
               Catch::Contains("kind: Deployment"));
    CHECK_THAT(patched(generator + "  options: {disableNameSuffixHash: true}\n"),
               Catch::Contains("kind: Deployment"));
}
