// What becomes of promotions whose revision came by other means to where they were to bring it.
#include "decision_story.hpp"

using namespace promotiond;
using namespace promotiond::decision;
using promotiond::model::Phase;

namespace {

const char* const kTwo =
    "[{name: dev, targets: [{namespace: dev}]}, {name: prod, targets: [{namespace: eu}, "
    "{namespace: us}]}]";
const char* const kManual = "{manual: true, notification: {}}";

// 2.0.0 runs in dev and waits for its approval to prod.
Story waiting(const std::string& promotion = kManual) {
    Story story(kTwo, promotion);
    REQUIRE(story.see("dev", "dev", "2.0.0").due.size() > 0);
    return story;
}

Result<Approved> approve(const Story& story, const std::string& revision) {
    return decide(story.pipeline, story.history, Approval{"prod", "", revision, "operator:ann"});
}

}  // namespace

TEST_CASE("arrival: what waits for an approval is settled once all its targets run the revision") {
    Story story = waiting();
    const auto id = story.history.promotions.at({"prod", ""}).back().id;
    CHECK(story.see("prod", "eu", "2.0.0").arrived.empty());
    CHECK(story.see("prod", "us", "1.0.0").arrived.empty());
    CHECK(story.see("prod", "us", "2.0.0", false).arrived.empty());
    const auto there = story.see("prod", "us", "2.0.0");
    REQUIRE(there.arrived.size() == 1);
    CHECK(there.arrived[0].id == id);
    CHECK(has_code(there, "already-there"));
    CHECK(story.see("prod", "us", "2.0.0").arrived.empty());
    const auto told = why(story.pipeline, story.history, story.now).at(1);
    CHECK(told.headline ==
          "the promotion of 2.0.0 to prod was settled without it: 2.0.0 runs in all targets of "
          "prod already; nothing is left to approve");
    CHECK(told.unblock.empty());
}

TEST_CASE("arrival: with a promotion for each target, each is settled by its own") {
    Story story = waiting("{manual: true, per: target, notification: {}}");
    const auto there = story.see("prod", "eu", "2.0.0");
    REQUIRE(there.arrived.size() == 1);
    CHECK(there.arrived[0].reason == "2.0.0 runs in eu already; nothing is left to approve");
    CHECK(story.history.promotions.at({"prod", "us"}).back().phase == Phase::AwaitingApproval);
}

TEST_CASE("arrival: an event of the environment settles it as well as what is seen of it") {
    Story story(
        "[{name: dev, targets: [{namespace: dev}]}, {name: qa, targets: [{namespace: qa}]}, "
        "{name: prod, targets: [{namespace: prod}]}]",
        kManual);
    story.tell("dev", "dev", "2.0.0");
    CHECK(story.tell("qa", "qa", "2.0.0").arrived.size() == 1);
}

TEST_CASE("arrival: an approval that comes too late is answered with what is there already") {
    Story story = waiting();
    const auto id = story.history.promotions.at({"prod", ""}).back().id;
    story.see("prod", "eu", "2.0.0");
    story.see("prod", "us", "2.0.0");
    const auto late = approve(story, "2.0.0");
    REQUIRE(late);
    CHECK(late->promotions.empty());
    CHECK(late->existing == std::vector{id});
    CHECK(late->reasons.at(0).code == "already-there");
    story.see("prod", "us", "1.0.0");  // somebody took it back
    CHECK(approve(story, "2.0.0").error().message == "failed approving promotion");
}

TEST_CASE("arrival: what runs there from before, and is about to go, settles nothing") {
    Story story(kTwo, kManual);
    for (const char* revision : {"1.0.0", "2.0.0"}) {
        story.see("dev", "dev", revision);
        story.set_phase("prod", Phase::Succeeded);
        if (revision == std::string("2.0.0")) break;  // merged, and not there yet
        story.see("prod", "eu", revision);
        story.see("prod", "us", revision);
    }
    REQUIRE(story.see("dev", "dev", "1.0.0").due.size() == 1);
    CHECK(story.see("prod", "eu", "1.0.0").arrived.empty());
    CHECK(story.see("prod", "us", "1.0.0").arrived.empty());
    for (const char* revision : {"2.0.0", "1.0.0"}) {
        story.see("prod", "eu", revision);
        CHECK(story.see("prod", "us", revision).arrived.empty() == (revision[0] == '2'));
    }
}

TEST_CASE("arrival: nobody is asked by an event to approve what runs there already") {
    Story story(kTwo, kManual);
    story.see("prod", "eu", "2.0.0");
    story.see("prod", "us", "2.0.0");
    const auto decision = story.tell("dev", "dev", "2.0.0");
    CHECK(decision.due.empty());
    CHECK(decision.verdict == Verdict::Ignore);
    CHECK(has_code(decision, "already-runs"));
    CHECK(decision.evidence.size() == 1);
}
