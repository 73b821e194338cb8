// The daemon and Secrets of a real API server: which it reads, and what waits for one.
#include <boost/json.hpp>
#include <filesystem>

#include "catch.hpp"
#include "tests/kubernetes/daemon_fixture.hpp"

using namespace promotiond::tests;
namespace json = boost::json;

TEST_CASE("secrets: a promotion waits for a Secret at no cost, and tells of it once") {
    const auto ns = make_spaces(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    const Daemon daemon(ns, {.config = "promotions: {attempts: 2}\n"});
    management().apply(pipeline({.ns = ns,
                                 .promotion = "{webhook: {url: '" + daemon.receiver.url("/hook") +
                                              "', secretRef: {name: hook}}}"}));
    REQUIRE(is_ready(ns, "app"));
    runs(management(), ns, "1.0.0");
    const std::vector<std::string> waits{"PromotionQueued", "PromotionRunning", "PromotionQueued"};
    const auto steps = [&] { return event_reasons(ns, "1.0.0"); };
    REQUIRE(eventually([&] { return steps() == waits; }));
    CHECK(event_reasons(ns, "secret 'hook'").size() == 1);
    const auto asked = [&] { return management().count("get", "secrets"); };
    const auto before = asked();
    REQUIRE(eventually([&] { return asked() >= before + 3; }));  // of two tries
    CHECK(steps() == waits);
    CHECK(daemon.receiver.requests().empty());

    management().must(
        {"create", "secret", "generic", "hook", "-n", ns, "--from-literal=token=0123456789"});
    CHECK(eventually([&] { return !daemon.receiver.requests().empty(); }));
    CHECK(eventually([&] { return steps().back() == "PromotionSucceeded"; }));
    CHECK(steps().size() == waits.size() + 2);
}

TEST_CASE("secrets: one that lacks the key for signatures is told of by the name of that key") {
    const auto ns = make_spaces(management());
    management().must(
        {"create", "secret", "generic", "app", "-n", ns, "--from-literal=unrelated=1"});
    management().apply(pipeline(
        {.ns = ns, .promotion = "{strategy: {notification: {}, secretRef: {name: app}}}"}));
    const Daemon daemon(ns, {.applications = false});
    REQUIRE(is_ready(ns, "app"));
    const auto answer = daemon.ask("POST", "/promotion/" + ns + "/app/dev", "{}",
                                   {{"X-Signature", "sha256=" + std::string(64, '0')}});
    CHECK(answer.code == 401);
    CHECK(eventually(
        [&] { return daemon.lines_with("key hmac-key of secret " + ns + "/app") == 1; }));
}

TEST_CASE("secrets: a Secret of another namespace is out of reach, however it is named") {
    const auto ns = make_spaces(management());
    management().must({"create", "secret", "generic", "app", "-n", ns + "-prod",
                       "--from-literal=hmac-key=hmac-secret"});
    const auto policy = [](const std::string& reference) {
        return "{strategy: {notification: {}, secretRef: " + reference + "}}";
    };
    const std::string strange =
        pipeline({.ns = ns, .name = "path", .promotion = policy("{name: ../" + ns + "-prod/app}")});
    (void)management().kubectl({"apply", "-f", "-"}, strange);  // refused, or of no use
    management().apply(
        pipeline({.ns = ns, .promotion = policy("{name: app, namespace: " + ns + "-prod}")}));
    management().apply(pipeline({.ns = ns, .name = "plain", .promotion = policy("{name: app}")}));
    const Daemon daemon(ns, {.applications = false});
    REQUIRE(is_ready(ns, "plain"));
    const auto before = management().requests().size();
    // The HMAC of the empty body under that other key (pipeline-controller's own vector).
    const promotiond::net::Headers headers{
        {"X-Signature", "sha256=4dbd2292025f21bd07ca900059e19286df5ad14c05c4f00f19a2959f2d1ac56b"}};
    for (const char* name : {"app", "path", "plain"}) {
        CHECK(
            daemon.ask("POST", "/approval/" + ns + "/" + name + "/prod/5.0.0", "", headers).code ==
            401);
    }
    const auto requests = management().requests();
    for (std::size_t i = before; i < requests.size(); ++i) {
        if (requests[i].resource != "secrets") continue;
        CHECK(requests[i].space == ns);
        CHECK(requests[i].verb == "get");
    }
}

TEST_CASE("secrets: a kubeconfig in a Secret runs no program and reads no file") {
    const auto ns = make_spaces(management());
    const ScratchDirectory directory;
    const auto trace = directory.path() / "ran";
    const std::string files = management().kubeconfig(management().admin_token());
    const std::string runs_something =
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
        "clusters: [{name: a, cluster: {server: " +
        management().url() +
        "}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"
        "users: [{name: a, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: "
        "/usr/bin/touch, args: [" +
        trace.native() + "], interactiveMode: Never}}}]\n";
    for (const auto& [name, text] :
         {std::pair{"files", files}, std::pair{"runs", runs_something}}) {
        management().must({"create", "secret", "generic", name, "-n", ns,
                           std::string("--from-literal=value=") + text});
        make_cluster(ns, name, name);
        make_cluster_ready(ns, name, true);
        management().apply(pipeline({.ns = ns, .name = name, .dev_cluster = name}));
    }
    const Daemon daemon(ns);
    for (const char* name : {"files", "runs"}) {
        CHECK(
            eventually([&] { return condition(ns, "Ready", name) == "False TargetNotReadable"; }));
    }
    const auto told =
        json::serialize(status_of(ns, "files")) + json::serialize(status_of(ns, "runs"));
    CHECK(told.find("certificate-authority") != std::string::npos);
    CHECK(told.find("exec") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(trace));
}
