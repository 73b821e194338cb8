// A promotion handed to Flux's notification-controller.
#include <boost/json.hpp>
#include <promotiond/testing.hpp>

#include "catch.hpp"
#include "notification.hpp"

using namespace promotiond;
using notification::Notification;
using sdk::testing::FakeHost;
using sdk::testing::Request;
namespace json = boost::json;

namespace {

const Request kRequest{.config = "{}"};

}  // namespace

TEST_CASE(
    "notification: the event is what pipeline-controller sent, and version and environment "
    "arrive") {
    FakeHost host;
    host.answer_http({.code = 202});
    auto strategy = host.make<Notification>();
    const auto answer = strategy.promote(kRequest);
    CHECK(answer.outcome == PROMOTIOND_DONE);
    CHECK(answer.location.empty());
    const auto asked = host.requests().at(0);
    CHECK(asked.method == "POST");
    CHECK(asked.url == "http://notification-controller.flux-system.svc.cluster.local./");
    CHECK(asked.header("Content-Type") == "application/json");
    const auto event = json::parse(asked.body).as_object();
    CHECK(event.at("reason") == "Promote");
    CHECK(event.at("severity") == "info");
    CHECK(event.at("message") == "Promote pipeline team/podinfo to prod with version 1.2.3");
    const auto& object = event.at("involvedObject").as_object();
    CHECK(object.at("kind") == "Pipeline");
    CHECK(object.at("namespace") == "team");
    CHECK(object.at("name") == "podinfo");
    CHECK(object.at("apiVersion") == "pipelines.weave.works/v1alpha1");
    const std::string time(event.at("timestamp").as_string());
    CHECK(time.size() == sizeof "2026-01-01T00:00:00Z" - 1);
    // notification-controller drops keys without the object's group.
    const auto& metadata = event.at("metadata").as_object();
    CHECK(metadata.at("pipelines.weave.works/environment") == "prod");
    CHECK(metadata.at("pipelines.weave.works/version") == "1.2.3");
    CHECK(metadata.at("pipelines.weave.works/revision") == "1.2.3");
    for (const auto& each : metadata) CHECK(each.key().starts_with("pipelines.weave.works/"));
    CHECK(host.breaches().empty());
}

TEST_CASE("notification: a repeat that the controller knows already is done") {
    FakeHost host;
    host.answer_http({.code = 429});
    CHECK(host.make<Notification>().promote(kRequest).outcome == PROMOTIOND_DONE);
}

TEST_CASE("notification: what passes is tried again, what does not is said") {
    const std::pair<int, promotiond_outcome> cases[] = {
        {500, PROMOTIOND_RETRY},    {503, PROMOTIOND_RETRY},    {408, PROMOTIOND_RETRY},
        {400, PROMOTIOND_REJECTED}, {404, PROMOTIOND_REJECTED}, {413, PROMOTIOND_REJECTED}};
    for (const auto& [code, outcome] : cases) {
        INFO(code);
        FakeHost host;
        host.answer_http({.code = code});
        const auto answer = host.make<Notification>().promote(kRequest);
        CHECK(answer.outcome == outcome);
        CHECK(answer.message.find(std::to_string(code)) != std::string::npos);
    }
    FakeHost busy;
    busy.answer_http({.code = 429, .headers = {{"Retry-After", "7"}}});
    CHECK(busy.make<Notification>().promote(kRequest).outcome == PROMOTIOND_RETRY);
}

TEST_CASE(
    "notification: the controller's address is a setting, and a wrong one is refused at start") {
    FakeHost host;
    host.answer_http({.code = 202});
    auto strategy = host.make<Notification>(R"({"address":"http://nc.test:9090/"})");
    CHECK(strategy.promote(kRequest).outcome == PROMOTIOND_DONE);
    CHECK(host.requests().at(0).url == "http://nc.test:9090/");
    for (const char* wrong : {R"({"address":7})", R"({"adress":"http://a/"})",
                              R"({"address":"ftp://a/"})", "[]", "nonsense"}) {
        CHECK_THROWS(Notification(sdk::Settings{wrong}));
    }
}

TEST_CASE("notification: a plan shows the event and sends nothing") {
    FakeHost host;
    const auto planned = host.make<Notification>().plan(kRequest);
    CHECK(planned.outcome == PROMOTIOND_DONE);
    CHECK(planned.summary == "Promote pipeline team/podinfo to prod with version 1.2.3");
    CHECK(host.requests().empty());
}
