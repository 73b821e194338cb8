// The daemon's HTTP against the real API server: pipeline-controller's endpoints over Pipelines and
// Secrets that are objects, and callers whom RBAC knows.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <boost/json.hpp>

#include "catch.hpp"
#include "tests/kubernetes/daemon_fixture.hpp"

using namespace promotiond::tests;
namespace json = boost::json;

namespace {

constexpr const char* kKey = "hmac-secret";
constexpr const char* kFailed =
    "error promoting application, please consult the promotion server's logs";

std::string signature(const std::string& body) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned size = 0;
    HMAC(EVP_sha256(), kKey, 11, reinterpret_cast<const unsigned char*>(body.data()), body.size(),
         mac.data(), &size);
    std::string hex = "sha256=";
    for (unsigned i = 0; i < size; ++i) {
        hex += "0123456789abcdef"[mac[i] >> 4];
        hex += "0123456789abcdef"[mac[i] & 15];
    }
    return hex;
}

// The event of pipeline-controller's own suite, about the Pipeline's application in dev.
std::string event(const std::string& ns, const std::string& revision = "5.0.0") {
    return R"({"involvedObject":{"kind":"HelmRelease","namespace":")" + ns +
           R"(","name":"app","apiVersion":"helm.toolkit.fluxcd.io/v2"},"severity":"",)"
           R"("timestamp":null,"message":"","reason":"","metadata":{"revision":")" +
           revision + R"("},"reportingController":""})";
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const auto at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), with);
}

struct Answer {
    int code = 0;
    std::string detail;
};

// As Flux and Weave GitOps post: signed, if there is a key.
Answer post(const Daemon& daemon, const std::string& path, const std::string& body,
            const std::string& sign = {}) {
    promotiond::net::Headers headers{{"Content-Type", "application/json"}};
    if (!sign.empty()) headers.emplace_back("X-Signature", sign);
    const auto answer = daemon.ask("POST", path, body, headers);
    Answer found{answer.code, {}};
    if (answer.code >= 400) {
        const auto problem = json::parse(answer.body);
        found.detail = std::string(problem.at("detail").as_string());
    }
    return found;
}

std::string waiting(const std::string& ns) {
    const auto status = status_of(ns);
    const auto* all = status.if_contains("environments");
    if (all == nullptr || !all->is_object()) return "";
    const auto* prod = all->as_object().if_contains("prod");
    const auto* waits =
        prod == nullptr ? nullptr : prod->as_object().if_contains("waitingApproval");
    return waits == nullptr ? "" : std::string(waits->at("revision").as_string());
}

void make_key(const std::string& ns) {
    management().must({"create", "secret", "generic", "app", "-n", ns,
                       std::string("--from-literal=hmac-key=") + kKey});
}

bool known(const Daemon& daemon, const std::string& ns, const std::string& name = "app") {
    return eventually([&] {
        return daemon.get("/api/v1/pipelines/" + ns + "/" + name, management().admin_token())
                   .code == 200;
    });
}

// Who may do these with Pipelines of the namespace, by a token of a ServiceAccount.
std::string member(const std::string& ns, const std::string& name, const std::string& verbs) {
    management().must({"create", "serviceaccount", name, "-n", ns});
    management().must({"create", "role", name, "-n", ns, "--verb=" + verbs,
                       "--resource=pipelines.pipelines.weave.works"});
    management().must({"create", "rolebinding", name, "-n", ns, "--role=" + name,
                       "--serviceaccount", ns + ":" + name});
    // It is in force a moment later.
    const std::string verb = verbs.substr(verbs.rfind(',') + 1);
    REQUIRE(eventually([&] {
        return management()
                   .kubectl({"auth", "can-i", "--quiet", verb, "pipelines.pipelines.weave.works",
                             "-n", ns, "--as", "system:serviceaccount:" + ns + ":" + name})
                   .code == 0;
    }));
    return management().service_account_token(ns, name);
}

const DaemonOptions kCompatible{.server =
                                    "unsignedEvents: allow, wait: 20s, rateLimit: {requests: 0}"};
const std::string kSigned = "{strategy: {notification: {}, secretRef: {name: app}}}";
const std::string kManual = "{manual: true, strategy: {notification: {}, secretRef: {name: app}}}";

}  // namespace

TEST_CASE("api: pipeline-controller's answers to events, over Pipelines of the API server") {
    const auto ns = make_spaces(management());
    const std::string path = "/promotion/" + ns + "/app/";
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    management().apply(pipeline({.ns = ns, .name = "idle"}));
    management().apply(replaced(pipeline({.ns = ns, .name = "empty", .promotion = kNotify}),
                                "targets: [{namespace: " + ns + "-prod}]", "targets: []"));
    const Daemon daemon(ns, kCompatible);
    for (const char* name : {"app", "idle", "empty"}) REQUIRE(known(daemon, ns, name));
    struct Row {
        std::string path;
        std::string body;
        int code;
        std::string detail;
    };
    const auto good = event(ns);
    const std::string other = "involved object does not match Pipeline definition";
    const std::vector<Row> rows{
        {"/promotion/" + ns + "/none/dev", good, 404, ""},
        {path + "dev", "", 400, ""},
        {path + "dev", "incompatible", 400, ""},
        {path + "dev", replaced(good, "\"app\"", "\"foo\""), 422, other},
        {path + "dev", replaced(good, "\"" + ns + "\"", "\"foo\""), 422, other},
        {path + "dev", replaced(good, "helm.toolkit.fluxcd.io/v2", "foo"), 422, other},
        {path + "dev", replaced(good, "HelmRelease", "foo"), 422, other},
        {path + "prod", good, 422, "cannot promote beyond last environment prod"},
        {"/promotion/" + ns + "/empty/dev", good, 422, "environment prod has no targets"},
        {path + "foo", good, 422, "app " + ns + "/app has no environment foo defined"},
        {path + "foo", replaced(good, R"("metadata":{"revision":"5.0.0"},)", ""), 422,
         "event has no 'revision' in the metadata field."},
        {"/promotion/" + ns + "/idle/dev", good, 500, kFailed},
        {path + "dev", good, 204, ""},
    };
    for (const auto& row : rows) {
        INFO(row.path << ' ' << row.body);
        const auto answer = post(daemon, row.path, row.body);
        CHECK(answer.code == row.code);
        if (!row.detail.empty()) CHECK(answer.detail == row.detail);
    }
    CHECK(daemon.ask("GET", path + "dev").code == 405);
    CHECK(daemon.promoted() ==
          std::vector{"Promote pipeline " + ns + "/app to prod with version 5.0.0"});
}

TEST_CASE("api: a key that is a Secret signs events, and nothing else passes") {
    const auto ns = make_spaces(management());
    make_key(ns);
    management().apply(pipeline({.ns = ns, .promotion = kSigned}));
    const Daemon daemon(ns, {.server = "wait: 20s"});
    REQUIRE(known(daemon, ns));
    const std::string path = "/promotion/" + ns + "/app/dev";
    CHECK(post(daemon, path, event(ns), "sha256=invalid").code == 401);
    CHECK(post(daemon, path, event(ns)).code == 401);
    CHECK(post(daemon, path, event(ns), signature(event(ns, "6.0.0"))).code == 401);
    CHECK(daemon.promoted().empty());
    CHECK(post(daemon, path, event(ns), signature(event(ns))).code == 204);
    CHECK(daemon.promoted().size() == 1);
}

TEST_CASE("api: a manual gate waits in the status until Weave GitOps approves") {
    const auto ns = make_spaces(management());
    make_key(ns);
    management().apply(pipeline({.ns = ns, .promotion = kManual}));
    const Daemon daemon(ns, {.applications = false, .server = "wait: 20s"});
    REQUIRE(known(daemon, ns));
    CHECK(post(daemon, "/promotion/" + ns + "/app/dev", event(ns), signature(event(ns))).code ==
          204);
    CHECK(eventually([&] { return waiting(ns) == "5.0.0"; }));
    CHECK(daemon.promoted().empty());

    const std::string path = "/approval/" + ns + "/app/prod/";
    CHECK(daemon.ask("GET", path + "5.0.0").code == 405);
    CHECK(post(daemon, "/approval/" + ns + "/app/prod", "").code == 404);
    CHECK(post(daemon, "/approval/" + ns + "/none/prod/5.0.0", "", signature("")).code == 401);
    CHECK(post(daemon, path + "5.0.0", "", "sha256=invalid").code == 401);
    CHECK(post(daemon, path + "4.0.0", "", signature("")).code == 422);
    CHECK(post(daemon, path + "5.0.0", "", signature("")).code == 204);
    CHECK(daemon.promoted().size() == 1);
    CHECK(eventually([&] { return waiting(ns).empty(); }));
}

TEST_CASE("api: RBAC says who may read, list and approve, by tokens of the cluster") {
    const auto ns = make_spaces(management());
    const auto other = make_spaces(management());
    make_key(ns);
    management().apply(pipeline({.ns = ns, .promotion = kManual}));
    management().apply(pipeline({.ns = other, .name = "hidden"}));
    const auto reader = member(ns, "reader", "get,list");
    const auto approver = member(ns, "approver", "get,approve");
    const auto stranger = management().service_account_token(ns, "default");
    const Daemon daemon("",
                        {.applications = false, .server = "wait: 20s, rateLimit: {requests: 0}"});
    REQUIRE(known(daemon, ns));
    REQUIRE(known(daemon, other, "hidden"));
    const std::string one = "/api/v1/pipelines/" + ns + "/app";

    CHECK(daemon.get(one).code == 401);
    CHECK(daemon.get(one, "made.up.token").code == 401);
    CHECK(daemon.get(one, stranger).code == 403);
    CHECK(daemon.get(one, reader).code == 200);
    CHECK(daemon.get("/api/v1/pipelines/" + other + "/hidden", reader).code == 403);
    const auto list = daemon.get("/api/v1/pipelines", reader);
    CHECK(list.code == 200);
    CHECK(list.body.find("\"" + ns + "\"") != std::string::npos);
    CHECK(list.body.find("hidden") == std::string::npos);
    CHECK(daemon.get("/api/v1/pipelines", management().admin_token()).body.find("hidden") !=
          std::string::npos);
    CHECK(daemon.get("/api/v1/promotions", reader).code == 403);

    REQUIRE(post(daemon, "/promotion/" + ns + "/app/dev", event(ns), signature(event(ns))).code ==
            204);
    const std::string approve = one + "/environments/prod/approve";
    const auto by = [&](const std::string& token) {
        return daemon
            .ask("POST", approve, R"({"revision":"5.0.0"})",
                 {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + token}})
            .code;
    };
    CHECK(by(reader) == 403);
    CHECK(daemon.promoted().empty());
    CHECK(by(approver) == 202);
    CHECK(eventually([&] { return daemon.promoted().size() == 1; }));
    CHECK(daemon.get("/api/v1/promotions?pipeline=" + ns + "/app", reader)
              .body.find("operator:system:serviceaccount:" + ns + ":approver") !=
          std::string::npos);
}

TEST_CASE("api: a token must be made for the audience that the configuration names") {
    const auto ns = make_spaces(management());
    management().apply(pipeline({.ns = ns}));
    const auto general = member(ns, "reader", "get");
    const Daemon daemon(ns, {.kubernetes = "tokenAudiences: [promotiond]"});
    const auto own =
        management().must({"create", "token", "reader", "-n", ns, "--audience", "promotiond"});
    const std::string one = "/api/v1/pipelines/" + ns + "/app";
    const auto with = own.substr(0, own.find('\n'));
    CHECK(eventually([&] { return daemon.get(one, with).code == 200; }));
    CHECK(daemon.get(one, general).code == 401);
}

TEST_CASE("api: without the API server callers are told to come again, and events go on") {
    const auto ns = make_spaces(management());
    make_key(ns);
    management().apply(pipeline({.ns = ns, .promotion = kSigned}));
    const auto reader = member(ns, "reader", "get");
    const Daemon daemon(ns, {.server = "wait: 20s"});
    REQUIRE(known(daemon, ns));
    const std::string path = "/promotion/" + ns + "/app/dev";
    REQUIRE(post(daemon, path, event(ns), signature(event(ns))).code == 204);
    management().stop();
    CHECK(daemon.get("/api/v1/pipelines/" + ns + "/app", reader).code == 503);
    CHECK(post(daemon, path, event(ns, "6.0.0"), signature(event(ns, "6.0.0"))).code == 204);
    management().start();
    CHECK(eventually(
        [&] { return daemon.get("/api/v1/pipelines/" + ns + "/app", reader).code == 200; }));
}

TEST_CASE("api: each step goes to Flux once, with the object's uid, over a restart as well") {
    const auto ns = make_spaces(management());
    make_key(ns);
    const promotiond::simulators::HttpServer flux({promotiond::simulators::whole(202, "")});
    management().apply(
        pipeline({.ns = ns,
                  .promotion = "{manual: true, strategy: {webhook: {url: 'http://127.0.0.1:9/'}, "
                               "secretRef: {name: app}}}"}));
    Daemon daemon(
        ns, {.applications = false, .kubernetes = "notificationController: '" + flux.url() + "'"});
    REQUIRE(known(daemon, ns));
    const auto reasons = [&] {
        std::vector<std::string> found;
        for (const auto& request : flux.requests()) {
            const auto event = json::parse(request.substr(request.find("\r\n\r\n") + 4));
            CHECK(event.at("involvedObject").at("uid") != json::value(""));
            CHECK(event.at("involvedObject").at("resourceVersion") != json::value(""));
            CHECK(event.at("metadata").at("pipelines.weave.works/revision") ==
                  json::value("5.0.0"));
            found.emplace_back(event.at("reason").as_string());
        }
        return found;
    };
    REQUIRE(post(daemon, "/promotion/" + ns + "/app/dev", event(ns), signature(event(ns))).code ==
            202);
    std::vector<std::string> expected{"PromotionAwaitingApproval"};
    REQUIRE(eventually([&] { return reasons() == expected; }));
    daemon.kill();
    daemon.start();
    REQUIRE(known(daemon, ns));
    const std::string approval = "/approval/" + ns + "/app/prod/5.0.0";
    REQUIRE(post(daemon, approval, "", signature("")).code == 202);
    expected.emplace_back("PromotionQueued");
    // What was told before the restart has had its turn by then: it is told first.
    CHECK(eventually([&] { return reasons().size() >= expected.size(); }));
    auto first = reasons();
    first.resize(expected.size());
    CHECK(first == expected);
    CHECK(eventually([&] { return event_reasons(ns, "5.0.0 to prod").size() >= 2; }));
}
