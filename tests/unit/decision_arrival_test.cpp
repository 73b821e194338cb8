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

namespace {

// prod runs 1.0.0, which nobody promoted there, and 2.0.0 is on its way to it.
Story overtaking(const std::string& promotion, const std::string& environments = kTwo) {
    Story story(environments, promotion);
    story.see("prod", "eu", "1.0.0");
    story.see("prod", "us", "1.0.0");
    return story;
}

}  // namespace

TEST_CASE("arrival: what was taken back before its approval cannot be approved any more") {
    const std::string how = GENERATE("event", "observation");
    Story story = overtaking(kManual);
    const auto dev = [&](const std::string& revision) {
        return how == "event" ? story.tell("dev", "dev", revision)
                              : story.see("dev", "dev", revision);
    };
    CHECK(has_code(dev("1.0.0"), "already-runs"));
    const auto two = dev("2.0.0").due.at(0).promotion.id;
    const auto back = dev("1.0.0");
    REQUIRE(back.due.size() == 1);
    CHECK(back.due[0].supersedes == std::vector{two});
    CHECK(approve(story, "2.0.0").error().message == "failed approving promotion");
    story.see("prod", "eu", "1.0.0");
    CHECK(story.history.promotions.at({"prod", ""}).back().phase == Phase::Superseded);
    REQUIRE(dev("2.0.0").due.size() == 1);
    CHECK(approve(story, "2.0.0"));
}

TEST_CASE("arrival: what was taken back of each target's is decided by that target") {
    Story story = overtaking("{manual: true, per: target, notification: {}}");
    story.see("dev", "dev", "1.0.0");
    REQUIRE(story.see("dev", "dev", "2.0.0").due.size() == 2);
    story.history.promotions.at({"prod", "us"}).back().phase = Phase::Cancelled;
    const auto back = story.tell("dev", "dev", "1.0.0");
    REQUIRE(back.due.size() == 1);
    CHECK(back.due[0].promotion.scope.target == "eu");
    CHECK(has_code(back, "already-runs"));
}

TEST_CASE("arrival: where all targets are asked for, all of them take back what is on its way") {
    Story story = overtaking(kManual,
                             "[{name: dev, when: all, targets: [{namespace: a}, {namespace: b}]}, "
                             "{name: prod, targets: [{namespace: eu}, {namespace: us}]}]");
    for (const char* revision : {"1.0.0", "2.0.0"}) {
        story.see("dev", "a", revision);
        story.see("dev", "b", revision);
    }
    CHECK(has_code(story.see("dev", "a", "1.0.0"), "waiting-for-targets"));
    CHECK(approve(story, "2.0.0"));
    CHECK(story.see("dev", "b", "1.0.0").due.size() == 1);
    CHECK_FALSE(approve(story, "2.0.0"));
}

TEST_CASE("arrival: a target that is behind takes nothing back, though what it runs is there") {
    const std::string promotion =
        GENERATE("{notification: {}}", "{manual: true, notification: {}}");
    Story story = overtaking(promotion,
                             "[{name: dev, targets: [{namespace: a}, {namespace: b}]}, "
                             "{name: prod, targets: [{namespace: eu}, {namespace: us}]}]");
    story.see("dev", "a", "1.0.0");
    story.see("dev", "b", "1.0.0");
    REQUIRE(story.see("dev", "a", "2.0.0").due.size() == 1);
    for (const auto& behind : {story.see("dev", "b", "1.0.0"), story.tell("dev", "b", "1.0.0")}) {
        CHECK(behind.due.empty());
        CHECK(has_code(behind, "merely-behind"));
    }
}

TEST_CASE("arrival: what is first seen there after another one was decided takes nothing back") {
    const std::string promotion =
        GENERATE("{notification: {}}", "{manual: true, notification: {}}");
    Story story(
        "[{name: dev, targets: [{namespace: a}, {namespace: b}]}, {name: prod, targets: "
        "[{namespace: prod}]}]",
        promotion);
    REQUIRE(story.see("dev", "a", "2.0.0").due.size() == 1);
    story.see("prod", "prod", "1.0.0");  // and has run it for long
    for (const auto& behind : {story.see("dev", "b", "1.0.0"), story.tell("dev", "b", "1.0.0")}) {
        CHECK(behind.due.empty());
        CHECK(has_code(behind, "merely-behind"));
    }
    CHECK(story.see("dev", "b", "2.0.0").existing.size() == 1);
}

TEST_CASE("arrival: a failure in between does not hide what was merged and is not there yet") {
    Story story = overtaking(kManual);
    story.see("dev", "dev", "1.0.0");
    story.see("dev", "dev", "2.0.0");
    story.set_phase("prod", Phase::Succeeded);
    story.see("dev", "dev", "3.0.0");
    story.set_phase("prod", Phase::Failed);
    CHECK(story.tell("dev", "dev", "1.0.0").due.size() == 1);
}

TEST_CASE("arrival: an older one that is open still is taken back though a newer one failed") {
    Story story = overtaking("{notification: {}}");
    story.see("dev", "dev", "1.0.0");
    const auto two = story.see("dev", "dev", "2.0.0").due.at(0).promotion.id;
    story.set_phase("prod", Phase::Pending);
    story.see("dev", "dev", "3.0.0");
    story.set_phase("prod", Phase::Failed);
    story.history.promotions.at({"prod", ""}).front().phase = Phase::Pending;
    const auto back = story.see("dev", "dev", "1.0.0");
    REQUIRE(back.due.size() == 1);
    CHECK(back.due[0].supersedes == std::vector{two});
}

TEST_CASE("arrival: what came there by hand after another promotion is asked of nobody") {
    Story story = overtaking(kManual);
    story.see("dev", "dev", "2.0.0");
    story.set_phase("prod", Phase::Succeeded);
    story.see("prod", "eu", "3.0.0");
    story.see("prod", "us", "3.0.0");
    CHECK(has_code(story.tell("dev", "dev", "3.0.0"), "already-runs"));
}

TEST_CASE("arrival: what came there by hand while another one was on its way goes before it") {
    Story story = overtaking(kManual,
                             "[{name: dev, targets: [{namespace: a}, {namespace: b}]}, "
                             "{name: prod, targets: [{namespace: eu}, {namespace: us}]}]");
    story.see("dev", "a", "2.0.0");
    story.see("prod", "eu", "3.0.0");
    story.see("prod", "us", "3.0.0");
    const auto newer = story.see("dev", "b", "3.0.0");
    REQUIRE(newer.due.size() == 1);
    CHECK(newer.due[0].supersedes.size() == 1);
}
