// The test bed itself: what the other tests rely on.
#include "tests/kubernetes/cluster.hpp"

#include "catch.hpp"
#include "tests/kubernetes/eventually.hpp"

using promotiond::tests::Cluster;
using promotiond::tests::eventually;

TEST_CASE("cluster: the administrator's kubectl and send see the same objects") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    cluster.must({"create", "configmap", "one", "-n", space, "--from-literal=key=value"});
    const auto answer = cluster.send("GET", "/api/v1/namespaces/" + space + "/configmaps/one");
    CHECK(answer.code == 200);
    CHECK(answer.body.find(R"("key":"value")") != std::string::npos);
    CHECK(cluster.kubectl({"get", "configmap", "two", "-n", space}).code != 0);
}

TEST_CASE("cluster: every request is counted by verb, resource and user") {
    Cluster& cluster = Cluster::shared();
    const auto before = cluster.count("list", "secrets", "administrator");
    cluster.send("GET", "/api/v1/secrets?limit=1");
    CHECK(eventually(
        [&] { return cluster.count("list", "secrets", "administrator") == before + 1; }));
}

TEST_CASE("cluster: a watch is counted while it goes on, and once") {
    Cluster& cluster = Cluster::shared();
    const auto before = cluster.count("watch", "configmaps");
    cluster.send("GET", "/api/v1/configmaps?watch=1&timeoutSeconds=1");
    CHECK(eventually([&] { return cluster.count("watch", "configmaps") == before + 1; }));
}

TEST_CASE("cluster: the token of a deleted ServiceAccount is refused before long") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    const auto token = cluster.service_account_token(space, "default");
    const auto whoami = [&] {
        return cluster.kubectl({"auth", "whoami", "--token", token, "--kubeconfig=/dev/null",
                                "--server", cluster.url(), "--certificate-authority",
                                cluster.ca_file().native()});
    };
    const auto known = whoami();
    CHECK(known.out.find("system:serviceaccount:" + space + ":default") != std::string::npos);
    cluster.must({"delete", "serviceaccount", "default", "-n", space});
    CHECK(eventually([&] { return whoami().code != 0; }));
}

TEST_CASE("cluster: it stops and starts again with its objects") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    cluster.must({"create", "configmap", "one", "-n", space});
    const std::string map = "/api/v1/namespaces/" + space + "/configmaps/one";
    cluster.stop();
    CHECK_THROWS(cluster.send("GET", map));
    cluster.start();
    CHECK(cluster.send("GET", map).code == 200);
}

TEST_CASE("cluster: what was before forget_past answers 410 Gone") {
    Cluster& cluster = Cluster::shared();
    const auto space = cluster.make_namespace();
    const std::string maps = "/api/v1/namespaces/" + space + "/configmaps";
    for (const char* name : {"one", "two", "three"})
        cluster.must({"create", "configmap", name, "-n", space});
    const auto page = cluster.send("GET", maps + "?limit=1");
    const auto at = page.body.find(R"("continue":")") + 12;
    const auto next = page.body.substr(at, page.body.find('"', at) - at);
    CHECK(cluster.send("GET", maps + "?limit=1&continue=" + next).code == 200);

    cluster.must({"create", "configmap", "four", "-n", space});
    cluster.forget_past();
    CHECK(cluster.send("GET", maps + "?limit=1&continue=" + next).code == 410);
    const auto watch = cluster.send("GET", maps + "?watch=1&resourceVersion=1&timeoutSeconds=2");
    CHECK(watch.body.find("\"code\":410") != std::string::npos);
}

TEST_CASE("cluster: a client certificate stands for its user") {
    Cluster& cluster = Cluster::shared();
    const auto identity = cluster.client("jane", "system:masters");
    promotiond::Metrics metrics;
    promotiond::net::HttpClient http({}, metrics);
    promotiond::net::Request request;
    request.url = cluster.url() + "/api/v1/namespaces";
    request.ca_pem = cluster.ca_pem();
    request.client_certificate_pem = identity.certificate;
    request.client_key_pem = promotiond::Secret(identity.key);
    const auto answer = http.send(request);
    const auto* response = std::get_if<promotiond::net::Response>(&answer);
    REQUIRE(response != nullptr);
    CHECK(response->code == 200);
}
