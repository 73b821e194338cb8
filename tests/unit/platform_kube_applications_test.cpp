// What is seen of application objects through the API servers that they are on.
#include "base/guarded.hpp"
#include "model/codec.hpp"
#include "platform/kube_applications.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;
using promotiond::tests::eventually;

namespace {

std::shared_ptr<const model::Pipeline> pipeline() {
    auto read = model::pipelines_from_yaml(
        "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n"
        "metadata: {name: app, namespace: team}\nspec:\n"
        "  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2beta1, kind: HelmRelease, name: app}\n"
        "  environments: [{name: dev, targets: [{namespace: team}]}]\n",
        "applications.yaml");
    if (!read) FAIL(read.error().message);
    return std::make_shared<const model::Pipeline>(read->pipelines.front());
}

ScriptedAnswer kinds() {
    return whole(200, R"({"resources":[{"name":"helmreleases","kind":"HelmRelease"}]})");
}

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
    Cluster cluster({
        kinds(),
        list_of({release("v2beta1", "7", "1.0.0")}, "7"),
        status(404, "NotFound", "the server could not find the requested resource"),
        status(404, "NotFound", "the server could not find the requested resource"),
        whole(200, R"({"preferredVersion":{"groupVersion":"helm.toolkit.fluxcd.io/v2"}})"),
        kinds(),
        list_of({release("v2", "9", "2.0.0")}, "9"),
        watch_of("", After::StaySilent),
    });
    Guarded<std::vector<std::string>> told;
    KubeApplications applications(cluster.client, cluster.http, cluster.clock, cluster.metrics,
                                  {.try_again = 1ms}, [&](std::vector<model::Observation> seen) {
                                      for (const auto& each : seen)
                                          told.access()->push_back(each.revision);
                                  });
    applications.set_pipelines({pipeline()});
    CHECK(eventually([&] {
        const auto all = *told.access();
        return !all.empty() && all.back() == "2.0.0";
    }));
    CHECK(told.access()->front() == "1.0.0");
    const auto requests = cluster.server.requests();
    REQUIRE(requests.size() >= 7);
    CHECK(requests[3].starts_with("GET /apis/helm.toolkit.fluxcd.io/v2beta1 "));
    CHECK(requests[6].starts_with("GET /apis/helm.toolkit.fluxcd.io/v2/helmreleases?"));
}
