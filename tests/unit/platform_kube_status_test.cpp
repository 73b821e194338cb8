// The writes of a Pipeline's status: when, with what, and again when one was lost.
#include "base/readiness.hpp"
#include "platform/kubernetes_status.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;
using promotiond::tests::eventually;

namespace {

std::string pipeline_json(const std::string& version, const std::string& status) {
    return R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline","metadata":{)"
           R"("namespace":"team","name":"app","uid":"u1","generation":3,"resourceVersion":")" +
           version + R"("},"status":)" + status + "}";
}

// An API server that answers to writes as told, and the status of team/app.
struct Writing {
    explicit Writing(std::vector<ScriptedAnswer> answers)
        : cluster(std::move(answers), {}, {.readiness = &readiness}),
          status(cluster.client, cluster.clock, cluster.metrics,
                 {.view = {.applications = false}, .pause_first = 1ms, .pause_most = 2ms}) {}
    void stands() {
        auto pipeline = std::make_shared<model::Pipeline>();
        pipeline->id = {"team", "app"};
        pipeline->generation = 3;
        status.stands({pipeline->id, pipeline, std::make_shared<model::History>(),
                       std::make_shared<model::Observations>()});
    }
    void found(const std::string& version, const std::string& said = "{}") {
        object = pipeline_json(version, said);
        const auto read = kube_object(JsonView(object));
        REQUIRE(read.has_value());
        status.found(*read);
    }
    bool asked(std::size_t times) {
        return eventually([&] { return cluster.server.requests().size() >= times; });
    }
    std::uint64_t writes(const std::string& result) {
        return cluster.metrics
            .counter("promotiond_status_writes_total", "Writes of Pipelines' status, by result",
                     {{"result", result}})
            .value();
    }
    [[nodiscard]] bool ready() const {
        const auto parts = readiness.parts();
        const auto found = parts.find("status");
        return found != parts.end() && found->second.state == Readiness::State::Ready;
    }

    Readiness readiness;
    Cluster cluster;
    std::string object;
    KubernetesStatus status;
};

// The server's answer to a write: the object as it is now.
ScriptedAnswer written(const std::string& version) {
    return whole(200, pipeline_json(version, "{}"));
}

}  // namespace

TEST_CASE("kube status: a write is an apply of ours to the status, and nothing else") {
    Writing writing({written("8")});
    writing.stands();
    writing.found("7");
    REQUIRE(writing.asked(1));
    const auto request = writing.cluster.server.requests()[0];
    CHECK(
        request.starts_with("PATCH /apis/pipelines.weave.works/v1alpha1/namespaces/team/"
                            "pipelines/app/status?fieldManager=promotiond&force=true "));
    CHECK(request.find("application/apply-patch+yaml") != std::string::npos);
    CHECK(request.find("\"spec\"") == std::string::npos);
}

TEST_CASE("kube status: one that was refused for a moment is made again until it is taken") {
    Writing writing({status(500, "InternalError", "no leader"),
                     status(409, "Conflict", "it has been changed"),
                     status(429, "TooManyRequests", "later", "Retry-After: 0\r\n"), written("8")});
    writing.stands();
    writing.found("7");
    CHECK(eventually([&] { return writing.writes("written") == 1; }));
    CHECK(writing.cluster.server.requests().size() == 4);
}

TEST_CASE(
    "kube status: one that somebody overwrote is made again, and what is said already is not") {
    Writing writing({written("8"), written("10")});
    writing.stands();
    writing.found("7");
    REQUIRE(eventually([&] { return writing.writes("written") == 1; }));
    const auto request = writing.cluster.server.requests()[0];
    const auto body = request.substr(request.find("\r\n\r\n") + 4);
    const JsonView sent(body);
    const std::string said(sent["status"].raw());
    writing.found("8", said);
    writing.found("9", R"({"conditions":[]})");
    CHECK(eventually([&] { return writing.writes("written") == 2; }));
    CHECK(writing.cluster.server.requests().size() == 2);
}

TEST_CASE("kube status: what another field manager left in an environment is taken away") {
    Writing writing({written("8"), written("10")});
    writing.stands();
    writing.found("7");
    REQUIRE(eventually([&] { return writing.writes("written") == 1; }));
    const auto first = writing.cluster.server.requests()[0];
    const auto body = first.substr(first.find("\r\n\r\n") + 4);
    const JsonView sent(body);
    std::string said(sent["status"].raw());
    const std::string none = R"("environments":{})";
    REQUIRE(said.find(none) != std::string::npos);
    said.replace(said.find(none), none.size(), R"("environments":{"old":{"targets":[]}})");
    writing.found("9", said);
    REQUIRE(eventually([&] { return writing.writes("written") == 2; }));
    const auto second = writing.cluster.server.requests()[1];
    CHECK(second.find("application/merge-patch+json") != std::string::npos);
    CHECK(second.ends_with(R"({"status":{"environments":{"old":null}}})"));
}

TEST_CASE("kube status: a right that is missing is named until a write is taken") {
    Writing writing({status(403, "Forbidden", "User cannot patch pipelines/status"), written("8")});
    writing.stands();
    writing.found("7");
    CHECK(eventually([&] { return writing.writes("forbidden") == 1; }));
    CHECK(eventually([&] { return writing.writes("written") == 1; }));
    CHECK(eventually([&] { return writing.ready(); }));
}
