#include "platform/told_promotions.hpp"

#include "tests/unit/platform_kube_fixture.hpp"

using namespace promotiond;
using namespace promotiond::platform;
using namespace promotiond::platform::testing;

namespace {

std::string pipeline_json(const std::string& name, const std::string& environments) {
    return R"({"metadata":{"namespace":"team","name":")" + name +
           R"(","uid":"u1","resourceVersion":"7"},"status":{"environments":{)" + environments +
           "}}}";
}

}  // namespace

TEST_CASE("told promotions: each environment's last one is read, from page after page") {
    Cluster cluster(
        {list_of(
             {pipeline_json("app", R"("prod":{"lastPromotion":{"id":"p-1","revision":"6.0.1",)"
                                   R"("phase":"Failed","reason":"refused","url":"https://x/1"}},)"
                                   R"("qa":{"lastPromotion":{"id":"p-2","revision":"6.0.2",)"
                                   R"("phase":"Queued"}})")},
             "9", "more"),
         list_of({pipeline_json("web", R"("prod":{"lastPromotion":{"id":"p-3","revision":"1",)"
                                       R"("phase":"Pending"}})")},
                 "9")});
    const auto told = told_promotions(cluster.client, {});
    REQUIRE(told);
    REQUIRE(told->size() == 3);
    CHECK(told->at(0).pipeline.text() == "team/app");
    CHECK(told->at(0).environment == "prod");
    CHECK(told->at(0).phase == model::Phase::Failed);
    CHECK(told->at(0).reason == "refused");
    CHECK(told->at(0).location == "https://x/1");
    CHECK(told->at(2).pipeline.text() == "team/web");
    CHECK(cluster.server.requests().at(1).find("continue=more") != std::string::npos);
}

TEST_CASE("told promotions: what is no status of ours tells nothing") {
    Cluster cluster({list_of(
        {pipeline_json("app", R"("a":{},"b":{"lastPromotion":{"id":"p-1","revision":"1",)"
                              R"("phase":"Flying"}},"c":{"lastPromotion":"p-1"},)"
                              R"("d":{"lastPromotion":{"phase":"Queued","revision":"1"}},"e":[])"),
         R"({"metadata":{"namespace":"team","name":"bare","uid":"u2","resourceVersion":"8"}})"},
        "9")});
    const auto told = told_promotions(cluster.client, {});
    REQUIRE(told);
    CHECK(told->empty());
}

TEST_CASE("told promotions: where one namespace cannot be read, nothing is taken for the whole") {
    Cluster cluster({list_of({}, "9"), status(403, "Forbidden", "not yours")});
    CHECK_FALSE(told_promotions(cluster.client, {.namespaces = {"one", "two"}}));
}
