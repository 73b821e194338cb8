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

std::string pipeline_json(const std::string& version, const std::string& status,
                          const std::string& name = "app") {
    return R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline","metadata":{)"
           R"("namespace":"team","uid":"u1","generation":3,"name":")" +
           name + R"(","resourceVersion":")" + version + R"("},"status":)" + status + "}";
}

// An API server that answers to writes as told, and the status of team/app.
struct Writing {
    explicit Writing(std::vector<ScriptedAnswer> answers, const Clock* clock = nullptr)
        : cluster(std::move(answers), {}, {.readiness = &readiness}),
          status(cluster.client, clock == nullptr ? cluster.clock : *clock, cluster.metrics,
                 {.view = {.applications = false},
                  .pause_first = 1ms,
                  .pause_most = 2ms,
                  .may_write =
                      [this] {
                          if (before_write) before_write(++tries);
                          return true;
                      },
                  .written = [this](const PipelineState&) { ++news; }}) {}
    void stands(const std::string& name = "app", std::int64_t generation = 3) {
        auto pipeline = std::make_shared<model::Pipeline>();
        pipeline->id = {"team", name};
        pipeline->generation = generation;
        status.stands({pipeline->id, pipeline, std::make_shared<model::History>(),
                       std::make_shared<model::Observations>()});
    }
    void found(const std::string& version, const std::string& said = "{}",
               const std::string& name = "app") {
        object = pipeline_json(version, said, name);
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
    [[nodiscard]] bool is(Readiness::State state) const {
        const auto parts = readiness.parts();
        const auto found = parts.find("status");
        return found != parts.end() && found->second.state == state;
    }
    [[nodiscard]] bool ready() const { return is(Readiness::State::Ready); }
    // What was sent last, without its head.
    [[nodiscard]] std::string sent() const {
        const auto request = cluster.server.requests().back();
        return request.substr(request.find("\r\n\r\n") + 4);
    }

    std::function<void(int nth)> before_write;  // on threads of the status; set it first
    std::atomic<int> tries{0};
    std::atomic<int> news{0};  // what the server took and was not said before
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

TEST_CASE("kube status: what comes while a failed write is made again is written after it") {
    Writing writing({status(500, "InternalError", "no leader"), written("8"), written("9")});
    writing.before_write = [&](int nth) {
        if (nth == 2) writing.stands("app", 4);
    };
    writing.stands();
    writing.found("7");
    REQUIRE(eventually([&] { return writing.writes("written") == 2; }));
    CHECK(writing.sent().find(R"("observedGeneration":4)") != std::string::npos);
}

TEST_CASE("kube status: an object found anew while the retry misses the old one is written") {
    Writing writing({status(500, "InternalError", "no leader"),
                     status(404, "NotFound", "it was replaced"), written("9")});
    writing.before_write = [&](int nth) {
        if (nth == 2) writing.found("8");
    };
    writing.stands();
    writing.found("7");
    CHECK(eventually([&] { return writing.writes("written") == 1; }));
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

TEST_CASE("kube status: what is overwritten again and again is put back less and less often") {
    ManualClock clock;
    Writing writing({written("8"), written("10"), whole(200, pipeline_json("11", "{}", "other")),
                     written("13"), written("15")},
                    &clock);
    writing.stands();
    writing.found("7");
    REQUIRE(eventually([&] { return writing.writes("written") == 1; }));
    const auto first = writing.sent();
    writing.found("9");
    REQUIRE(eventually([&] { return writing.writes("written") == 2; }));  // at once

    clock.advance(100ms);  // its conditions would have another time by now
    writing.found("11");
    writing.stands("other");  // looked at after the one before
    writing.found("11", "{}", "other");
    REQUIRE(eventually([&] { return writing.writes("written") == 3; }));
    CHECK(writing.sent().find("\"other\"") != std::string::npos);

    clock.advance(2s);
    writing.found("12");
    REQUIRE(eventually([&] { return writing.writes("written") == 4; }));
    CHECK(writing.sent() == first);
    CHECK(eventually([&] { return writing.news == 2; }));  // one of each Pipeline

    writing.stands("app", 4);  // what is new does not wait
    REQUIRE(eventually([&] { return writing.writes("written") == 5; }));
    CHECK(eventually([&] { return writing.news == 3; }));
}

TEST_CASE("kube status: an answer that does not come keeps no other Pipeline waiting") {
    Writing writing({{"", After::StaySilent},
                     whole(200, pipeline_json("8", "{}", "other")),
                     whole(200, pipeline_json("9", "{}", "other"))});
    writing.stands();
    writing.found("7");
    REQUIRE(writing.asked(1));
    writing.stands("app", 4);  // its next write comes after that one
    writing.stands("other");
    writing.found("7", "{}", "other");
    REQUIRE(eventually([&] { return writing.writes("written") == 1; }));
    writing.stands("other", 4);
    REQUIRE(eventually([&] { return writing.writes("written") == 2; }));
    CHECK(writing.cluster.server.requests().size() == 3);
}

TEST_CASE("kube status: a dispute is told once, slows down to the most, and ends in quiet") {
    const DisputePace pace;
    StatusDispute dispute;
    SteadyTime now{1h};
    CHECK(dispute.next() <= now);
    CHECK_FALSE(dispute.rewritten(now, pace));
    CHECK(dispute.next() >= now + pace.first * 4 / 5);
    CHECK(dispute.rewritten(now = dispute.next(), pace));
    for (int i = 0; i < 12; ++i) CHECK_FALSE(dispute.rewritten(now = dispute.next(), pace));
    CHECK(dispute.next() >= now + pace.most * 4 / 5);
    CHECK(dispute.next() <= now + pace.most * 6 / 5);
    now += pace.quiet;
    CHECK_FALSE(dispute.rewritten(now, pace));
    CHECK(dispute.next() <= now + pace.first * 6 / 5);
    CHECK(dispute.rewritten(now = dispute.next(), pace));
}

TEST_CASE("kube status: who overwrites it is known by the fields that were written last") {
    const auto writer_of = [](const std::string& entries) {
        const std::string text = R"({"metadata":{"name":"app","managedFields":[)" + entries + "]}}";
        const auto object = kube_object(JsonView(text));
        REQUIRE(object.has_value());
        return last_status_writer(*object, "promotiond");
    };
    const std::string spec = R"({"manager":"kubectl","time":"2026-01-01T00:00:09Z"})";
    const std::string ours =
        R"(,{"manager":"promotiond","subresource":"status","time":"2026-01-01T00:00:05Z"})";
    const auto theirs = [](const std::string& second) {
        return R"(,{"manager":"other","subresource":"status","time":"2026-01-01T00:00:0)" + second +
               "Z\"}";
    };
    CHECK(writer_of(spec).empty());
    CHECK(writer_of(spec + ours) == "promotiond");
    CHECK(writer_of(spec + ours + theirs("5")) == "other");
    CHECK(writer_of(spec + theirs("5") + ours) == "other");
    CHECK(writer_of(spec + theirs("4") + ours) == "promotiond");
}

TEST_CASE("kube status: one of the wrong types, which cannot be applied to, is replaced") {
    Writing writing({status(500, "",
                            "failed to create typed live object: .status.conditions: "
                            "expected list, got &{map[]}"),
                     written("8")});
    writing.stands();
    writing.found("7", R"({"conditions":{},"environments":{"old":true},"phase":"x"})");
    REQUIRE(eventually([&] { return writing.writes("written") == 1; }));
    CHECK(writing.cluster.server.requests().size() == 2);
    CHECK(writing.cluster.server.requests()[1].find("application/merge-patch+json") !=
          std::string::npos);
    const auto body = writing.sent();
    const JsonView said = JsonView(body)["status"];
    CHECK(said["conditions"].is_array());
    CHECK(said["environments"].raw() == R"({"old":null})");
    CHECK(said["phase"].raw() == "null");
}

TEST_CASE("kube status: an object whose status the server never takes is named until it is gone") {
    Writing writing({status(422, "Invalid", "Pipeline is invalid: spec.promotion")});
    const std::string odd = pipeline_json("7", "{}");
    writing.status.found(*kube_object(JsonView(odd)), "spec.promotion is no object");
    REQUIRE(eventually([&] { return writing.is(Readiness::State::Degraded); }));
    CHECK(writing.readiness.parts().at("status").reason.find("team/app") != std::string::npos);
    writing.status.gone({"team", "app"});
    CHECK(writing.ready());
}
