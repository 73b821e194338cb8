// What is seen of application objects through the API servers that they are on.
#include <algorithm>

#include "base/guarded.hpp"
#include "model/codec.hpp"
#include "platform/application_sources.hpp"
#include "platform/kube_applications.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;
using promotiond::tests::eventually;

namespace {

std::shared_ptr<const model::Pipeline> pipeline(const std::string& name = "app",
                                                const std::string& version = "v2beta1") {
    auto read = model::pipelines_from_yaml(
        "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: " + name +
            ", namespace: team}\nspec:\n  appRef: {apiVersion: helm.toolkit.fluxcd.io/" + version +
            ", kind: HelmRelease, name: app}\n"
            "  environments: [{name: dev, targets: [{namespace: team}]}]\n",
        "applications.yaml");
    if (!read) FAIL(read.error().message);
    return std::make_shared<const model::Pipeline>(read->pipelines.front());
}

ScriptedAnswer kinds() {
    return whole(200, R"({"resources":[{"name":"helmreleases","kind":"HelmRelease"}]})");
}

// The group's versions, of which the first one is preferred.
ScriptedAnswer group(const std::vector<std::string>& versions) {
    const auto entry = [](const std::string& version) {
        return R"({"groupVersion":"helm.toolkit.fluxcd.io/)" + version + "\"}";
    };
    std::string all;
    for (const auto& version : versions) all += (all.empty() ? "" : ",") + entry(version);
    return whole(
        200, R"({"preferredVersion":)" + entry(versions.front()) + R"(,"versions":[)" + all + "]}");
}

struct Watching {
    explicit Watching(std::vector<ScriptedAnswer> answers, bool namespaces_apart = false)
        : cluster(std::move(answers)), by_namespace(namespaces_apart) {}

    // "<pipeline> <revision> <version of the object>", as they were told.
    [[nodiscard]] bool hears(const std::string& what) {
        return eventually([&] {
            auto all = told.access();
            return std::find(all->begin(), all->end(), what) != all->end();
        });
    }

    Cluster cluster;
    const bool by_namespace;
    Guarded<std::vector<std::string>> told;
    KubeApplications applications{cluster.client,
                                  cluster.http,
                                  cluster.clock,
                                  cluster.metrics,
                                  {.by_namespace = by_namespace, .try_again = 1ms},
                                  [this](std::vector<model::Observation> seen) {
                                      for (const auto& each : seen) {
                                          told.access()->push_back(each.pipeline.name + " " +
                                                                   each.revision + " " +
                                                                   each.object.api_version);
                                      }
                                  }};
};

std::string release(const std::string& version, const std::string& resource_version,
                    const std::string& runs) {
    return R"({"apiVersion":"helm.toolkit.fluxcd.io/)" + version +
           R"(","kind":"HelmRelease","metadata":{"namespace":"team","name":"app","uid":"u1",)"
           R"("resourceVersion":")" +
           resource_version +
           R"("},"status":{"conditions":[{"type":"Ready","status":"True"}],"lastAppliedRevision":")" +
           runs + R"("}})";
}

}  // namespace

TEST_CASE("kube applications: a version that is served no more is followed in the one that is") {
    Watching watching({
        group({"v2beta1"}),
        kinds(),
        list_of({release("v2beta1", "7", "1.0.0")}, "7"),
        status(404, "NotFound", "the server could not find the requested resource"),
        group({"v2"}),
        kinds(),
        list_of({release("v2", "9", "2.0.0")}, "9"),
        watch_of("", After::StaySilent),
    });
    watching.applications.set_pipelines({pipeline()});
    CHECK(watching.hears("app 2.0.0 helm.toolkit.fluxcd.io/v2"));
    CHECK(watching.hears("app 1.0.0 helm.toolkit.fluxcd.io/v2beta1"));
    const auto requests = watching.cluster.server.requests();
    REQUIRE(requests.size() >= 7);
    CHECK(requests[2].starts_with("GET /apis/helm.toolkit.fluxcd.io/v2beta1/helmreleases?"));
    CHECK(requests[6].starts_with("GET /apis/helm.toolkit.fluxcd.io/v2/helmreleases?"));
}

TEST_CASE("kube applications: Pipelines that name several versions of a kind share one watch") {
    Watching watching({
        group({"v2", "v2beta2", "v2beta1"}),
        kinds(),
        list_of({release("v2", "7", "1.0.0")}, "7"),
        watch_of("", After::StaySilent),
    });
    watching.applications.set_pipelines(
        {pipeline("new", "v2"), pipeline("old", "v2beta1"), pipeline("gone", "v2alpha1")});
    for (const char* name : {"new", "old", "gone"}) {
        CHECK(watching.hears(name + std::string(" 1.0.0 helm.toolkit.fluxcd.io/v2")));
    }
    CHECK(eventually([&] { return watching.cluster.server.requests().size() == 4; }));
    const auto last = watching.cluster.server.requests().back();
    CHECK(last.starts_with("GET /apis/helm.toolkit.fluxcd.io/v2/helmreleases?"));
    CHECK(last.find("watch=") != std::string::npos);
}

TEST_CASE("kube applications: where rights are of single namespaces, nothing else is asked for") {
    Watching watching(
        {
            group({"v2"}),
            kinds(),
            list_of({release("v2", "7", "1.0.0")}, "7"),
            watch_of("", After::StaySilent),
        },
        true);
    watching.applications.set_pipelines({pipeline()});
    CHECK(watching.hears("app 1.0.0 helm.toolkit.fluxcd.io/v2"));
    CHECK(eventually([&] { return watching.cluster.server.requests().size() == 4; }));
    const auto requests = watching.cluster.server.requests();
    for (const auto& each : {requests.at(2), requests.at(3)}) {
        CHECK(
            each.starts_with("GET /apis/helm.toolkit.fluxcd.io/v2/namespaces/team/helmreleases?"));
    }
}

TEST_CASE("kube applications: a kind that the preferred version lacks is read in another one") {
    Watching watching({
        group({"v3", "v2"}),
        whole(200, R"({"resources":[{"name":"others","kind":"Other"}]})"),
        kinds(),
        list_of({release("v2", "7", "1.0.0")}, "7"),
        watch_of("", After::StaySilent),
    });
    watching.applications.set_pipelines({pipeline()});
    CHECK(watching.hears("app 1.0.0 helm.toolkit.fluxcd.io/v2"));
}

TEST_CASE("kube applications: a cluster whose first answer is a refusal is looked at again soon") {
    const SourceName name{{"team", "far"}, "helm.toolkit.fluxcd.io", "HelmRelease"};
    Cluster far({status(401, "Unauthorized", "Unauthorized")});
    const auto client =
        std::make_shared<KubeClient>(config_for(far.server), far.http, far.clock, far.metrics);
    Guarded<std::vector<KubeName>> doubted;
    ApplicationSources sources(
        far.client, far.clock, far.metrics, 1h,
        {.client = [&](const KubeName&) { return client; },
         .changed = [](const SourceName&, const KubeName*) {},
         .doubt = [&](const KubeName& cluster) { doubted.access()->push_back(cluster); }});
    sources.want({name});
    CHECK(eventually([&] { return *doubted.access() == std::vector{name.cluster}; }));
    sources.stop();
}
