// The JSON Schemas that authors rely on: each holds golden documents apart, and what is really
// written here keeps to them.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "gitops_pull_request_fake.hpp"
#include "model/codec.hpp"
#include "promotiond/testing.hpp"
#include "strategy/schema.hpp"
#include "webhook.hpp"

namespace {

namespace fs = std::filesystem;
namespace sdk = promotiond::sdk;
namespace model = promotiond::model;
using promotiond::strategy::Schema;

const fs::path kSource = PROMOTIOND_SOURCE_DIR;

// By the names of folders in tests/unit/schema.
const std::map<std::string, std::string> kSchemas{
    {"event", "sdk/schema/event-1.schema.json"},
    {"targets", "sdk/schema/targets-1.schema.json"},
    {"details", "sdk/schema/details-1.schema.json"},
    {"pullrequest-azdo", "plugins/pullrequest-azdo/config.schema.json"},
    {"pullrequest-github", "plugins/pullrequest-github/config.schema.json"},
    {"webhook-generic", "plugins/webhook-generic/config.schema.json"},
    {"webhook-payload", "plugins/webhook-generic/payload.schema.json"},
};

std::string text_of(const fs::path& file) {
    std::ifstream in(kSource / file);
    REQUIRE(in);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

// Empty, or what is wrong with the document.
std::string complaint(const std::string& schema, const std::string& document) {
    const auto compiled = Schema::compile(text_of(kSchemas.at(schema)));
    REQUIRE(compiled);
    const auto checked = compiled->check(document);
    return checked ? "" : checked.error().message;
}

// The Pipelines of a file, or of a README's first YAML block, which shows spec.promotion alone.
std::vector<model::Pipeline> pipelines_of_readme(const fs::path& file) {
    const auto readme = text_of(file);
    const std::string fence = "```yaml\n";
    const auto begin = readme.find(fence) + fence.size();
    std::istringstream lines(readme.substr(begin, readme.find("```", begin) - begin));
    std::string yaml =
        "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n"
        "metadata: {name: a, namespace: b}\nspec:\n"
        "  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: a}\n"
        "  environments: [{name: dev, targets: [{namespace: a}]}]\n";
    std::string indent = "  ";
    for (std::string line; std::getline(lines, line);) {
        if (line == "spec:") indent.clear();
        else yaml += indent + line + "\n";
    }
    const auto pipelines = model::pipelines_from_yaml(yaml, file);
    if (!pipelines) FAIL(pipelines.error().message);
    return pipelines->pipelines;
}

std::string server_of(const model::StrategyCall& call) {
    if (call.key == "webhook") return "webhook-generic";
    const bool azure = call.url.find("dev.azure.com") != std::string::npos;
    return azure ? "pullrequest-azdo" : "pullrequest-github";
}

void check_configs(const std::vector<model::Pipeline>& pipelines) {
    REQUIRE_FALSE(pipelines.empty());
    for (const auto& pipeline : pipelines) {
        const auto& call = pipeline.promotion.value().strategy.value();
        INFO(call.config);
        CHECK(complaint(server_of(call), call.config).empty());
    }
}

sdk::testing::Request with_real_documents() {
    const auto event = model::event_from_json(text_of("tests/unit/schema/event/valid-flux.json"));
    REQUIRE(event);
    model::Environment environment;
    environment.name = "prod";
    environment.targets = {{"podinfo", std::nullopt}};
    sdk::testing::Request request;
    request.event = model::event_to_json(*event);
    request.targets = model::targets_to_json(environment, {});
    request.config = R"({"url":"https://hook.test/in"})";
    return request;
}

}  // namespace

TEST_CASE("schema: each takes the valid golden documents and refuses the invalid ones") {
    for (const auto& [name, file] : kSchemas) {
        int valid = 0;
        int invalid = 0;
        for (const auto& entry : fs::directory_iterator(kSource / "tests/unit/schema" / name)) {
            INFO(name << "/" << entry.path().filename());
            const bool good = entry.path().filename().native().starts_with("valid-");
            ++(good ? valid : invalid);
            const auto wrong = complaint(name, text_of(entry.path()));
            CHECK((good ? wrong : "") == "");
            if (!good) CHECK_FALSE(wrong.empty());
        }
        INFO(name);
        CHECK(valid > 0);
        CHECK(invalid > 1);
    }
}

TEST_CASE("schema: the configurations that the documentation shows are valid") {
    const auto example = model::pipelines_from_yaml(text_of("config/pipelines/example.yaml"), "x");
    REQUIRE(example);
    check_configs(example->pipelines);
    for (const char* plugin : {"pullrequest-azdo", "pullrequest-github", "webhook-generic"})
        check_configs(pipelines_of_readme(fs::path("plugins") / plugin / "README.md"));
}

TEST_CASE("schema: whatever a Pipeline may say of its type reaches a strategy that takes it") {
    const auto read = model::pipelines_from_yaml(
        "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n"
        "metadata: {name: a, namespace: b}\nspec:\n"
        "  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: a}\n"
        "  environments: [{name: dev, targets: [{namespace: a}]}]\n"
        "  promotion: {webhook: {type: generic, url: 'https://hook.test/in'}}\n",
        "x");
    REQUIRE(read);
    CHECK_THAT(read->pipelines.at(0).promotion.value().strategy.value().config,
               Catch::Contains("\"type\":\"generic\""));
    check_configs(read->pipelines);
}

TEST_CASE("schema: the events that strategies get are as events' schema says") {
    for (const char* body : {R"({"metadata":{"revision":"1"}})",
                             R"({"involvedObject":{"kind":"HelmRelease","name":"a"},"severity":"",
                                "metadata":{"revision":"1"},"timestamp":null})"}) {
        const auto event = model::event_from_json(body);
        REQUIRE(event);
        CHECK(complaint("event", model::event_to_json(*event)).empty());
    }
    CHECK(complaint("event", with_real_documents().event).empty());
}

TEST_CASE("schema: the targets that strategies get are as targets' schema says") {
    const auto example = model::pipelines_from_yaml(text_of("config/pipelines/example.yaml"), "x");
    REQUIRE(example);
    for (const auto& pipeline : example->pipelines) {
        for (const auto& environment : pipeline.environments) {
            CHECK(complaint("targets", model::targets_to_json(environment, {})).empty());
            for (const auto& target : environment.targets)
                CHECK(complaint("targets", model::targets_to_json(environment, target.text()))
                          .empty());
        }
    }
}

TEST_CASE("schema: the body that a webhook sends and its plan are as their schemas say") {
    sdk::testing::FakeHost host;
    host.on_http([](const auto&) { return sdk::testing::HttpScripted{.code = 204}; });
    auto webhook = host.make<promotiond::webhook::Webhook>();
    auto request = with_real_documents();
    CHECK(webhook.promote(request).outcome == PROMOTIOND_DONE);
    request.event = "{}";
    request.target = "podinfo";
    CHECK(webhook.promote(request).outcome == PROMOTIOND_DONE);
    for (const auto& asked : host.requests()) {
        INFO(asked.body);
        CHECK(complaint("webhook-payload", asked.body).empty());
    }
    CHECK(complaint("details", webhook.plan(request).details).empty());
}

TEST_CASE("schema: the details of a pull request and of its plan are as details' schema says") {
    fake::remote = fake::Remote();
    fake::remote.write("main", "a.yaml",
                       "v: \"1.0.0\" # {\"$promotion\": \"team:podinfo:prod\"}\n");
    fake::MemoryForge forge;
    sdk::Promotion promotion;
    promotion.id = "p-1";
    promotion.pipeline_namespace = "team";
    promotion.pipeline_name = "podinfo";
    promotion.environment = "prod";
    promotion.revision = "1.1.0";
    promotion.event = "{}";
    sdk::gitops::PullRequestConfig config;
    config.branch = "main";
    sdk::testing::FakeHost host;
    (void)host.run([&](const promotiond_call* c) {
        sdk::Call call(host.c_host(), *c);
        auto mirror = sdk::gitops::Mirror::open(call, config.url, {});
        REQUIRE(mirror);
        const auto planned = sdk::gitops::plan(promotion, call, config, *mirror);
        CHECK(complaint("details", planned.details).empty());
        const auto opened = sdk::gitops::promote(promotion, call, config, *mirror, forge);
        CHECK(opened.code == PROMOTIOND_PENDING);
        CHECK(complaint("details", opened.details).empty());
        const auto seen = sdk::gitops::observe(promotion, opened.external_id, opened.details, call,
                                               config, forge);
        CHECK(complaint("details", seen.details.empty() ? "{}" : seen.details).empty());
        return seen.code;
    });
}
