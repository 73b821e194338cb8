// Reading Pipelines: every spelling that was ever shipped, and errors that say where and what to
// do.
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "catch.hpp"
#include "model/codec.hpp"

using namespace promotiond;
using namespace promotiond::model;

namespace {

constexpr std::string_view kHead =
    "apiVersion: pipelines.weave.works/v1alpha1\n"
    "kind: Pipeline\n"
    "metadata: {name: app, namespace: default, labels: {a: b}, annotations: {x: y}}\n"
    "spec:\n"
    "  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2beta1, kind: HelmRelease, name: app}\n";
constexpr std::string_view kEnvironments =
    "  environments:\n"
    "  - name: dev\n"
    "    targets: [{namespace: dev}]\n"
    "  - name: prod\n"
    "    targets: [{namespace: prod}]\n";

// A good Pipeline with these lines for spec.promotion.
std::string with_promotion(const std::string& promotion) {
    return std::string(kHead) + promotion + std::string(kEnvironments);
}
std::string with_environments(const std::string& environments) {
    return std::string(kHead) + environments;
}

Pipeline read(const std::string& text) {
    auto pipelines = pipelines_from_yaml(text, "f.yaml");
    if (!pipelines) FAIL(pipelines.error().message);
    REQUIRE(pipelines->pipelines.size() == 1);
    return std::move(pipelines->pipelines.front());
}

std::string errors_of(const std::string& text) {
    const auto pipelines = pipelines_from_yaml(text, "f.yaml");
    return pipelines ? "no error" : pipelines.error().message;
}

// The first one.
std::string error_of(const std::string& text) {
    const std::string all = errors_of(text);
    return all.substr(0, all.find('\n'));
}

// "line:column" of each.
std::set<std::string> places_of(const std::string& text) {
    std::set<std::string> places;
    std::istringstream lines(errors_of(text));
    for (std::string line; std::getline(lines, line);) {
        const auto place = line.substr(line.find(':') + 1);
        CHECK(places.insert(place.substr(0, place.find(": "))).second);
    }
    return places;
}

bool begins_with(const std::string& text, const std::string& start) {
    return text.rfind(start, 0) == 0;
}

struct Spelling {
    const char* what;
    const char* promotion;
    const char* key;
    const char* config;
    const char* hmac;  // empty = none
};

}  // namespace

TEST_CASE(
    "pipeline: application, environments and targets are read in order with their positions") {
    const Pipeline pipeline = read(
        with_environments("  environments:\n"
                          "  - name: dev\n"
                          "    targets: [{namespace: app}]\n"
                          "  - name: qa\n"
                          "    targets:\n"
                          "    - namespace: app\n"
                          "      clusterRef: {kind: GitopsCluster, name: qa, namespace: fleet}\n"
                          "    - {namespace: app, clusterRef: {kind: GitopsCluster, name: perf}}\n"
                          "  - {name: none, targets: []}\n"));
    CHECK(pipeline.id.text() == "default/app");
    CHECK(pipeline.app.group() == "helm.toolkit.fluxcd.io");
    CHECK(pipeline.app.kind == "HelmRelease");
    REQUIRE(pipeline.environments.size() == 3);
    CHECK(pipeline.environments[1].targets[0].text() == "qa/app");
    CHECK(pipeline.environments[1].targets[0].cluster->ns == "fleet");
    CHECK(pipeline.environments[1].targets[1].text() == "perf/app");
    CHECK(pipeline.environments[2].targets.empty());
    CHECK_FALSE(pipeline.promotion);
    CHECK(pipeline.where.file == "f.yaml");
    CHECK(pipeline.where.line == 1);
}

TEST_CASE(
    "pipeline: every spelling of a strategy that was documented or shipped reads as one shape") {
    const Spelling spelling = GENERATE(values<Spelling>({
        {"documents",
         "  promotion: {pullRequest: {url: 'https://h/o/r', branch: main, secretRef: s}}\n",
         "pullRequest", R"({"url":"https://h/o/r","branch":"main","secretRef":"s"})", ""},
        {"documents without secret",
         "  promotion: {pullRequest: {url: 'https://h/o/r', branch: main}}\n", "pullRequest",
         R"({"url":"https://h/o/r","branch":"main"})", ""},
        {"documents, webhook", "  promotion: {webhook: {url: 'https://h/x', secretRef: s}}\n",
         "webhook", R"({"url":"https://h/x","secretRef":"s"})", ""},
        {"v0.0.2",
         "  promotion: {pull-request: {url: 'https://h/o/r', branch: main, secretRef: {name: "
         "s}}}\n",
         "pullRequest", R"({"url":"https://h/o/r","branch":"main","secretRef":"s"})", ""},
        {"v0.0.4", "  promotion: {notification: {}}\n", "notification", "{}", ""},
        {"v0.0.4 with nothing", "  promotion: {notification: }\n", "notification", "{}", ""},
        {"v0.0.24", "  promotion: {pull-request: {url: 'https://h/o/r'}, secretRef: {name: k}}\n",
         "pullRequest", R"({"url":"https://h/o/r"})", "k"},
        {"v0.0.28",
         "  promotion: {strategy: {pull-request: {type: github, url: 'https://h/o/r', branch: "
         "main, secretRef: "
         "{name: s}}, secretRef: {name: k}}}\n",
         "pullRequest",
         R"({"url":"https://h/o/r","branch":"main","type":"github","secretRef":"s"})", "k"},
        {"v0.0.30",
         "  promotion: {manual: false, strategy: {pull-request: {type: gitlab, url: "
         "'https://h/o/r', baseBranch: "
         "trunk, secretRef: {name: s}}}}\n",
         "pullRequest",
         R"({"url":"https://h/o/r","branch":"trunk","type":"gitlab","secretRef":"s"})", ""},
        {"v0.0.30, empty texts",
         "  promotion: {strategy: {pull-request: {type: github, url: foobar, baseBranch: '', "
         "secretRef: {name: "
         "''}}}}\n",
         "pullRequest", R"({"url":"foobar","type":"github"})", ""},
        {"v0.0.28, notification",
         "  promotion: {strategy: {notification: {}, secretRef: {name: k}}}\n", "notification",
         "{}", "k"},
        {"strategy with the documents' key", "  promotion: {strategy: {pullRequest: {url: u}}}\n",
         "pullRequest", R"({"url":"u"})", ""},
        {"further members",
         "  promotion: {pullRequest: {url: u, labels: [a, b], draft: true, reviewers: [x]}}\n",
         "pullRequest", R"({"url":"u","labels":["a","b"],"draft":true,"reviewers":["x"]})", ""},
        {"third party",
         "  promotion: {jenkins: {type: pipeline, url: u, jobs: [1], secretRef: {name: s}}}\n",
         "jenkins", R"({"type":"pipeline","url":"u","jobs":[1],"secretRef":{"name":"s"}})", ""},
        {"third party, nested", "  promotion: {strategy: {jenkins: {job: x}, secretRef: k}}\n",
         "jenkins", R"({"job":"x"})", "k"},
    }));
    INFO(spelling.what);
    const Pipeline pipeline = read(with_promotion(spelling.promotion));
    REQUIRE(pipeline.promotion);
    REQUIRE(pipeline.promotion->strategy);
    CHECK(pipeline.promotion->strategy->key == spelling.key);
    CHECK(pipeline.promotion->strategy->config == spelling.config);
    CHECK(pipeline.promotion->hmac_secret.value_or("") == spelling.hmac);
    CHECK(pipeline.promotion->strategy->where.line == 6);
}

TEST_CASE("pipeline: type and url of a strategy are kept for choosing among plugins") {
    const Pipeline pull =
        read(with_promotion("  promotion: {pullRequest: {url: 'https://h/r', type: github}}\n"));
    CHECK(pull.promotion->strategy->url == "https://h/r");
    CHECK(pull.promotion->strategy->type == "github");
    const Pipeline third = read(with_promotion("  promotion: {jenkins: {url: u, type: t}}\n"));
    CHECK(third.promotion->strategy->url == "u");
    CHECK(third.promotion->strategy->type == "t");
}

TEST_CASE("pipeline: the signing secret of the first releases, under appRef, still counts") {
    std::string text(kHead);
    text.replace(text.find("name: app}\n", text.find("appRef")), 9,
                 "name: app, secretRef: {name: old}");
    CHECK(read(text + std::string(kEnvironments)).promotion->hmac_secret == "old");
    const Pipeline both = read(text + "  promotion: {notification: {}, secretRef: new}\n" +
                               std::string(kEnvironments));
    CHECK(both.promotion->hmac_secret == "new");
}

TEST_CASE("pipeline: a policy without a strategy is admitted") {
    CHECK_FALSE(read(with_promotion("  promotion: {strategy: {}}\n")).promotion->strategy);
    CHECK_FALSE(read(with_promotion("  promotion: {manual: true}\n")).promotion->strategy);
    CHECK(read(with_promotion("  promotion: {manual: true}\n")).promotion->manual);
    CHECK_FALSE(read(with_promotion("  promotion:\n")).promotion);
}

TEST_CASE("pipeline: an environment's own promotion replaces the pipeline's as a whole") {
    const Pipeline pipeline =
        read(std::string(kHead) + "  promotion: {manual: true, notification: {}, per: target}\n" +
             "  environments:\n"
             "  - {name: dev, targets: [{namespace: a}, {namespace: b}], when: all}\n"
             "  - {name: qa, targets: [{namespace: a}], per: environment}\n"
             "  - {name: prod, targets: [{namespace: a}, {namespace: b}], when: 2, promotion: "
             "{webhook: {url: u}}}\n");
    CHECK(pipeline.policy_for(pipeline.environments[1])->manual);
    CHECK_FALSE(pipeline.policy_for(pipeline.environments[2])->manual);
    CHECK(pipeline.policy_for(pipeline.environments[2])->strategy->key == "webhook");
    CHECK(pipeline.environments[0].when.kind == When::Kind::All);
    CHECK(pipeline.environments[1].when.kind == When::Kind::Any);
    CHECK(pipeline.environments[2].when.kind == When::Kind::Count);
    CHECK(pipeline.environments[2].when.count == 2);
    CHECK(pipeline.per_for(pipeline.environments[0]) == Per::Target);
    CHECK(pipeline.per_for(pipeline.environments[1]) == Per::Environment);
    CHECK(pipeline.per_for(pipeline.environments[2]) == Per::Environment);
}

TEST_CASE("pipeline: two strategies are refused, naming both") {
    CHECK(error_of(
              with_promotion("  promotion:\n    pullRequest: {url: u}\n    webhook: {url: u}\n")) ==
          "f.yaml:8:5: spec.promotion.webhook: a second strategy beside "
          "spec.promotion.pullRequest; keep exactly "
          "one");
    CHECK(error_of(with_promotion(
              "  promotion:\n    notification: {}\n    strategy: {webhook: {url: u}}\n")) ==
          "f.yaml:8:16: spec.promotion.strategy.webhook: a second strategy beside "
          "spec.promotion.notification; "
          "keep exactly one");
    CHECK(begins_with(
        error_of(with_promotion("  promotion: {pullRequest: {url: u}, pull-request: {url: u}}\n")),
        "f.yaml:6:38: spec.promotion.pull-request: a second strategy"));
}

TEST_CASE("pipeline: an unknown key is an error at its place, with the nearest name") {
    CHECK(error_of(with_environments("  enviroments: []\n")) ==
          "f.yaml:6:3: spec.enviroments: unknown key; did you mean \"environments\"?");
    CHECK(begins_with(
        error_of(with_environments("  environments:\n  - name: dev\n    target: []\n")),
        "f.yaml:8:5: spec.environments[0].target: unknown key; did you mean \"targets\"?"));
    CHECK(begins_with(
        error_of(with_environments("  environments: [{name: dev, targets: [{namspace: a}]}]\n")),
        "f.yaml:6:41: spec.environments[0].targets[0].namspace: unknown key; did you mean "
        "\"namespace\"?"));
    CHECK(error_of(with_promotion("  promotion: {manul: true, notification: {}}\n")) ==
          "f.yaml:6:15: spec.promotion.manul: unknown key; did you mean \"manual\"?");
    CHECK(begins_with(
        error_of("apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nspecs: {}\n"),
        "f.yaml:3:1: specs: unknown key; did you mean \"spec\"?"));
    CHECK(error_of(with_promotion("  promotion: {strategy: {manual: true}}\n")) ==
          "f.yaml:6:34: spec.promotion.strategy.manual: does not belong here; put it one level up, "
          "beside "
          "\"strategy\"");
}

TEST_CASE("pipeline: all mistakes of a file are told at once, each of them once") {
    const std::string policy = with_promotion(
        "  promotion: {manaul: true, pullRequest: {url: [u], secretRef: A_b}, per: all}\n"
        "  colour: red\n");
    CHECK(places_of(policy) == std::set<std::string>{"6:15", "6:48", "6:64", "6:75", "7:3"});
    const std::string environments = with_environments(
        "  environments: [{name: a b, targets: [{namespace: X_}, {namespace: X_}], when: 3},\n"
        "    {name: b, targets: 5}]\n");
    CHECK(places_of(environments + "---\nkind: Pipeline\n") ==
          std::set<std::string>{"6:25", "6:52", "6:69", "6:81", "7:24", "9:1"});
}

TEST_CASE("pipeline: what is missing, empty or of the wrong kind is named with its path") {
    struct Case {
        const char* text;
        const char* error;
    };
    const Case c = GENERATE(values<Case>({
        {"kind: Pipeline\n", "f.yaml:1:1: apiVersion: is missing; add it"},
        {"apiVersion: pipelines.weave.works/v2\nkind: Pipeline\n",
         "f.yaml:1:13: apiVersion: \"pipelines.weave.works/v2\" is not known; must be "
         "pipelines.weave.works/v1alpha1"},
        {"apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {}\n",
         "f.yaml:3:11: metadata.name: is missing; add it"},
        {"apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: a}\n",
         "f.yaml:1:1: spec: is missing; add it"},
        {"apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: a}\nspec: "
         "[]\n",
         "f.yaml:4:7: spec: must be a mapping (key: value)"},
        {"apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: a}\nspec: "
         "{}\n",
         "f.yaml:4:7: spec.appRef: is missing; add it"},
        {"- a\n", "f.yaml:1:1: must be a mapping (key: value)"},
        {"text\n", "f.yaml:1:1: must be a mapping (key: value)"},
    }));
    CHECK(error_of(c.text) == c.error);
    CHECK(error_of(with_environments("  environments: {}\n")) ==
          "f.yaml:6:17: spec.environments: must be a list");
    CHECK(error_of(with_environments("  environments:\n")).find("spec.environments: is empty") !=
          std::string::npos);
    CHECK(error_of(with_environments("  environments: [{name: , targets: []}]\n"))
              .find("spec.environments[0].name: is empty; give it a value") != std::string::npos);
    CHECK(error_of(with_environments("  environments: [{name: a}]\n")) ==
          "f.yaml:6:18: spec.environments[0].targets: is missing; add it");
    CHECK(error_of(with_environments("  environments: [{name: [a], targets: []}]\n")) ==
          "f.yaml:6:25: spec.environments[0].name: must be text");
    CHECK(error_of(with_promotion("  promotion: {pullRequest: {branch: main}}\n")) ==
          "f.yaml:6:28: spec.promotion.pullRequest.url: is missing; add it");
    CHECK(error_of(with_promotion("  promotion: {manual: yes, notification: {}}\n")) ==
          "f.yaml:6:23: spec.promotion.manual: must be true or false");
    CHECK(error_of(with_promotion("  promotion: {jenkins: 7}\n")) ==
          "f.yaml:6:15: spec.promotion.jenkins: a strategy must be a mapping of its settings");
    CHECK(
        error_of(with_promotion("  promotion: {pullRequest: {url: u, branch: a, baseBranch: b}}\n"))
            .find("\"a\" is not the baseBranch \"b\"") != std::string::npos);
    CHECK(error_of(with_promotion(
                       "  promotion: {secretRef: a, strategy: {notification: {}, secretRef: b}}\n"))
              .find("keep one of them") != std::string::npos);
    CHECK(error_of(with_promotion("  promotion: {notification: {}, per: cluster}\n")) ==
          "f.yaml:6:38: spec.promotion.per: must be environment or target");
}

TEST_CASE("pipeline: names are checked, and text that looks like another type stays text") {
    for (const char* name : {"App", "-a", "a_b", "a/b", "../x", "a..b", "a.-b", "a."}) {
        INFO(name);
        std::string text(kHead);
        text.replace(text.find("name: app"), 9, "name: '" + std::string(name) + "'");
        CHECK(error_of(text + std::string(kEnvironments)).find("is not a name") !=
              std::string::npos);
    }
    for (const char* name : {"a/b", "a:b", "a b", ".", "..", "\\u202e", "\\n", "\\0"}) {
        INFO(name);
        CHECK(begins_with(error_of(with_environments("  environments: [{name: \"" +
                                                     std::string(name) + "\", targets: []}]\n")),
                          "f.yaml:6:25: spec.environments[0].name: "));
    }
    CHECK(error_of(with_environments("  environments: [{name: a, targets: [{namespace: A.b}]}]\n"))
              .find("is not a namespace") != std::string::npos);
    for (const char* name : {"no", "0o7", "1e3", "Prod_EU.1"}) {
        const Pipeline pipeline = read(with_environments(
            "  environments: [{name: " + std::string(name) + ", targets: []}]\n"));
        CHECK(pipeline.environments[0].name == name);
    }
}

TEST_CASE("pipeline: environments, targets and pipelines may not come twice") {
    CHECK(error_of(with_environments(
                       "  environments: [{name: a, targets: []}, {name: a, targets: []}]\n"))
              .find("environment \"a\" is here twice") != std::string::npos);
    CHECK(error_of(with_environments(
                       "  environments: [{name: a, targets: [{namespace: x}, {namespace: x}]}]\n"))
              .find("target x is in this environment twice") != std::string::npos);
    const std::string one = with_promotion("");
    const std::string twice = one + "---\n" + one;
    CHECK(begins_with(error_of(twice),
                      "f.yaml:12:1: Pipeline default/app is in this file already, at line 1"));
}

TEST_CASE("pipeline: when counts no further than there are targets") {
    for (const char* when : {"0", "-1", "3", "most", "1.5", "[1]", "99999999999999999999", "''"}) {
        INFO(when);
        CHECK(
            error_of(
                with_environments(
                    "  environments: [{name: a, targets: [{namespace: x}, {namespace: y}], when: " +
                    std::string(when) + "}]\n"))
                .find("must be any, all, or a number from 1 to the environment's 2 targets") !=
            std::string::npos);
    }
}

TEST_CASE(
    "pipeline: several documents of a file are read in order; without a namespace it is default") {
    std::string second = with_promotion("");
    second.replace(second.find("name: app, namespace: default"), 29, "name: other");
    const auto file =
        pipelines_from_yaml("---\n" + with_promotion("") + "---\n" + second, "f.yaml");
    REQUIRE(file);
    REQUIRE(file->pipelines.size() == 2);
    CHECK(file->pipelines[1].id.text() == "default/other");
}

TEST_CASE("pipeline: a document of another kind beside Pipelines is named and harms none of them") {
    const auto file = pipelines_from_yaml(
        "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n---\n" + with_promotion(""), "f.yaml");
    REQUIRE(file);
    CHECK(file->pipelines.size() == 1);
    REQUIRE(file->foreign.size() == 1);
    CHECK(begins_with(file->foreign[0], "f.yaml:2:7: kind: \"ConfigMap\" is not read here"));
}

TEST_CASE("pipeline: a document that looks like a misspelt Pipeline is an error") {
    CHECK(begins_with(error_of("apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipelien\n"),
                      "f.yaml:2:7: kind: \"Pipelien\" is not read here; only Pipeline is"));
    CHECK(begins_with(error_of("apiVersion: pipeline.weave.works/v1alpha1\nkind: Pipeline\n"),
                      "f.yaml:1:13: apiVersion: "));
    CHECK(begins_with(error_of("kind: ConfigMap\n"),
                      "f.yaml:1:7: kind: \"ConfigMap\" is not read here; only Pipeline is"));
}

TEST_CASE("pipeline: what a Kubernetes API server returns is read the same way") {
    const auto pipeline = pipeline_from_json(
        R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline",)"
        R"("metadata":{"name":"app","namespace":"team","uid":"x","generation":1,"managedFields":[{"f:a":{}}]},)"
        R"("spec":{"appRef":{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","name":"app"},)"
        R"("environments":[{"name":"dev","targets":[{"namespace":"a"}]},{"name":"prod","targets":[]}],)"
        R"("promotion":{"manual":true,"strategy":{"pull-request":{"type":"github","url":"https://h/r",)"
        R"("baseBranch":"1.0","labels":["1",2]}}}},"status":{"observedGeneration":-1,"environments":null}})");
    REQUIRE(pipeline);
    CHECK(pipeline->id.text() == "team/app");
    CHECK(pipeline->promotion->manual);
    CHECK(pipeline->promotion->strategy->config ==
          R"({"url":"https://h/r","branch":"1.0","type":"github","labels":["1",2]})");
    const auto broken =
        pipeline_from_json(R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline",)"
                           R"("metadata":{"name":"app"},"spec":{"appref":{}}})");
    REQUIRE_FALSE(broken);
    CHECK(broken.error().message == "spec.appref: unknown key; did you mean \"appRef\"?");
}

TEST_CASE("pipeline: the example that ships is read without a complaint") {
    std::ifstream file(PROMOTIOND_SOURCE_DIR "/config/pipelines/example.yaml");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto read = pipelines_from_yaml(text, "example.yaml");
    if (!read) FAIL(read.error().message);
    REQUIRE(read->pipelines.size() == 3);
    CHECK(read->pipelines[0].promotion->hmac_secret == "podinfo-promotion");
    CHECK(read->pipelines[1].promotion->strategy->key == "webhook");
    CHECK(read->pipelines[2].promotion->strategy->key == "pullRequest");
}
