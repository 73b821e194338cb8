// KubeClient and KubeWatch against the real API server.
#include "platform/kube_watch.hpp"

#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <set>

#include "base/guarded.hpp"
#include "catch.hpp"
#include "platform/kubernetes.hpp"
#include "tests/kubernetes/base64.hpp"
#include "tests/kubernetes/cluster.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/simulators/connect_proxy.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace std::chrono_literals;
using promotiond::tests::base64_of;
using promotiond::tests::Cluster;
using promotiond::tests::eventually;

namespace {

const KubeResource kConfigMaps{"", "v1", "configmaps"};

// The client of a token, by a kubeconfig as people have them.
class Access {
public:
    explicit Access(const Cluster& cluster, const std::string& token = {})
        : Access(*kubeconfig_from_yaml(
              cluster.kubeconfig(token.empty() ? cluster.admin_token() : token), "test")) {}
    explicit Access(KubeConfig config)
        : http(kube_http_options(config, "promotiond/test"), metrics),
          client(std::move(config), http, clock, metrics) {}
    Metrics metrics;
    SystemClock clock;
    net::HttpClient http;
    KubeClient client;
};

// The ConfigMaps of a namespace as a watch tells them.
class Follower {
public:
    Follower(Access& access, const std::string& ns, std::size_t page = 2,
             std::chrono::milliseconds idle = 90s, std::function<void()> upserted = {}) {
        KubeWatchHandler handler;
        handler.upserted = [this, upserted = std::move(upserted)](const KubeObject& object) {
            {
                auto seen = seen_.access();
                // Never twice the same, whatever happened to the connection.
                seen->doubled |= seen->versions[object.name.name] == object.resource_version;
                seen->versions[object.name.name] = object.resource_version;
            }
            if (upserted) upserted();
        };
        handler.deleted = [this](const KubeName& name) {
            seen_.access()->versions.erase(name.name);
        };
        handler.synced = [this] { ++seen_.access()->lists; };
        watch_.emplace(access.client,
                       KubeWatchOptions{.resource = kConfigMaps,
                                        .selection = {.ns = ns},
                                        .page = page,
                                        .idle = idle,
                                        .pause_first = 20ms,
                                        .pause_most = 200ms,
                                        .pause_refused = 100ms},
                       std::move(handler), access.metrics);
    }
    bool sees(const std::set<std::string>& names) {
        return eventually([&] {
            auto seen = seen_.access();
            std::set<std::string> there;
            for (const auto& [name, version] : seen->versions) there.insert(name);
            return seen->lists > 0 && there == names;
        });
    }
    int lists() { return seen_.access()->lists; }
    bool doubled() { return seen_.access()->doubled; }
    KubeWatch& watch() { return *watch_; }

private:
    struct Seen {
        std::map<std::string, std::string> versions;
        int lists = 0;
        bool doubled = false;
    };
    Guarded<Seen> seen_;
    std::optional<KubeWatch> watch_;
};

void make(const Cluster& cluster, const std::string& ns, const std::string& name) {
    cluster.must({"create", "configmap", name, "-n", ns});
}

}  // namespace

TEST_CASE("kubernetes: a watch knows what is listed, made, changed and deleted") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    for (const char* name : {"a", "b", "c", "d", "e"}) make(cluster, ns, name);
    Access access(cluster);
    Follower follower(access, ns);
    CHECK(follower.sees({"a", "b", "c", "d", "e"}));
    make(cluster, ns, "f");
    cluster.must({"delete", "configmap", "a", "-n", ns});
    CHECK(follower.sees({"b", "c", "d", "e", "f"}));
    CHECK(follower.lists() == 1);
    CHECK_FALSE(follower.doubled());
}

TEST_CASE("kubernetes: a restart of the server is survived without a new list") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    make(cluster, ns, "a");
    Access access(cluster);
    Follower follower(access, ns);
    REQUIRE(follower.sees({"a"}));
    cluster.restart();
    make(cluster, ns, "b");
    CHECK(follower.sees({"a", "b"}));
    CHECK_FALSE(follower.doubled());
}

TEST_CASE("kubernetes: after a compaction everything is listed anew, and nothing told twice") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    for (const char* name : {"a", "b", "c"}) make(cluster, ns, name);
    Access access(cluster);
    Follower follower(access, ns);
    REQUIRE(follower.sees({"a", "b", "c"}));
    cluster.must({"delete", "configmap", "b", "-n", ns});
    // Of something else: what the watch saw last is older than what is compacted.
    cluster.must({"create", "secret", "generic", "another", "-n", ns});
    cluster.forget_past();
    make(cluster, ns, "d");
    CHECK(follower.sees({"a", "c", "d"}));
    CHECK(eventually([&] { return follower.lists() == 2; }));
    CHECK_FALSE(follower.doubled());
}

TEST_CASE("kubernetes: rights that are taken away are named, and given back are used") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    const auto token = cluster.service_account_token(ns, "default");
    Access access(cluster, token);
    Follower follower(access, ns);
    CHECK(eventually([&] { return follower.watch().trouble().has_value(); }));
    const auto trouble = follower.watch().trouble();
    REQUIRE(trouble);
    CHECK(trouble->reason == KubeReason::Forbidden);
    CHECK(trouble->error.message.find("configmaps") != std::string::npos);
    cluster.must(
        {"create", "role", "reader", "--verb=list,watch", "--resource=configmaps", "-n", ns});
    cluster.must({"create", "rolebinding", "reader", "--role=reader",
                  "--serviceaccount=" + ns + ":default", "-n", ns});
    make(cluster, ns, "a");
    CHECK(follower.sees({"a"}));
    CHECK(eventually([&] { return !follower.watch().trouble().has_value(); }));
}

TEST_CASE("kubernetes: objects of a megabyte come through, in smaller pages") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    Access access(cluster);
    const std::string large(1'000'000, 'x');
    std::set<std::string> names;
    for (int i = 0; i < 20; ++i) {
        const auto name = "large-" + std::to_string(i);
        names.insert(name);
        const auto made =
            access.client.create(kConfigMaps, ns,
                                 R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" +
                                     name + R"("},"data":{"text":")" + large + R"("}})");
        if (!made) FAIL(made.error().error.message);
    }
    Follower follower(access, ns, 500);
    CHECK(follower.sees(names));
}

TEST_CASE("kubernetes: an object is made, got, patched and deleted") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    Access access(cluster);
    const KubeName name{ns, "one"};
    const std::string object =
        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"1"}})";
    const auto made = access.client.create(kConfigMaps, ns, object);
    if (!made) FAIL(made.error().error.message);
    const auto uid = kube_object(JsonView(*made))->uid;
    CHECK(access.client.create(kConfigMaps, ns, object).error().reason ==
          KubeReason::AlreadyExists);
    const auto applied =
        access.client.patch(kConfigMaps, name, KubePatchKind::Apply,
                            R"({"apiVersion":"v1","kind":"ConfigMap","data":{"b":"2"}})",
                            {.field_manager = "promotiond", .force = true});
    if (!applied) FAIL(applied.error().error.message);
    CHECK(JsonView(*applied).at({"data", "b"}).text() == "2");
    const auto merged =
        access.client.patch(kConfigMaps, name, KubePatchKind::Merge, R"({"data":{"a":null}})");
    REQUIRE(merged.has_value());
    CHECK_FALSE(JsonView(*merged).at({"data", "a"}));
    CHECK(access.client.update(kConfigMaps, name, *made).error().reason == KubeReason::Conflict);
    CHECK(access.client.remove(kConfigMaps, name, "another").error().reason ==
          KubeReason::Conflict);
    CHECK(access.client.remove(kConfigMaps, name, uid).has_value());
    CHECK(access.client.get(kConfigMaps, name).error().reason == KubeReason::NotFound);
    const auto kind = access.client.resource_of("apps/v1", "Deployment");
    REQUIRE(kind.has_value());
    CHECK(kind->plural == "deployments");
}

TEST_CASE("kubernetes: a server that stands still is given up, and followed again when it moves") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    make(cluster, ns, "a");
    Access access(cluster);
    Follower follower(access, ns, 2, 1s);
    REQUIRE(follower.sees({"a"}));
    cluster.pause();
    const auto given_up = eventually([&] {
        return access.metrics.render().find("promotiond_kube_watch_failures_total{") !=
               std::string::npos;
    });
    cluster.resume();
    CHECK(given_up);
    make(cluster, ns, "b");
    CHECK(follower.sees({"a", "b"}));
    CHECK(follower.lists() == 1);
    CHECK_FALSE(follower.doubled());
}

TEST_CASE("kubernetes: a watch that stalls in a proxy is given up, and goes on by another tunnel") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    make(cluster, ns, "a");
    promotiond::simulators::ConnectProxy proxy(cluster.port());
    auto text = cluster.kubeconfig(cluster.admin_token());
    const std::string begin = "cluster: {";
    text.insert(text.find(begin) + begin.size(), "proxy-url: '" + proxy.url() + "', ");
    auto config = kubeconfig_from_yaml(text, "test");
    if (!config) FAIL(config.error().message);
    Access access(std::move(*config));
    Follower follower(access, ns, 2, 2s);
    REQUIRE(follower.sees({"a"}));
    proxy.stall();
    const auto tunnels = proxy.heads().size();
    make(cluster, ns, "b");
    CHECK(follower.sees({"a", "b"}));
    CHECK(proxy.heads().size() > tunnels);
    CHECK(follower.lists() == 1);
    CHECK_FALSE(follower.doubled());
}

TEST_CASE("kubernetes: in a pod, a token that is rotated is used as soon as the old one ends") {
    Cluster cluster({.users = {{"old-token", "follower", {"system:masters"}}}});
    const auto ns = cluster.make_namespace();
    make(cluster, ns, "a");
    const promotiond::tests::ScratchDirectory directory;
    const auto mount = [&](const char* name, const std::string& text) {
        std::ofstream(directory.path() / name) << text;
    };
    mount("token", "old-token");
    mount("ca.crt", cluster.ca_pem());
    mount("namespace", ns);
    auto config = in_cluster_config({.host = "127.0.0.1",
                                     .port = std::to_string(cluster.port()),
                                     .directory = directory.path()});
    if (!config) FAIL(config.error().message);
    CHECK(config->ns == ns);
    Access access(std::move(*config));
    Follower follower(access, ns);
    REQUIRE(follower.sees({"a"}));
    cluster.set_users({{"new-token", "follower", {"system:masters"}}});
    mount("token", "new-token");
    cluster.restart();
    make(cluster, ns, "b");
    CHECK(follower.sees({"a", "b"}));
}

TEST_CASE("kubernetes: a client certificate of a kubeconfig is taken, from files and inline") {
    Cluster& cluster = Cluster::shared();
    const auto identity = cluster.client("jane", "system:masters");
    const promotiond::tests::ScratchDirectory directory;
    std::ofstream(directory.path() / "jane.pem") << identity.certificate;
    std::ofstream(directory.path() / "jane.key") << identity.key;
    const std::string user =
        GENERATE_COPY(as<std::string>{}, "client-certificate: jane.pem, client-key: jane.key",
                      "client-certificate-data: " + base64_of(identity.certificate) +
                          ", client-key-data: " + base64_of(identity.key));
    auto text = cluster.kubeconfig("unused");
    const std::string token = "token: 'unused'";
    text.replace(text.find(token), token.size(), user);
    std::ofstream(directory.path() / "kubeconfig") << text;
    auto config = load_kubeconfig(directory.path() / "kubeconfig");
    if (!config) FAIL(config.error().message);
    Access access(std::move(*config));
    const auto namespaces = access.client.get_path("/api/v1/namespaces");
    if (!namespaces) FAIL(namespaces.error().error.message);
}

TEST_CASE("kubernetes: a list whose next page has expired begins anew and tells nothing twice") {
    Cluster& cluster = Cluster::shared();
    const auto ns = cluster.make_namespace();
    for (const char* name : {"a", "b", "c", "d", "e"}) make(cluster, ns, name);
    Access access(cluster);
    std::promise<void> first_page;
    std::promise<void> expired;
    Follower follower(access, ns, 2, 90s, [&, once = false]() mutable {
        if (std::exchange(once, true)) return;
        first_page.set_value();
        expired.get_future().wait();
    });
    first_page.get_future().wait();
    cluster.must({"delete", "configmap", "a", "-n", ns});
    cluster.forget_past();
    expired.set_value();
    CHECK(follower.sees({"b", "c", "d", "e"}));
    CHECK(access.metrics.render().find("reason=\"expired\"") != std::string::npos);
    CHECK_FALSE(follower.doubled());
}
