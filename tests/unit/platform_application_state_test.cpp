// What application objects say of themselves.
#include "catch.hpp"
#include "platform/application_state.hpp"

using promotiond::platform::application_state;
using promotiond::platform::ApplicationState;
using promotiond::platform::JsonView;

namespace {

ApplicationState read(const std::string& api_version, const std::string& status,
                      const std::string& metadata = "{}") {
    const std::string text = R"({"apiVersion":")" + api_version + R"(","kind":"K","metadata":)" +
                             metadata + R"(,"status":)" + status + "}";
    return application_state(JsonView(text));
}

const char* const kReady = R"("conditions":[{"type":"Released","status":"False"},)"
                           R"({"type":"Ready","status":"True"}])";
const char* const kHelm = "helm.toolkit.fluxcd.io/v2";
const char* const kArgo = "argoproj.io/v1alpha1";

std::string with(const std::string& more) { return "{" + std::string(kReady) + "," + more + "}"; }

}  // namespace

TEST_CASE("application: ready and its last applied revision, of any kind with conditions") {
    for (const char* version :
         {"helm.toolkit.fluxcd.io/v2beta1", "kustomize.toolkit.fluxcd.io/v1", "example.com/v1"}) {
        CHECK(read(version, with(R"("lastAppliedRevision":"1.0.1")")) ==
              ApplicationState{true, "1.0.1", ""});
    }
}

TEST_CASE("application: without conditions it is not ready, and nothing is wrong with it") {
    CHECK(read("kustomize.toolkit.fluxcd.io/v1", "{}") == ApplicationState{});
    CHECK(read("kustomize.toolkit.fluxcd.io/v1", "null") == ApplicationState{});
    CHECK(read("kustomize.toolkit.fluxcd.io/v1", R"({"lastAppliedRevision":"1"})") ==
          ApplicationState{false, "1", ""});
}

TEST_CASE("application: one that is ready and does not say what it runs is an error that says so") {
    CHECK(read(kHelm, with(R"("observedGeneration":1)")).error ==
          "unable to find .status.lastAppliedRevision in ready target object");
}

TEST_CASE("application: a HelmRelease runs the chart version of its newest deployed release") {
    const std::string history = R"("history":[{"chartVersion":"6.0.1","status":"deployed"},)"
                                R"({"chartVersion":"6.0.0","status":"superseded"}])";
    CHECK(read(kHelm, with(history)) == ApplicationState{true, "6.0.1", ""});
    CHECK(read("helm.toolkit.fluxcd.io/v2beta2",
               with(R"("lastAppliedRevision":"6.0.0",)" + history)) ==
          ApplicationState{true, "6.0.1", ""});
    CHECK_FALSE(
        read(kHelm, with(R"("history":[{"chartVersion":"6.0.2","status":"failed"}])")).ready);
    CHECK(read(kHelm, with(R"("lastAppliedRevision":"6.0.0","history":[])")) ==
          ApplicationState{true, "6.0.0", ""});
}

TEST_CASE("application: one that is being deleted is not ready") {
    const std::string metadata = R"({"deletionTimestamp":"2026-01-01T00:00:00Z"})";
    CHECK_FALSE(read(kHelm, with(R"("lastAppliedRevision":"1.0.1")"), metadata).ready);
    CHECK_FALSE(read(kArgo,
                     R"({"health":{"status":"Healthy"},"sync":{"status":"Synced","revision":"a"}})",
                     metadata)
                    .ready);
}

TEST_CASE("application: Argo CD's is ready when healthy, synced and at rest") {
    const auto argo = [](const std::string& health, const std::string& sync,
                         const std::string& phase) {
        return read(kArgo, R"({"health":{"status":")" + health + R"("},"sync":{"status":")" + sync +
                               R"(","revision":"6.0.1"},"operationState":{"phase":")" + phase +
                               R"("}})");
    };
    CHECK(argo("Healthy", "Synced", "Succeeded") == ApplicationState{true, "6.0.1", ""});
    CHECK(argo("Healthy", "Synced", "") == ApplicationState{true, "6.0.1", ""});
    CHECK_FALSE(argo("Progressing", "Synced", "Succeeded").ready);
    CHECK_FALSE(argo("Healthy", "OutOfSync", "Succeeded").ready);
    CHECK_FALSE(argo("Healthy", "Synced", "Running").ready);
    CHECK_FALSE(argo("Healthy", "Synced", "Failed").ready);
    CHECK(read(kArgo, R"({"health":{"status":"Healthy"},"sync":{"status":"Synced",)"
                      R"("revisions":["a","b"]}})")
              .revision == "a");
    CHECK(read(kArgo, R"({"health":{"status":"Healthy"},"sync":{"status":"Synced"}})").error ==
          "unable to find .status.sync.revision in ready target object");
}

TEST_CASE("application: odd shapes are not ready, never a crash") {
    for (const char* status : {"[]", "7", R"({"conditions":{}})", R"({"conditions":[1,null,"x"]})",
                               R"({"conditions":[{"type":1}],"history":{"a":1}})"}) {
        CHECK_FALSE(read(kHelm, status).ready);
        CHECK_FALSE(read(kArgo, status).ready);
    }
}
