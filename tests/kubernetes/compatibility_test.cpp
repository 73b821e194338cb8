// What pipeline-controller's own suite asks of its two endpoints, with that suite's fixtures, keys
// and signatures, of the daemon on a real API server. Its other answers are in api_test.cpp.
#include <boost/json.hpp>
#include <map>
#include <optional>

#include "catch.hpp"
#include "tests/kubernetes/daemon_fixture.hpp"

using namespace promotiond::tests;
namespace json = boost::json;
namespace simulators = promotiond::simulators;

namespace {

// server/promotion_handler_test.go and approval_handler_test.go of pipeline-controller 2ca1d669.
const std::string kEvent =
    R"({"involvedObject":{"kind":"HelmRelease","namespace":"default","name":"app",)"
    R"("apiVersion":"helm.toolkit.fluxcd.io/v2beta1"},"severity":"","timestamp":null,"message":"",)"
    R"("reason":"","metadata":{"revision":"5.0.0"},"reportingController":""})";
constexpr const char* kKey = "hmac-secret";
constexpr const char* kEventSigned =
    "sha256=a0e7a8316081044daf647e7b65d80bdd33e1ad1790e4b65b56b34d7b1dcfc8a0";
constexpr const char* kNothingSigned =
    "sha256=4dbd2292025f21bd07ca900059e19286df5ad14c05c4f00f19a2959f2d1ac56b";
constexpr const char* kPullRequest = "https://forge.example.com/pulls/1";

std::string pipeline_of_suite(const std::string& name, const std::string& promotion) {
    return "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\n"
           "metadata: {name: " +
           name +
           ", namespace: default}\nspec:\n"
           "  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2beta1, kind: HelmRelease, name: "
           "app}\n" +
           (promotion.empty() ? "" : "  promotion: {" + promotion + "}\n") +
           "  environments:\n"
           "  - {name: dev, targets: [{namespace: default}]}\n"
           "  - {name: prod, targets: [{namespace: default}]}\n"
           "  - {name: no-targets, targets: []}\n";
}

// A strategy that answers as scripted.
std::string strategy(const simulators::HttpServer& receiver) {
    return "webhook: {url: '" + receiver.url() + "'}";
}

promotiond::net::Response post(const Daemon& daemon, const std::string& path,
                               const std::string& body, const std::string& sign = {}) {
    promotiond::net::Headers headers;
    if (!sign.empty()) headers.emplace_back("X-Signature", sign);
    return daemon.ask("POST", path, body, headers);
}

std::string detail(const promotiond::net::Response& answer) {
    return std::string(json::parse(answer.body).at("detail").as_string());
}

std::string location(const promotiond::net::Response& answer) {
    return std::string(promotiond::net::header(answer.headers, "Location").value_or(""));
}

json::value waiting() {
    const auto status = status_of("default");
    const auto* all = status.if_contains("environments");
    if (all == nullptr || !all->is_object()) return nullptr;
    const auto* prod = all->as_object().if_contains("prod");
    if (prod == nullptr) return nullptr;
    const auto* waits = prod->as_object().if_contains("waitingApproval");
    return waits == nullptr ? json::value(nullptr) : waits->at("revision");
}

void make_key() {
    (void)management().kubectl({"delete", "secret", "app", "-n", "default"});
    management().must({"create", "secret", "generic", "app", "-n", "default",
                       std::string("--from-literal=hmac-key=") + kKey});
}

// With these Pipelines in the namespace default and no others.
class Suite {
public:
    explicit Suite(std::map<std::string, std::string> promotions, const std::string& server = {}) {
        management().must({"delete", "pipelines", "--all", "-n", "default"});
        for (const auto& [name, promotion] : promotions)
            management().apply(pipeline_of_suite(name, promotion));
        daemon.emplace("default",
                       DaemonOptions{.applications = false,
                                     .server = "wait: 20s, rateLimit: {requests: 0}" + server});
        for (const auto& [name, promotion] : promotions) {
            REQUIRE(
                eventually([&, of = name] { return !condition("default", "Ready", of).empty(); }));
        }
    }
    std::optional<Daemon> daemon;
};

}  // namespace

TEST_CASE("compatibility: the method is looked at before the path, and what is no address is 404") {
    const Suite suite({});
    for (const std::string endpoint : {"/promotion/", "/approval/"}) {
        INFO(endpoint);
        CHECK(suite.daemon->ask("GET", endpoint).code == 405);
        CHECK(post(*suite.daemon, endpoint, "").code == 404);
        CHECK(post(*suite.daemon, endpoint + "ns", "").code == 404);
    }
    CHECK(post(*suite.daemon, "/approval/ns/app/env", "").code == 404);
    CHECK(suite.daemon->ask("GET", "/promotion/default/app/dev").code == 405);
    CHECK(suite.daemon->ask("GET", "/approval/default/app/prod/5.0.0").code == 405);
}

TEST_CASE("compatibility: the suite's signed event is answered 201 with the address, else 401") {
    const simulators::HttpServer receiver(
        {simulators::whole(201, "", std::string("Location: ") + kPullRequest + "\r\n")});
    make_key();
    const Suite suite({{"app", strategy(receiver) + ", secretRef: {name: app}"}});
    const std::string path = "/promotion/default/app/dev";
    CHECK(post(*suite.daemon, path, kEvent, "sha256=invalid").code == 401);
    CHECK(receiver.requests().empty());
    const auto answer = post(*suite.daemon, path, kEvent, kEventSigned);
    CHECK(answer.code == 201);
    CHECK(location(answer) == kPullRequest);
    CHECK(answer.body.empty());
    REQUIRE(receiver.requests().size() == 1);
    const auto request = receiver.requests()[0];
    const auto sent = json::parse(request.substr(request.find("\r\n\r\n") + 4)).at("promotion");
    INFO(json::serialize(sent));
    CHECK(sent.at("pipelineNamespace") == "default");
    CHECK(sent.at("pipelineName") == "app");
    CHECK(sent.at("environment").at("name") == "prod");
    CHECK(sent.at("environment").at("targets").at(0).at("namespace") == "default");
    CHECK(sent.at("version") == "5.0.0");
    // Told again: the same promotion, the same answer, and nothing done twice.
    CHECK(post(*suite.daemon, path, kEvent, kEventSigned).code == 201);
    CHECK(receiver.requests().size() == 1);
}

TEST_CASE("compatibility: what the strategy says decides between 204 and 500") {
    const simulators::HttpServer quiet({simulators::whole(200, "")});
    const simulators::HttpServer refusing({simulators::whole(400, "no")});
    const Suite suite({{"quiet", strategy(quiet)}, {"refusing", strategy(refusing)}},
                      ", unsignedEvents: allow");
    const auto done = post(*suite.daemon, "/promotion/default/quiet/dev", kEvent);
    CHECK(done.code == 204);
    CHECK(done.body.empty());
    CHECK(location(done).empty());
    CHECK(quiet.requests().size() == 1);
    const auto failed = post(*suite.daemon, "/promotion/default/refusing/dev", kEvent);
    CHECK(failed.code == 500);
    CHECK(detail(failed) ==
          "error promoting application, please consult the promotion server's logs");
    CHECK(refusing.requests().size() == 1);
}

TEST_CASE("compatibility: a promotion without its strategy is not lost") {
    const Suite suite({{"app", "carrier-pigeon: {}"}}, ", unsignedEvents: allow");
    const auto answer = post(*suite.daemon, "/promotion/default/app/dev", kEvent);
    CHECK(answer.code == 500);  // with pipeline-controller it is gone now
    CHECK(eventually([&] { return condition("default", "Ready") == "False StrategyNotUsable"; }));
    CHECK(suite.daemon->lines_with("id=PROMO-3002") == 1);
}

TEST_CASE("compatibility: an approval is answered 201 with the address, and nothing waits then") {
    const simulators::HttpServer receiver(
        {simulators::whole(201, "", std::string("Location: ") + kPullRequest + "\r\n")});
    make_key();
    const Suite suite({{"app", strategy(receiver) + ", manual: true, secretRef: {name: app}"}});
    REQUIRE(post(*suite.daemon, "/promotion/default/app/dev", kEvent, kEventSigned).code == 204);
    REQUIRE(eventually([&] { return waiting() == "5.0.0"; }));
    const std::string path = "/approval/default/app/prod/";
    CHECK(post(*suite.daemon, path + "5.0.0", "", "sha256=invalid").code == 401);
    CHECK(post(*suite.daemon, path + "4.0.0", "", kNothingSigned).code == 422);
    CHECK(receiver.requests().empty());
    const auto answer = post(*suite.daemon, path + "5.0.0", "", kNothingSigned);
    CHECK(answer.code == 201);
    CHECK(location(answer) == kPullRequest);
    CHECK(answer.body.empty());
    CHECK(receiver.requests().size() == 1);
    CHECK(eventually([&] { return waiting() == "" || waiting().is_null(); }));
}

TEST_CASE("compatibility: what is approved while its Pipeline has no strategy waits for one") {
    const simulators::HttpServer receiver({simulators::whole(200, "")});
    make_key();
    const Suite suite({{"app", strategy(receiver) + ", manual: true, secretRef: {name: app}"}},
                      ", unsignedEvents: allow");
    REQUIRE(post(*suite.daemon, "/promotion/default/app/dev", kEvent, kEventSigned).code == 204);
    REQUIRE(eventually([&] { return waiting() == "5.0.0"; }));
    management().apply(pipeline_of_suite("app", ""));
    CHECK(eventually(
        [&] { return post(*suite.daemon, "/approval/default/app/prod/4.0.0", "").code == 422; }));
    CHECK(post(*suite.daemon, "/approval/default/app/prod/5.0.0", "").code == 500);
    CHECK(receiver.requests().empty());
    management().apply(pipeline_of_suite("app", strategy(receiver)));
    CHECK(eventually([&] { return receiver.requests().size() == 1; }));
}
