// Several daemons on the real API server: one leads, the others forward, and a leader that was
// paused does nothing when it wakes.
#include <openssl/hmac.h>

#include <array>

#include "catch.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/kubernetes/replica.hpp"
#include "tests/simulators/http_server.hpp"

using namespace promotiond;
using namespace promotiond::tests;
using simulators::ScriptedAnswer;

namespace {

const std::string kEvent =
    R"({"involvedObject":{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","namespace":"dev","name":"podinfo"},)"
    R"("severity":"info","reason":"UpgradeSucceeded","message":"done","timestamp":"2026-03-02T10:15:30Z",)"
    R"("metadata":{"revision":"6.0.1"},"reportingController":"helm-controller"})";

// A namespace with a Pipeline whose webhook is a receiver that answers as scripted.
struct Stage {
    explicit Stage(std::vector<ScriptedAnswer> answers, const std::string& more = {})
        : receiver(std::move(answers)), space(cluster.make_namespace()) {
        cluster.apply_file(PROMOTIOND_SOURCE "/config/crd/pipelines.yaml");
        cluster.apply(R"(apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata: {name: podinfo, namespace: )" +
                      space + R"(}
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: podinfo}
  environments:
  - {name: dev, targets: [{namespace: dev}]}
  - {name: prod, targets: [{namespace: prod}]}
  promotion:
    webhook: {url: ")" +
                      receiver.url("/hook") + "\"}\n" + more);
    }

    // A first one that leads, and a second one that follows it.
    void two(Replica& first, Replica& second) const {
        REQUIRE(eventually([&] { return first.leads(); }));
        REQUIRE(eventually([&] { return second.ready(); }));
        CHECK_FALSE(second.leads());
        CHECK(second.measures("promotiond_leader 0"));
    }

    [[nodiscard]] std::string event() const { return "/promotion/" + space + "/podinfo/dev"; }
    [[nodiscard]] std::string pipeline() const { return "/api/v1/pipelines/" + space + "/podinfo"; }
    [[nodiscard]] std::string phase_told() const {
        return cluster
            .kubectl({"get", "pipeline", "podinfo", "-n", space, "-o",
                      "jsonpath={.status.environments.prod.lastPromotion.phase}"})
            .out;
    }

    Cluster& cluster = Cluster::shared();
    const simulators::HttpServer receiver;
    const std::string space;
};

std::string id_of(const net::Response& accepted) {
    const std::string location(net::header(accepted.headers, "Location").value_or(""));
    return location.substr(location.rfind('/') + 1);
}

std::string hmac(const std::string& key, const std::string& text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex += "0123456789abcdef"[digest[i] >> 4U];
        hex += "0123456789abcdef"[digest[i] & 15U];
    }
    return hex;
}

bool in_phase(const Replica& replica, const std::string& id, const std::string& phase) {
    return replica.get("/api/v1/promotions/" + id).body.find("\"" + phase + "\"") !=
           std::string::npos;
}

}  // namespace

TEST_CASE("replicas: a leader paused in the middle of a promotion does nothing when it wakes") {
    // The first call is never answered; the second one is.
    const Stage stage(
        {ScriptedAnswer{"", ScriptedAnswer::After::StaySilent}, simulators::whole(200, "{}")});
    Replica first(stage.cluster, stage.space);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(stage.cluster, stage.space);
    stage.two(first, second);

    const auto accepted = second.post(stage.event(), kEvent);
    INFO(accepted.body);
    REQUIRE(accepted.code == 202);
    const auto id = id_of(accepted);
    REQUIRE(eventually([&] { return stage.receiver.requests().size() == 1; }));
    REQUIRE(eventually([&] { return stage.phase_told() == "Running"; }));

    first.program().signal(SIGSTOP);
    REQUIRE(eventually([&] { return second.leads(); }));
    // It goes on by itself, by what the Pipeline's status says.
    CHECK(eventually([&] { return in_phase(second, id, "Succeeded"); }));
    CHECK(stage.receiver.requests().size() == 2);
    // And who sends the event again hears of the same promotion.
    CHECK(id_of(second.post(stage.event(), kEvent)) == id);

    first.program().signal(SIGCONT);
    CHECK(eventually([&] { return !first.program().running(); }));
    CHECK(first.program().code() == 75);
    CHECK(first.says("PROMO-5202"));
    CHECK(stage.receiver.requests().size() == 2);
    CHECK(eventually([&] { return stage.phase_told() == "Succeeded"; }));
}

TEST_CASE("replicas: a try that became due while the leader was paused is not made") {
    // Long enough that the first one sleeps in between.
    const ReplicaOptions patient{.promotions = "{backoff: {first: 15s, most: 15s}}"};
    const Stage stage({simulators::whole(503, ""), simulators::whole(200, "{}")});
    Replica first(stage.cluster, stage.space, patient);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(stage.cluster, stage.space, patient);
    stage.two(first, second);
    const auto id = id_of(second.post(stage.event(), kEvent));
    REQUIRE(eventually([&] { return stage.receiver.requests().size() == 1; }));
    REQUIRE(eventually([&] { return stage.phase_told() == "Queued"; }));

    first.program().signal(SIGSTOP);
    // Who asks meanwhile is not told that anything was taken.
    const auto refused = second.post(stage.event(), kEvent);
    CHECK(refused.code == 503);
    CHECK(net::header(refused.headers, "Retry-After").has_value());
    REQUIRE(eventually([&] { return second.leads(); }));
    REQUIRE(eventually([&] { return in_phase(second, id, "Succeeded"); }));
    CHECK(stage.receiver.requests().size() == 2);
    first.program().signal(SIGCONT);
    CHECK(eventually([&] { return !first.program().running(); }));
    CHECK(first.program().code() == 75);
    CHECK(stage.receiver.requests().size() == 2);
}

TEST_CASE("replicas: what was done is not done again, by the next leader nor by the one before") {
    const Stage stage({simulators::whole(200, "{}")});
    Replica first(stage.cluster, stage.space);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(stage.cluster, stage.space);
    stage.two(first, second);
    const auto id = id_of(first.post(stage.event(), kEvent));
    REQUIRE(eventually([&] { return stage.phase_told() == "Succeeded"; }));
    const bool paused = GENERATE(true, false);
    if (paused) first.program().signal(SIGSTOP);
    else first.program().kill();
    REQUIRE(eventually([&] { return second.leads(); }));
    CHECK(id_of(second.post(stage.event(), kEvent)) == id);
    CHECK(in_phase(second, id, "Succeeded"));
    if (paused) first.program().signal(SIGCONT);
    CHECK(eventually([&] { return !first.program().running(); }));
    CHECK(stage.receiver.requests().size() == 1);
}

TEST_CASE("replicas: the leader checks the signature and counts the sender behind a standby") {
    const ReplicaOptions strict{
        .server = "rateLimit: {requests: 3, interval: 1h}, trustedProxies: [127.0.0.1]",
        .lease = kLongLease};
    const Stage stage({simulators::whole(200, "{}")}, "    secretRef: {name: events}\n");
    stage.cluster.apply(R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"events",)"
                        R"("namespace":")" +
                        stage.space + R"("},"stringData":{"hmac-key":"key-of-events"}})");
    Replica first(stage.cluster, stage.space, strict);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(stage.cluster, stage.space, strict);
    stage.two(first, second);
    const auto from = [&](const Replica& replica, const std::string& sender, bool good) {
        return replica
            .post(stage.event(), kEvent,
                  {{"X-Forwarded-For", sender},
                   {"X-Signature", "sha256=" + hmac(good ? "key-of-events" : "another", kEvent)}})
            .code;
    };
    CHECK(from(second, "203.0.113.1", true) == 202);
    CHECK(from(second, "203.0.113.1", false) == 401);
    // The fourth of that sender is one too many for the leader; the standby has heard three of
    // them.
    CHECK(from(first, "203.0.113.1", true) == 202);
    CHECK(from(second, "203.0.113.1", true) == 429);
    CHECK(from(second, "203.0.113.2", true) == 202);
}

TEST_CASE("replicas: without a leader nothing is accepted, and a stop hands over at once") {
    const Stage stage({simulators::whole(200, "{}")});
    Replica first(stage.cluster, stage.space);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(stage.cluster, stage.space);
    stage.two(first, second);

    first.program().kill();
    const auto refused = second.post(stage.event(), kEvent);
    CHECK(refused.code == 503);
    CHECK(net::header(refused.headers, "Retry-After").has_value());
    REQUIRE(eventually([&] { return second.leads(); }));
    CHECK(second.post(stage.event(), kEvent).code == 202);
    second.program().stop(std::chrono::minutes{3});
    CHECK(second.program().code() == 0);
    CHECK(second.says("PROMO-5203"));
}

TEST_CASE("replicas: what waited for approval at a leader that was killed still does") {
    const Stage stage({simulators::whole(200, "{}")}, "    manual: true\n");
    Replica first(stage.cluster, stage.space);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(stage.cluster, stage.space);
    stage.two(first, second);
    const auto id = id_of(second.post(stage.event(), kEvent));
    REQUIRE(eventually([&] { return stage.phase_told() == "AwaitingApproval"; }));

    first.program().kill();
    REQUIRE(eventually([&] { return second.leads(); }));
    CHECK(in_phase(second, id, "AwaitingApproval"));
    CHECK(stage.receiver.requests().empty());
    const auto approved =
        second.promotionctl({"approve", stage.space + "/podinfo", "prod", "6.0.1"});
    INFO(approved.err);
    CHECK(approved.code == 0);
    CHECK(eventually([&] { return in_phase(second, id, "Succeeded"); }));
    CHECK(stage.receiver.requests().size() == 1);
}

TEST_CASE("replicas: a standby answers as the leader does, and promotionctl sees no difference") {
    const ReplicaOptions calm{.lease = kLongLease};
    const Stage stage({simulators::whole(200, "{}")});
    Replica first(stage.cluster, stage.space, calm);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(stage.cluster, stage.space, calm);
    stage.two(first, second);

    const auto id = id_of(second.post(stage.event(), kEvent));
    REQUIRE(eventually([&] { return in_phase(first, id, "Succeeded"); }));
    CHECK(second.get("/api/v1/promotions/" + id).body ==
          first.get("/api/v1/promotions/" + id).body);
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"pipelines"}, {"show", id}, {"why", stage.space + "/podinfo"}}) {
        const auto asked = second.promotionctl(words);
        INFO(asked.err);
        CHECK(asked.code == 0);
        CHECK(asked.out == first.promotionctl(words).out);
    }
    // A refusal is the leader's as well: nothing of it is 2xx.
    CHECK(second.get("/api/v1/promotions/p-none").code == 404);
    CHECK(second.post("/promotion/" + stage.space + "/elsewhere/dev", kEvent).code == 404);
    CHECK(second.post(stage.event(), "{}").code == first.post(stage.event(), "{}").code);
    CHECK(second.post(stage.pipeline() + "/environments/prod/approve", "{}").code == 401);
    // Two standbys that take each other for the leader pass nothing on.
    CHECK(second.post(stage.event(), kEvent, {{"Via", "1.1 promotiond"}}).code == 503);
}

TEST_CASE("replicas: one journal for two is refused, whoever leads") {
    const Stage stage({simulators::whole(200, "{}")});
    const ScratchDirectory shared;
    const ReplicaOptions same{.lease = kLongLease, .journal = shared.path() / "journal.db"};
    Replica first(stage.cluster, stage.space, same);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(stage.cluster, stage.space, same);
    CHECK(eventually([&] { return !second.program().running(); }));
    CHECK(second.program().code() == 69);
    CHECK(first.leads());
}
