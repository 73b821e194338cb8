#include "platform/kube_lease.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;

namespace {

// As another replica would have written it, with a wall clock that is an hour behind.
std::string lease_json(const std::string& holder, const std::string& version) {
    return R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"promotiond",)"
           R"("namespace":"team","resourceVersion":")" +
           version +
           R"(","labels":{"kept":"yes"},"annotations":{"promotiond.io/address":"http://)" + holder +
           R"(:8082"}},"spec":{"holderIdentity":")" + holder +
           R"(","leaseDurationSeconds":15,"leaseTransitions":4,)" +
           R"("renewTime":"2020-01-01T00:00:00.000000Z"}})";
}

struct Election {
    explicit Election(std::vector<ScriptedAnswer> answers)
        : cluster(std::move(answers)),
          elector(cluster.client, clock, cluster.metrics,
                  {.ns = "team", .identity = "me", .address = "http://me:8082"},
                  {.leading = [this] { ++led; },
                   .lost = [this] { ++lost; },
                   .changed = [this] { ++changed; }}) {}

    [[nodiscard]] std::string last_request() const { return cluster.server.requests().back(); }

    Cluster cluster;
    ManualClock clock;
    int led = 0;
    int lost = 0;
    int changed = 0;
    LeaderElector elector;
};

ScriptedAnswer absent() { return status(404, "NotFound", "no such lease"); }
ScriptedAnswer conflict() { return status(409, "Conflict", "changed meanwhile"); }
ScriptedAnswer broken() { return status(500, "InternalError", "etcd is away"); }
ScriptedAnswer lease_of(const std::string& holder, const std::string& version) {
    return whole(200, lease_json(holder, version));
}

}  // namespace

TEST_CASE("lease: one that is not there is made, and its maker leads") {
    Election election({absent(), lease_of("me", "1")});
    CHECK_FALSE(election.elector.valid());
    CHECK(election.elector.round() == 2s);
    CHECK(election.elector.valid());
    CHECK(election.led == 1);
    CHECK(election.elector.leader()->identity == "me");
    const auto made = election.last_request();
    CHECK(made.starts_with("POST /apis/coordination.k8s.io/v1/namespaces/team/leases "));
    CHECK(made.find(R"("holderIdentity":"me")") != std::string::npos);
    CHECK(made.find(R"("promotiond.io/address":"http://me:8082")") != std::string::npos);
    CHECK(made.find(R"("leaseTransitions":0)") != std::string::npos);
}

TEST_CASE("lease: another's is left alone until nothing was seen of it for its whole time") {
    Election election({lease_of("other", "7"), lease_of("other", "7"), lease_of("other", "7"),
                       lease_of("me", "8")});
    (void)election.elector.round();
    CHECK(election.elector.leader()->address == "http://other:8082");
    election.clock.advance(14'999ms);
    (void)election.elector.round();
    CHECK_FALSE(election.elector.valid());
    election.clock.advance(1ms);
    CHECK_FALSE(election.elector.leader().has_value());
    (void)election.elector.round();
    CHECK(election.elector.valid());
    const auto taken = election.last_request();
    CHECK(taken.starts_with("PUT "));
    CHECK(taken.find(R"("resourceVersion":"7")") != std::string::npos);
    CHECK(taken.find(R"("leaseTransitions":5)") != std::string::npos);
    CHECK(taken.find(R"("kept":"yes")") != std::string::npos);
}

TEST_CASE("lease: a renewal by its holder is seen by its change, not by its time") {
    Election election({lease_of("other", "7"), lease_of("other", "8"), lease_of("other", "8")});
    (void)election.elector.round();
    election.clock.advance(14s);
    (void)election.elector.round();
    election.clock.advance(14s);
    (void)election.elector.round();
    CHECK_FALSE(election.elector.valid());
    CHECK(election.elector.leader()->identity == "other");
}

TEST_CASE("lease: one that is deleted under its holder is not taken before the holder's time") {
    Election election({lease_of("other", "7"), absent(), absent(), lease_of("me", "1")});
    (void)election.elector.round();
    election.clock.advance(14'999ms);
    (void)election.elector.round();
    CHECK_FALSE(election.elector.valid());
    CHECK(election.elector.leader()->identity == "other");
    election.clock.advance(1ms);
    (void)election.elector.round();
    CHECK(election.elector.valid());
    CHECK(election.last_request().starts_with("POST "));
}

TEST_CASE("lease: who followed a leader hears that there is another, and of no mere renewal") {
    Election election({lease_of("other", "7"), lease_of("other", "8"), lease_of("third", "9"),
                       lease_of("", "10"), lease_of("me", "11")});
    std::vector<int> changes;
    for (int i = 0; i < 4; ++i) {
        (void)election.elector.round();
        changes.push_back(election.changed);
    }
    CHECK(changes == std::vector<int>{1, 1, 2, 4});
    CHECK(election.elector.valid());
}

TEST_CASE("lease: of two that take a free one, the slower one stands by") {
    Election election(
        {absent(), status(409, "AlreadyExists", "somebody was faster"), lease_of("other", "1")});
    (void)election.elector.round();
    CHECK_FALSE(election.elector.valid());
    (void)election.elector.round();
    CHECK(election.elector.leader()->identity == "other");
    CHECK(election.lost == 0);
}

TEST_CASE("lease: a leader that was paused is not valid when it wakes") {
    Election election({absent(), lease_of("me", "1"), lease_of("me", "2")});
    (void)election.elector.round();
    election.clock.advance(9'999ms);
    CHECK(election.elector.valid());
    election.clock.advance(1ms);
    CHECK_FALSE(election.elector.valid());
    CHECK_FALSE(election.elector.round().has_value());
    CHECK(election.lost == 1);
    CHECK(election.cluster.server.requests().size() == 2);
}

TEST_CASE("lease: a renewal counts from its beginning") {
    Election election({absent(), lease_of("me", "1"), lease_of("me", "2")});
    (void)election.elector.round();
    election.clock.advance(6s);
    (void)election.elector.round();
    election.clock.advance(9'999ms);
    CHECK(election.elector.valid());
    CHECK(election.led == 1);
}

TEST_CASE("lease: an API server that fails costs the lead at the deadline and not before") {
    Election election({absent(), lease_of("me", "1"), broken()});
    (void)election.elector.round();
    election.clock.advance(9s);
    CHECK(election.elector.round().has_value());
    CHECK(election.elector.valid());
    election.clock.advance(1s);
    CHECK_FALSE(election.elector.round().has_value());
    CHECK(election.lost == 1);
    CHECK_FALSE(election.elector.round().has_value());
    CHECK(election.lost == 1);
}

TEST_CASE("lease: one that another holds now is lost at once") {
    Election election({absent(), lease_of("me", "1"), conflict(), lease_of("other", "9")});
    (void)election.elector.round();
    CHECK_FALSE(election.elector.round().has_value());
    CHECK_FALSE(election.elector.valid());
    CHECK(election.lost == 1);
}

TEST_CASE("lease: a label that somebody puts on it, or its deletion, costs nobody the lead") {
    Election labelled(
        {absent(), lease_of("me", "1"), conflict(), lease_of("me", "2"), lease_of("me", "3")});
    (void)labelled.elector.round();
    CHECK(labelled.elector.round().has_value());
    CHECK(labelled.elector.valid());
    Election deleted({absent(), lease_of("me", "1"), absent(), absent(), lease_of("me", "5")});
    (void)deleted.elector.round();
    CHECK(deleted.elector.round().has_value());
    CHECK(deleted.last_request().starts_with("POST "));
    CHECK(deleted.elector.valid());
}

TEST_CASE("lease: a claim whose answer was lost is renewed by the next round") {
    Election election({absent(), broken(), lease_of("me", "1"), lease_of("me", "2")});
    (void)election.elector.round();
    CHECK_FALSE(election.elector.valid());
    (void)election.elector.round();
    CHECK(election.elector.valid());
}

TEST_CASE("lease: a stop gives it up, and only where it is ours") {
    Election election({absent(), lease_of("me", "1"), lease_of("", "2")});
    (void)election.elector.round();
    election.elector.stop();
    CHECK_FALSE(election.elector.valid());
    const auto freed = election.last_request();
    CHECK(freed.starts_with("PUT "));
    CHECK(freed.find("holderIdentity") == std::string::npos);
    CHECK(freed.find("promotiond.io/address") == std::string::npos);
    Election standby({lease_of("other", "1")});
    (void)standby.elector.round();
    standby.elector.stop();
    CHECK(standby.cluster.server.requests().size() == 1);
}

TEST_CASE("lease: identities differ from process to process") {
    CHECK(lease_identity() != lease_identity());
    CHECK(lease_identity().find('_') != std::string::npos);
}
