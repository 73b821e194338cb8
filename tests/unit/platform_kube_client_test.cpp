#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "platform/kube_client.hpp"
#include "platform/kube_pause.hpp"
#include "platform/kubernetes.hpp"
#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;
using namespace std::chrono_literals;

namespace {

class TokenFile {
public:
    TokenFile() {
        std::string name = (std::filesystem::temp_directory_path() / "token-XXXXXX").string();
        ::close(::mkstemp(name.data()));
        path = name;
    }
    ~TokenFile() { std::filesystem::remove(path); }
    void write(const std::string& token) const { std::ofstream(path) << token; }
    std::filesystem::path path;
};

std::string secret_json(const std::string& data) {
    return R"({"kind":"Secret","metadata":{"name":"hooks","namespace":"team"},"data":)" + data +
           "}";
}

}  // namespace

TEST_CASE("kube client: a refused token is read anew, once, and the call repeated") {
    TokenFile token;
    token.write("first-token\n");
    const simulators::HttpServer server({status(401, "Unauthorized", "Unauthorized"),
                                         whole(200, R"({"kind":"Thing"})"),
                                         status(401, "Unauthorized", "Unauthorized")});
    auto config = config_for(server);
    config.token.file = token.path;
    Metrics metrics;
    const SystemClock clock;
    net::HttpClient http(kube_http_options(config, "promotiond/test"), metrics);
    KubeClient client(std::move(config), http, clock, metrics);

    CHECK(client.get(kThings, {"team", "a"}).has_value());
    token.write("second-token\n");
    const auto refused = client.get(kThings, {"team", "a"});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().reason == KubeReason::Unauthorized);
    const auto requests = server.requests();
    REQUIRE(requests.size() == 4);
    CHECK(requests[0].find("Authorization: Bearer first-token\r\n") != std::string::npos);
    CHECK(requests[2].find("Authorization: Bearer second-token\r\n") != std::string::npos);
}

TEST_CASE("kube client: a server that says when to come back is asked again then") {
    Cluster cluster({status(429, "TooManyRequests", "busy", "Retry-After: 0\r\n"),
                     status(503, "ServiceUnavailable", "starting", "Retry-After: 0\r\n"),
                     whole(200, "{}")});
    CHECK(cluster.client.get(kThings, {"team", "a"}).has_value());
    CHECK(cluster.server.requests().size() == 3);
}

TEST_CASE("kube client: it does not wait longer than the call may take") {
    Cluster cluster({status(429, "TooManyRequests", "busy", "Retry-After: 60\r\n")});
    const auto answer = cluster.client.get(kThings, {"team", "a"});
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().reason == KubeReason::Throttled);
    CHECK(answer.error().error.kind == ErrorKind::Throttled);
    CHECK(answer.error().error.retry_after == 60s);
}

TEST_CASE("kube client: refusals keep Kubernetes' own reason") {
    struct Case {
        int code;
        const char* reason;
        KubeReason expected;
    };
    for (const auto& [code, reason, expected] : {Case{404, "NotFound", KubeReason::NotFound},
                                                 {409, "AlreadyExists", KubeReason::AlreadyExists},
                                                 {409, "Conflict", KubeReason::Conflict},
                                                 {410, "Expired", KubeReason::Expired},
                                                 {403, "Forbidden", KubeReason::Forbidden},
                                                 {422, "Invalid", KubeReason::Invalid},
                                                 {500, "InternalError", KubeReason::ServerError}}) {
        INFO(reason);
        Cluster cluster({status(code, reason, "so it is")});
        const auto answer = cluster.client.get(kThings, {"team", "a"});
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().reason == expected);
        CHECK(answer.error().code == code);
        CHECK(answer.error().error.message.find("so it is") != std::string::npos);
    }
}

TEST_CASE("kube client: a patch says its kind, its field manager and its subresource") {
    Cluster cluster({whole(200, "{}")});
    CHECK(cluster.client
              .patch(kPipelines, {"team", "a"}, KubePatchKind::Apply, R"({"status":{}})",
                     {.subresource = "status", .field_manager = "promotiond", .force = true})
              .has_value());
    const auto sent = cluster.server.requests().at(0);
    CHECK(
        sent.starts_with("PATCH /apis/pipelines.weave.works/v1alpha1/namespaces/team/pipelines/a/"
                         "status?fieldManager=promotiond&force=true HTTP/1.1"));
    CHECK(sent.find("Content-Type: application/apply-patch+yaml\r\n") != std::string::npos);
    CHECK(sent.ends_with(R"({"status":{}})"));
}

TEST_CASE("kube client: names cannot lead to another address") {
    Cluster cluster({whole(200, "{}")});
    (void)cluster.client.get(kSecrets, {"team", "../../other/secrets/x?y"});
    CHECK(cluster.server.requests().at(0).starts_with(
        "GET /api/v1/namespaces/team/secrets/..%2F..%2Fother%2Fsecrets%2Fx%3Fy HTTP/1.1"));
}

TEST_CASE("kube client: the operator's client reaches its API server and nothing else") {
    const simulators::HttpServer other({whole(200, "{}")});
    KubeConfig config;
    config.server = "https://169.254.1.1:6443";
    const auto options = kube_http_options(config, "promotiond/test");
    CHECK(options.egress.allow == std::vector<std::string>{"169.254.1.1"});
    Metrics metrics;
    net::HttpClient http(options, metrics);
    net::Request request;
    request.url = other.url();
    const auto answer = http.send(request);
    REQUIRE(std::holds_alternative<net::HttpError>(answer));
    CHECK(std::get<net::HttpError>(answer).failure == net::Failure::Refused);
}

TEST_CASE("kube client: the resource of a kind comes from discovery, which is asked once") {
    Cluster cluster({whole(200, R"({"kind":"APIResourceList","resources":[
        {"name":"helmreleases/status","kind":"HelmRelease"},
        {"name":"helmreleases","kind":"HelmRelease"}]})")});
    for (int i = 0; i < 2; ++i) {
        const auto found = cluster.client.resource_of("helm.toolkit.fluxcd.io/v2", "HelmRelease");
        REQUIRE(found.has_value());
        CHECK(*found == KubeResource{"helm.toolkit.fluxcd.io", "v2", "helmreleases"});
        const auto absent = cluster.client.resource_of("helm.toolkit.fluxcd.io/v2", "Absent");
        REQUIRE_FALSE(absent.has_value());
        CHECK(absent.error().reason == KubeReason::NotFound);
    }
    CHECK(cluster.server.requests().size() == 1);
}

TEST_CASE("kube backoff: pauses double up to the most, and never all alike") {
    Backoff backoff(100ms, 400ms);
    for (const auto expected : {100ms, 200ms, 400ms, 400ms}) {
        const auto pause = backoff.next();
        CHECK(pause >= expected * 4 / 5);
        CHECK(pause <= expected * 6 / 5);
    }
    backoff.reset();
    CHECK(backoff.next() <= 120ms);
}

TEST_CASE("kube secrets: a value is got by name, decoded, and kept for a short time") {
    Cluster cluster({whole(200, secret_json(R"({"hmac-key":"czNjcmV0LWtleQ=="})")),
                     whole(200, secret_json(R"({"hmac-key":"bmV3LWtleQ=="})"))});
    ManualClock clock;
    const auto secrets = kube_secrets(cluster.client, clock, {.timeout = 60s});
    for (int i = 0; i < 2; ++i) {
        const auto value = secrets->get("team", "hooks", "hmac-key");
        REQUIRE(value.has_value());
        CHECK(value->reveal() == "s3cret-key");
    }
    CHECK(secrets->get("team", "hooks", "absent").error().kind == ErrorKind::NotFound);
    CHECK(cluster.server.requests().size() == 1);
    CHECK(cluster.server.requests().at(0).starts_with(
        "GET /api/v1/namespaces/team/secrets/hooks HTTP/1.1"));
    clock.advance(10s);
    CHECK(secrets->get("team", "hooks", "hmac-key")->reveal() == "new-key");
}

TEST_CASE("kube secrets: one that is deleted or forbidden is not served from memory") {
    for (const int code : {404, 403}) {
        Cluster cluster({whole(200, secret_json(R"({"token":"c2VjcmV0LXRva2Vu"})")),
                         status(code, code == 404 ? "NotFound" : "Forbidden", "no")});
        ManualClock clock;
        const auto secrets = kube_secrets(cluster.client, clock, {.timeout = 60s});
        REQUIRE(secrets->get("team", "hooks", "token").has_value());
        clock.advance(11s);
        const auto gone = secrets->get("team", "hooks", "token");
        REQUIRE_FALSE(gone.has_value());
        CHECK(gone.error().kind == (code == 404 ? ErrorKind::NotFound : ErrorKind::Unauthorized));
    }
}

TEST_CASE("kube client: a refusal says what to run, by plain names only") {
    const auto message = [](const std::string& words) {
        Cluster cluster({status(403, "Forbidden", words)});
        const auto refused = cluster.client.get(kThings, {"team", "app"});
        REQUIRE_FALSE(refused);
        return refused.error().error.message;
    };
    const auto refusal = [](const std::string& user, const std::string& rest) {
        return "things is forbidden: User \\\"" + user + "\\\" cannot " + rest;
    };
    CHECK_THAT(
        message(refusal("system:serviceaccount:a:b",
                        R"(get resource \"secrets\" in API group \"\" in the namespace \"team\")")),
        Catch::EndsWith("; grant it: kubectl create role promotiond-secrets -n team --verb=get "
                        "--resource=secrets && kubectl create rolebinding promotiond-secrets "
                        "-n team --role=promotiond-secrets --serviceaccount=a:b"));
    CHECK_THAT(
        message(refusal(
            "jane",
            R"(watch resource \"pipelines/status\" in API group \"x.y\" at the cluster scope)")),
        Catch::EndsWith("kubectl create clusterrole promotiond-pipelines-status "
                        "--verb=get,list,watch --resource=pipelines.x.y/status && kubectl create "
                        "clusterrolebinding promotiond-pipelines-status "
                        "--clusterrole=promotiond-pipelines-status --user=jane"));
    for (const char* user : {"$(reboot)", "a b", "--all"}) {
        CHECK_THAT(
            message(refusal(
                user, R"(get resource \"secrets\" in API group \"\" in the namespace \"team\")")),
            Catch::EndsWith("; grant it with a Role, see config/kubernetes"));
    }
}

TEST_CASE("kube secrets: a right that is missing is named where readiness is asked") {
    Readiness readiness;
    Cluster cluster({status(403, "Forbidden", "no rule for secrets"),
                     whole(200, secret_json(R"({"token":"c2VjcmV0LXRva2Vu"})"))},
                    {}, {.readiness = &readiness});
    ManualClock clock;
    const auto secrets = kube_secrets(cluster.client, clock, {.timeout = 60s});
    CHECK_FALSE(secrets->get("team", "hooks", "token"));
    CHECK(readiness.parts().at("secrets").state == Readiness::State::Degraded);
    CHECK_THAT(readiness.parts().at("secrets").reason, Catch::Contains("team/hooks"));
    REQUIRE(secrets->get("team", "hooks", "token"));
    CHECK(readiness.parts().at("secrets").state == Readiness::State::Ready);
}

TEST_CASE("kube secrets: while the server is down what was known is served for five minutes") {
    Cluster cluster({whole(200, secret_json(R"({"token":"c2VjcmV0LXRva2Vu"})")),
                     status(500, "InternalError", "etcd is away")});
    ManualClock clock;
    const auto secrets = kube_secrets(cluster.client, clock, {.timeout = 60s});
    REQUIRE(secrets->get("team", "hooks", "token").has_value());
    clock.advance(4min);
    CHECK(secrets->get("team", "hooks", "token")->reveal() == "secret-token");
    clock.advance(2min);
    CHECK(secrets->get("team", "hooks", "token").error().kind == ErrorKind::Transient);
}

TEST_CASE("kube secrets: names that are no names are refused before anything is asked") {
    Cluster cluster({whole(200, "{}")});
    ManualClock clock;
    const auto secrets = kube_secrets(cluster.client, clock, {.timeout = 60s});
    for (const auto& [ns, name] :
         {std::pair{"team/../other", "hooks"}, {"team", "../hooks"}, {"", "a"}}) {
        CHECK(secrets->get(ns, name, "token").error().kind == ErrorKind::Invalid);
    }
    CHECK(cluster.server.requests().empty());
}
