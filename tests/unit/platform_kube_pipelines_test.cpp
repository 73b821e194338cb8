#include <condition_variable>
#include <mutex>

#include "platform/kubernetes.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;

namespace {

std::string pipeline_json(const std::string& name, const std::string& version,
                          const std::string& app = "podinfo", int generation = 1) {
    return R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline","metadata":{)"
           R"("namespace":"team","name":")" +
           name + R"(","uid":"u-)" + name + R"(","resourceVersion":")" + version +
           R"(","generation":)" + std::to_string(generation) +
           R"(},"spec":{"appRef":{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease",)"
           R"("name":")" +
           app +
           R"("},"environments":[{"name":"dev","targets":[{"namespace":"dev"}]}]},)"
           R"("status":{"observedGeneration":-1}})";
}

const std::string kPoison =
    R"({"apiVersion":"pipelines.weave.works/v1alpha1","kind":"Pipeline","metadata":{)"
    R"("namespace":"team","name":"poison","uid":"p","resourceVersion":"3","generation":1},)"
    R"("spec":{"appRef":"podinfo","environments":7}})";

class Reader {
public:
    explicit Reader(Cluster& cluster, KubePipelinesOptions options = {}) {
        options.gather = 1ms;
        if (options.first_list != 1ms) options.first_list = 60s;
        source_ = kube_pipelines(cluster.client, options, cluster.metrics);
        const auto started = source_->start([this](Pipelines pipelines) {
            {
                const std::lock_guard held(mutex_);
                all_.push_back(std::move(pipelines));
            }
            changed_.notify_all();
        });
        REQUIRE(started.has_value());
    }
    // Waits until the newest set is as wished, and gives it.
    Pipelines until(const std::function<bool(const Pipelines&)>& wished) {
        std::unique_lock lock(mutex_);
        const bool came =
            changed_.wait_for(lock, 60s, [&] { return !all_.empty() && wished(all_.back()); });
        REQUIRE(came);
        return all_.back();
    }
    std::size_t calls() {
        const std::lock_guard held(mutex_);
        return all_.size();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Pipelines> all_;
    std::unique_ptr<PipelineSource> source_;
};

const ScriptedAnswer kSilent = watch_of("", After::StaySilent);

}  // namespace

TEST_CASE("kube pipelines: all of them are told in one call, from within start") {
    Cluster cluster({list_of({pipeline_json("a", "1")}, "2", "more"),
                     list_of({pipeline_json("b", "2")}, "2"), kSilent});
    Reader reader(cluster);
    CHECK(reader.calls() == 1);
    const auto all = reader.until([](const Pipelines& p) { return p.all.size() == 2; });
    CHECK(all.problems.empty());
    CHECK(all.all[0]->id == model::PipelineName{"team", "a"});
    CHECK(all.all[0]->uid == "u-a");
    CHECK(all.all[0]->generation == 1);
    CHECK(all.all[0]->where.file == "team/a in Kubernetes");
    CHECK(cluster.server.requests().at(0).starts_with(
        "GET /apis/pipelines.weave.works/v1alpha1/pipelines?limit=500 HTTP/1.1"));
}

TEST_CASE("kube pipelines: one with wrong types is a problem and the others go on") {
    Cluster cluster({list_of({pipeline_json("a", "1"), kPoison}, "3"), kSilent});
    Reader reader(cluster);
    const auto all = reader.until([](const Pipelines& p) { return p.all.size() == 1; });
    REQUIRE(all.problems.size() == 1);
    CHECK(all.problems[0].where.file == "team/poison in Kubernetes");
    CHECK(all.problems[0].message.starts_with("team/poison in Kubernetes: spec.appRef: "));
}

TEST_CASE("kube pipelines: the last good version of one that breaks stays in force") {
    auto broken = pipeline_json("a", "4", "podinfo", 2);
    broken.replace(broken.find("\"environments\":["), 16, "\"environments\":7,\"x\":[");
    Cluster cluster({list_of({pipeline_json("a", "1")}, "3"),
                     watch_of(event_json("MODIFIED", broken), After::StaySilent)});
    Reader reader(cluster);
    const auto all = reader.until([](const Pipelines& p) { return !p.problems.empty(); });
    REQUIRE(all.all.size() == 1);
    CHECK(all.all[0]->app.name == "podinfo");
}

TEST_CASE("kube pipelines: a change of status alone changes nothing") {
    Cluster cluster({list_of({pipeline_json("a", "1")}, "3"),
                     watch_of(event_json("MODIFIED", pipeline_json("a", "4")) +
                                  event_json("ADDED", pipeline_json("b", "5")),
                              After::StaySilent)});
    Reader reader(cluster);
    const auto all = reader.until([](const Pipelines& p) { return p.all.size() == 2; });
    CHECK(reader.calls() <= 2);  // with a and, later or at once, with b
    CHECK(all.all[0]->app.name == "podinfo");
}

TEST_CASE("kube pipelines: a server that refuses is a problem; what is known stays") {
    Cluster cluster({status(403, "Forbidden", "User x cannot list resource pipelines")});
    Reader reader(cluster);
    const auto all = reader.until([](const Pipelines& p) { return !p.problems.empty(); });
    CHECK(all.all.empty());
    CHECK(all.problems[0].message.find("cannot list pipelines.pipelines.weave.works at ") == 0);
}

TEST_CASE("kube pipelines: namespaces and labels narrow what is read") {
    Cluster cluster({list_of({}, "3"), kSilent});
    const Reader reader(cluster, {.namespaces = {"team"}, .selector = "shard in (a,b)"});
    CHECK(cluster.server.requests().at(0).starts_with(
        "GET /apis/pipelines.weave.works/v1alpha1/namespaces/team/pipelines?limit=500&"
        "labelSelector=shard%20in%20%28a%2Cb%29 HTTP/1.1"));
}

TEST_CASE("kube pipelines: not ready before the first list, degraded when it fails later") {
    const auto state = [](const Readiness& readiness) {
        const auto parts = readiness.parts();
        const auto found = parts.find("pipelines");
        return found == parts.end() ? Readiness::Part{} : found->second;
    };
    Readiness readiness;
    {
        Cluster cluster({status(500, "InternalError", "etcd is away")});
        const Reader reader(cluster, {.first_list = 1ms, .readiness = &readiness});
        CHECK(state(readiness).state == Readiness::State::NotReady);
        CHECK_FALSE(readiness.good());
    }
    Cluster cluster({list_of({pipeline_json("a", "1")}, "3"),
                     status(403, "Forbidden", "User x cannot watch resource pipelines")});
    const Reader reader(cluster, {.readiness = &readiness});
    CHECK(readiness.good());
    CHECK(tests::eventually([&] { return state(readiness).state == Readiness::State::Degraded; }));
    CHECK(state(readiness).reason.find("cannot watch") != std::string::npos);
    CHECK(readiness.good());
}

TEST_CASE("kube pipelines: of several namespaces one may be forbidden, but not all") {
    for (const bool all : {false, true}) {
        Readiness readiness;
        Cluster cluster([all](const std::string& request) {
            if (all || request.find("/namespaces/a/") != std::string::npos)
                return status(403, "Forbidden", "User x cannot list resource pipelines");
            if (request.find("watch=") != std::string::npos) return kSilent;
            return list_of({pipeline_json("a", "1")}, "3");
        });
        Reader reader(cluster, {.namespaces = {"a", "b"}, .readiness = &readiness});
        CHECK(tests::eventually([&] { return readiness.good() != all; }));
        const auto parts = readiness.parts();
        CHECK(parts.at("pipelines").state ==
              (all ? Readiness::State::NotReady : Readiness::State::Degraded));
    }
}

TEST_CASE("kube pipelines: whoever follows the objects hears why one cannot be read") {
    Guarded<std::map<std::string, std::string>> faults;
    Cluster cluster({list_of({kPoison, pipeline_json("a", "1")}, "3"), kSilent});
    KubePipelinesOptions options;
    options.object = [&](const KubeObject& object, const std::string& fault) {
        (*faults.access())[object.name.name] = fault;
    };
    const Reader reader(cluster, options);
    CHECK(faults.access()->at("a").empty());
    CHECK_FALSE(faults.access()->at("poison").empty());
}
