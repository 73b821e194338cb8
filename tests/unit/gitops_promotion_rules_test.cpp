#include <chrono>

#include "catch.hpp"
#include "promotiond/gitops/promotion_rules.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;
using namespace std::chrono_literals;

namespace {

const std::string kEnvironments =
    "environments:\n- {name: dev, auto: true}\n- {name: qa, auto: true}\n- {name: prod}\n";

ReadRules read(const std::string& yaml) {
    auto result = read_promotion_rules(yaml, "gitops-promotion.yaml");
    INFO((result ? std::string() : result.error().message));
    REQUIRE(result);
    return *std::move(result);
}

std::string refusal(const std::string& yaml) {
    const auto result = read_promotion_rules(yaml, "gitops-promotion.yaml");
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == ErrorKind::Invalid);
    return result.error().message;
}

}  // namespace

TEST_CASE("promotion rules: environments keep their order and say which merge by themselves") {
    const auto rules = read(kEnvironments).rules;
    REQUIRE(rules.environments.size() == 3);
    CHECK(rules.branch_per == BranchPer::App);
    CHECK(rules.status_timeout == 5min);
    CHECK((*rules.environment("dev"))->merges_itself);
    CHECK_FALSE((*rules.environment("prod"))->merges_itself);
    CHECK((*rules.next("dev"))->name == "qa");
    CHECK((*rules.next("qa"))->name == "prod");
    CHECK((*rules.previous("prod"))->name == "qa");
    CHECK(rules.next("prod").error().message == "last environment cannot have a next environment");
    CHECK(rules.previous("dev").error().message ==
          "first environment cannot have a previous environment");
    for (const auto& found :
         {rules.environment("foobar"), rules.next("foobar"), rules.previous("foobar")})
        CHECK(found.error().message == "environment named foobar does not exist");
}

TEST_CASE("promotion rules: a flow is per app or per env") {
    CHECK(read("prflow: per-env\n" + kEnvironments).rules.branch_per == BranchPer::Environment);
    CHECK(read("prflow: per-app\n" + kEnvironments).rules.branch_per == BranchPer::App);
    CHECK_THAT(refusal("prflow: foobar\n" + kEnvironments),
               Catch::StartsWith("invalid prflow value: foobar (gitops-promotion.yaml:1:9"));
}

TEST_CASE("promotion rules: a bare number of status_timeout_minutes is minutes") {
    const auto timeout = [](const std::string& value) {
        return read("status_timeout_minutes: " + value + "\n" + kEnvironments).rules.status_timeout;
    };
    CHECK(timeout("5") == 5min);
    CHECK(timeout("\"5\"") == 5min);
    CHECK(timeout("0") == 5min);
    CHECK(timeout("7m") == 7min);
    CHECK(timeout("90s") == 90s);
    CHECK(timeout("1h30m") == 90min);
    CHECK(timeout("250ms") == 250ms);
    CHECK_THAT(refusal("status_timeout_minutes: soon\n" + kEnvironments),
               Catch::Contains("invalid status_timeout_minutes value: soon"));
    CHECK_THAT(refusal("status_timeout_minutes: -5\n" + kEnvironments), Catch::Contains("-5"));
}

TEST_CASE("promotion rules: what a feature needs is found by group and application") {
    const auto rules = read(kEnvironments +
                            "groups:\n  apps:\n    applications:\n      podinfo:\n"
                            "        featureOverwrite: true\n"
                            "        featureLabelSelector: {app: podinfo}\n")
                           .rules;
    const auto podinfo = rules.application("apps", "podinfo");
    REQUIRE(podinfo);
    CHECK((*podinfo)->feature_overwrite);
    CHECK((*podinfo)->feature_labels.at("app") == "podinfo");
    CHECK(rules.application("x", "podinfo").error().message ==
          "configuration does not contain group x");
    CHECK(rules.application("apps", "x").error().message ==
          "configuration for group apps does not contain application x");
}

TEST_CASE("promotion rules: without environments there is nothing to promote through") {
    for (const std::string yaml :
         {"environments: []\n", "environments:\n", "", "prflow: per-env\n"})
        CHECK_THAT(refusal(yaml), Catch::StartsWith("environments list cannot be empty"));
}

TEST_CASE("promotion rules: an unknown key is passed over, and told with its place") {
    const auto result = read("prflw: per-env\nenvironments:\n- name: dev\n  autom: true\n");
    CHECK(result.rules.branch_per == BranchPer::App);
    REQUIRE(result.ignored.size() == 2);
    CHECK_THAT(result.ignored[0],
               Catch::StartsWith("gitops-promotion.yaml:1:1: the key \"prflw\""));
    CHECK_THAT(result.ignored[1],
               Catch::StartsWith("gitops-promotion.yaml:4:3: the key \"autom\""));
}

TEST_CASE("promotion rules: what cannot be right is refused with its place") {
    struct Case {
        std::string yaml;
        std::string why;
    };
    for (const auto& [yaml, why] : std::vector<Case>{
             {"environments:\n- name: dev\n- name: dev\n", "\"dev\" is listed twice (gitops-"},
             {"environments:\n- name: ../dev\n", "leaves the tree"},
             {"environments:\n- name: /dev\n", "leaves the tree"},
             {"environments:\n- auto: true\n", "environment name is empty"},
             {"environments: dev\n", "has to hold a list"},
             {"environments:\n- name: dev\n  auto: maybe\n", "invalid auto value: maybe"},
             {kEnvironments + "groups: {../x: {}}\n", "group \"../x\" leaves the tree"},
             {kEnvironments + "groups: {x: {applications: {../y: {}}}}\n", "leaves the tree"},
             {"environments: [\n", "gitops-promotion.yaml: line 2:"},
             {"prflow: per-app\nprflow: per-env\n", "\"prflow\" is given twice"},
             {"- a\n", "the file has to hold keys and values"}}) {
        INFO(yaml);
        CHECK_THAT(refusal(yaml), Catch::Contains(why));
    }
}

TEST_CASE("promotion rules: durations are Go's") {
    CHECK(*parse_duration("168h") == 168h);
    CHECK(*parse_duration("1.5h") == 90min);
    CHECK(*parse_duration("0") == 0ms);
    CHECK(*parse_duration("1ns") == 1ms);
    for (const std::string wrong : {"", "5", "h", "-1h", "1d", "1h ", "1e3h", "99999999999h"}) {
        INFO(wrong);
        CHECK_FALSE(parse_duration(wrong));
    }
}
