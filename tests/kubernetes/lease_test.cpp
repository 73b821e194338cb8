// Leader election over the real API server.
#include "platform/kube_lease.hpp"

#include <atomic>
#include <ctime>

#include "catch.hpp"
#include "platform/boot_clock.hpp"
#include "tests/kubernetes/cluster.hpp"
#include "tests/kubernetes/eventually.hpp"

using namespace promotiond;
using namespace std::chrono_literals;
using promotiond::tests::Cluster;
using promotiond::tests::eventually;

namespace {

// How long a lease holds: so long that it does not end while a test looks, however slow the machine
// is, or so short that its end can be waited for.
constexpr auto kLong = 600s;
constexpr auto kShort = 6s;

// One replica's elector with a client of its own.
class Candidate {
public:
    Candidate(Cluster& cluster, const std::string& space, const std::string& name,
              std::chrono::seconds duration = kLong)
        : config_(*platform::load_kubeconfig(cluster.kubeconfig_file())),
          http_(platform::kube_http_options(config_, "promotiond/test"), metrics_),
          client_(config(cluster), http_, clock_, metrics_),
          elector(client_, clock_, metrics_,
                  {.ns = space,
                   .identity = name,
                   .address = "http://" + name + ":8082",
                   .duration = duration,
                   .renew_deadline = duration * 2 / 3,
                   .retry = 200ms},
                  {.leading = [this] { led = true; }, .lost = [this] { lost = true; }}) {}

private:
    static platform::KubeConfig config(Cluster& cluster) {
        return std::move(*platform::load_kubeconfig(cluster.kubeconfig_file()));
    }
    Metrics metrics_;
    const platform::BootClock clock_;
    platform::KubeConfig config_;
    net::HttpClient http_;
    platform::KubeClient client_;

public:
    std::atomic<bool> led{false};
    std::atomic<bool> lost{false};
    platform::LeaderElector elector;
};

std::string field_of_lease(const Cluster& cluster, const std::string& space,
                           const std::string& field) {
    return cluster.must(
        {"get", "lease", "promotiond", "-n", space, "-o", "jsonpath={.spec." + field + "}"});
}

std::string leader_of(const Cluster& cluster, const std::string& space) {
    return field_of_lease(cluster, space, "holderIdentity");
}

// Of a MicroTime, in whole seconds.
std::time_t seconds_of(const std::string& time) {
    std::tm parts{};
    REQUIRE(strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) != nullptr);
    return timegm(&parts);
}

}  // namespace

TEST_CASE("lease: of two replicas one leads, and the other knows its address") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    Candidate one(cluster, space, "one");
    Candidate two(cluster, space, "two");
    one.elector.start();
    two.elector.start();
    REQUIRE(eventually([&] { return one.elector.leader() && two.elector.leader(); }));
    CHECK(one.elector.valid() != two.elector.valid());
    const auto name = leader_of(cluster, space);
    CHECK(two.elector.leader()->identity == name);
    CHECK(one.elector.leader()->address == "http://" + name + ":8082");
}

TEST_CASE("lease: what a leader gives up another takes without waiting for the end of its time") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    Candidate one(cluster, space, "one");
    one.elector.start();
    REQUIRE(eventually([&] { return one.elector.valid(); }));
    Candidate two(cluster, space, "two");
    two.elector.start();
    REQUIRE(eventually([&] { return two.elector.leader().has_value(); }));
    one.elector.stop();
    CHECK_FALSE(one.elector.valid());
    CHECK(eventually([&] { return two.elector.valid(); }));
    CHECK(leader_of(cluster, space) == "two");
    CHECK_FALSE(one.lost);
}

TEST_CASE("lease: a leader that vanishes is followed when its lease has expired, and not before") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    {
        Candidate gone(cluster, space, "gone", kShort);
        gone.elector.start();
        REQUIRE(eventually([&] { return gone.led.load(); }));
    }
    const auto renewed = seconds_of(field_of_lease(cluster, space, "renewTime"));
    Candidate two(cluster, space, "two", kShort);
    two.elector.start();
    CHECK(eventually([&] { return two.led.load(); }));
    const auto acquired = seconds_of(field_of_lease(cluster, space, "acquireTime"));
    CHECK(acquired - renewed >= kShort.count() - 1);  // both were cut
    CHECK(field_of_lease(cluster, space, "leaseTransitions") == "1");
}

TEST_CASE("lease: one API server away for longer than the deadline leaves nobody leading") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    Candidate one(cluster, space, "one", kShort);
    one.elector.start();
    REQUIRE(eventually([&] { return one.led.load(); }));
    cluster.pause();
    CHECK(eventually([&] { return one.lost.load(); }));
    CHECK_FALSE(one.elector.valid());
    cluster.resume();
    Candidate two(cluster, space, "two", kShort);
    two.elector.start();
    CHECK(eventually([&] { return two.led.load(); }));
    CHECK_FALSE(one.elector.valid());
}
