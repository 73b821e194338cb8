#include <map>

#include "catch.hpp"
#include "promotiond/gitops/commit_lookup.hpp"
#include "promotiond/gitops/feature.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

namespace {

using Texts = std::map<std::string, std::string>;

ReadText reading(const Texts& texts) {
    return [&texts](const std::string& path) -> Result<std::optional<std::string>> {
        const auto found = texts.find(path);
        if (found == texts.end()) return std::optional<std::string>();
        return std::optional(found->second);
    };
}

const FeatureWish kWish{{"shop", "web", "v2"}, "dev", "blue", {{"app", "web"}}};

Texts copied(const Texts& texts, const std::vector<std::string>& there = {}) {
    const auto changes = copy_feature(kWish, reading(texts), there);
    INFO((changes ? std::string() : changes.error().message));
    REQUIRE(changes);
    Texts out;
    for (const auto& change : *changes)
        out[change.path] = change.removed ? "(removed)" : change.content;
    return out;
}

std::string refusal(const Texts& texts, const FeatureWish& wish = kWish) {
    const auto changes = copy_feature(wish, reading(texts), {});
    REQUIRE_FALSE(changes);
    CHECK(changes.error().kind == ErrorKind::Invalid);
    return changes.error().message;
}

}  // namespace

TEST_CASE("feature: the application's resources are copied, and only they") {
    const auto out =
        copied({{"shop/dev/kustomization.yaml",
                 "namespace: shop\ncommonLabels: {team: a}\nresources: [all.yaml, ../base]\n"},
                {"shop/base/kustomization.yaml", "resources:\n- cart.yaml\n"},
                {"shop/base/cart.yaml",
                 "apiVersion: v1\nkind: Service\nmetadata:\n  name: cart\n  labels: {app: cart}\n"},
                {"shop/dev/all.yaml", R"(apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {app: web}
spec:
  selector: {app: web}
  ports: [{port: 80, name: "8080"}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web
  labels: {app: web}
spec:
  template:
    spec:
      containers:
      - name: web
        image: ghcr.io/x/web:v1 # {"$imagepolicy": "shop:web"}
      - name: proxy
        image: proxy:1
---
kind: Namespace
apiVersion: v1
metadata: {name: shop}
)"}});
    REQUIRE(out.size() == 4);
    CHECK(out.at("shop/dev/web-blue/~G_v1_Service-shop-web.yaml") == R"(apiVersion: v1
kind: Service
metadata:
  name: web
  labels:
    app: web
    team: a
  namespace: shop
spec:
  selector:
    app: web
    team: a
  ports:
  - port: 80
    name: "8080"
)");
    const auto& set = out.at("shop/dev/web-blue/apps_v1_StatefulSet-shop-web.yaml");
    CHECK_THAT(set, Catch::Contains("image: ghcr.io/x/web:v2\n"));
    CHECK_THAT(set, Catch::Contains("image: proxy:1\n"));
    CHECK_THAT(out.at("shop/dev/kustomization.yaml"), Catch::Contains("web-blue"));
}

TEST_CASE("feature: hosts and back ends get names of their own") {
    const auto out = copied({{"shop/dev/kustomization.yaml", "resources:\n- all.yaml\n"},
                             {"shop/dev/all.yaml", R"(apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  rules: [{host: web.example.com}]
  tls: [{hosts: [web.example.com]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  hostnames: [web.example.com]
  rules:
  - backendRefs: [{name: web, port: 80}, {name: fn, group: x, kind: Function}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: web.example.com}}]
)"}});
    const auto& ingress = out.at("shop/dev/web-blue/networking.k8s.io_v1_Ingress-shop-web.yaml");
    CHECK_THAT(ingress, Catch::Contains("- host: blue.web.example.com"));
    CHECK_THAT(ingress, Catch::Contains("hosts:\n    - blue.web.example.com"));
    const auto& route =
        out.at("shop/dev/web-blue/gateway.networking.k8s.io_v1_HTTPRoute-shop-web.yaml");
    CHECK_THAT(route, Catch::Contains("- blue.web.example.com"));
    CHECK_THAT(route, Catch::Contains("name: web-blue"));
    CHECK_THAT(route, Catch::Contains("name: fn\n"));
    CHECK_THAT(route, Catch::Contains("hostname: blue.web.example.com"));
}

TEST_CASE(
    "feature: without a marked line the image that is called as the application gets the tag") {
    const auto out = copied({{"shop/dev/kustomization.yaml", "resources:\n- d.yaml\n"},
                             {"shop/dev/d.yaml", R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec: {template: {spec: {containers: [{image: "x/web:v1"}, {image: "y:v1"}]}}}
)"}});
    const auto& text = out.at("shop/dev/web-blue/apps_v1_Deployment--web.yaml");
    CHECK_THAT(text, Catch::Contains("image: x/web:v2"));
    CHECK_THAT(text, Catch::Contains("image: y:v1"));
}

TEST_CASE("feature: a copy that is there is replaced, and listed once") {
    const auto out =
        copied({{"shop/dev/kustomization.yaml", "resources:\n- d.yaml\n- web-blue\n"},
                {"shop/dev/web-blue/kustomization.yaml",
                 "commonLabels: {gitops-promotion.xenit.io/feature: blue}\npatches: "
                 "[x]\nresources: [gone.yaml]\n"},
                {"shop/dev/d.yaml",
                 "apiVersion: v1\nkind: Pod\nmetadata: {name: w, labels: {app: web}}\n"}},
               {"shop/dev/web-blue/kustomization.yaml", "shop/dev/web-blue/gone.yaml"});
    CHECK(out.at("shop/dev/web-blue/gone.yaml") == "(removed)");
    CHECK(out.count("shop/dev/kustomization.yaml") == 0);
}

TEST_CASE("feature: what cannot be copied is refused by name") {
    const std::string pod =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: w, labels: {app: other}}\n";
    const auto with = [&](const std::string& kustomization) {
        return refusal({{"shop/dev/kustomization.yaml", kustomization}, {"shop/dev/d.yaml", pod}});
    };
    CHECK_THAT(refusal({}), Catch::Contains("no kustomization.yaml in shop/dev"));
    CHECK_THAT(with("resources: [d.yaml]\n"), Catch::Contains("no resource of shop/dev has"));
    CHECK_THAT(with("resources: [none.yaml]\n"), Catch::Contains("shop/dev/none.yaml"));
    CHECK_THAT(with("resources: [../../../x]\n"), Catch::Contains("leads out of the repository"));
    CHECK_THAT(with("resources: [https://x/y]\n"), Catch::Contains("leads out of the repository"));
    CHECK_THAT(
        with("resources: []\nconfigMapGenerator: [{name: x}]\n"),
        Catch::Contains("kustomization.yaml:2: \"configMapGenerator\" cannot be built here"));
    auto wish = kWish;
    wish.labels.clear();
    CHECK_THAT(refusal({}, wish), Catch::Contains("has no featureLabelSelector"));
}

TEST_CASE("feature: a kustomization may have any of its names") {
    for (const std::string name : {"kustomization.yml", "Kustomization"}) {
        const auto out =
            copied({{"shop/dev/" + name, "resources:\n- d.yaml\n"},
                    {"shop/dev/d.yaml",
                     "apiVersion: v1\nkind: Pod\nmetadata: {name: w, labels: {app: web}}\n"}});
        CHECK(out.at("shop/dev/" + name) == "resources:\n- d.yaml\n- web-blue\n");
    }
}

TEST_CASE("feature: what the cluster would refuse for its length is refused") {
    const auto of = [](const std::string& kind, std::size_t name) {
        return Texts{{"shop/dev/kustomization.yaml", "resources: [x.yaml]\n"},
                     {"shop/dev/x.yaml", "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: " +
                                             std::string(name, 'n') + ", labels: {app: web}}\n"}};
    };
    CHECK(copied(of("Service", 58)).size() == 3);
    CHECK_THAT(refusal(of("Service", 59)), Catch::Contains("64 characters; at most 63"));
    CHECK(copied(of("ConfigMap", 248)).size() == 3);
    CHECK_THAT(refusal(of("ConfigMap", 249)), Catch::Contains("the name of ConfigMap would be n"));
    auto wish = kWish;
    wish.feature = std::string(60, 'f');
    CHECK_THAT(refusal(of("ConfigMap", 1), wish), Catch::Contains("label app would be web-fff"));
}

TEST_CASE("feature: a name that reads as a number or a word of YAML stays a text") {
    for (const std::string name : {"123", "1e3", "on", "null"}) {
        auto wish = kWish;
        wish.feature = name;
        const Texts texts{{"shop/dev/kustomization.yaml", "resources: [x.yaml]\n"},
                          {"shop/dev/x.yaml",
                           "apiVersion: v1\nkind: Pod\nmetadata: {name: w, labels: {app: web}}\n"}};
        const auto changes = copy_feature(wish, reading(texts), {});
        REQUIRE(changes);
        CHECK_THAT(changes->at(1).content,
                   Catch::Contains("gitops-promotion.xenit.io/feature: \"" + name + "\"\n"));
    }
}

TEST_CASE("feature: the environment's list changes by one line, whatever stands around it") {
    const std::string text =
        "# top\nresources:\n  # first\n  - a.yaml # why\n  - b\nnamespace: x\n";
    const auto longer = with_resource(text, "web-blue");
    REQUIRE(longer);
    CHECK(*longer ==
          "# top\nresources:\n  # first\n  - a.yaml # why\n  - b\n  - web-blue\nnamespace: x\n");
    CHECK(*with_resource(*longer, "web-blue") == *longer);
    CHECK(*without_resource(*longer, "web-blue") == text);
    CHECK(*with_resource("namespace: x", "a") == "namespace: x\nresources:\n- a\n");
    CHECK_THAT(*with_resource("resources: [a, b]\n", "c"), Catch::Contains("- a\n- b\n- c\n"));
    CHECK_THAT(*without_resource("resources: [a, b]\n", "b"), Catch::Contains("- a\n"));
    CHECK_FALSE(with_resource("a: [", "c"));
}

TEST_CASE("commit lookup: Flux's newest word counts, whatever else is said of the commit") {
    const auto word = [](std::vector<CommitStatus> statuses) {
        return verdict_on("apps-dev", statuses);
    };
    CHECK_FALSE(word({}));
    CHECK_FALSE(word({{"ci", {}, Verdict::Success}, {"kustomization/apps", {}, Verdict::Success}}));
    CHECK(word({{"kustomization/apps-dev/0c9c2e41", {}, Verdict::Success},
                {"kustomization/apps-dev", {}, Verdict::Failure}}) == Verdict::Success);
    CHECK(word({{"x/apps-dev", "other", Verdict::Failure},
                {"x/apps-dev", "fluxcd:prod", Verdict::Pending}}) == Verdict::Pending);
    CHECK(word({{"x/apps-dev", "fluxcd", Verdict::Failure}}) == Verdict::Failure);
}
