// What people are told an environment is waiting for.
#include "decision_story.hpp"

using namespace promotiond;
using namespace promotiond::decision;
using promotiond::model::Phase;

namespace {

const char* const kTwo =
    "[{name: dev, targets: [{namespace: a}, {namespace: b}], when: all}, {name: prod, targets: "
    "[{namespace: p}]}]";

Why why_prod(const Story& story) { return why(story.pipeline, story.history, story.now).at(1); }

}  // namespace

TEST_CASE("why: without any evidence it says what should have come and where to") {
    const Story story(kTwo);
    const Why answer = why_prod(story);
    CHECK(answer.headline == "no target of dev has reported that it runs a revision");
    CHECK(answer.unblock.find("/promotion/default/app/dev") != std::string::npos);
    CHECK_FALSE(answer.since);
    CHECK(why(story.pipeline, story.history, story.now)[0].headline ==
          "dev is the first environment: nothing is promoted into it, and none of its targets has "
          "reported yet");
}

TEST_CASE(
    "why: where clusters share a namespace and are counted, it says that events must name one") {
    Story story(
        "[{name: dev, targets: [{namespace: a, clusterRef: {name: eu}}, {namespace: a, clusterRef: "
        "{name: us}}], when: all}, {name: prod, targets: [{namespace: p}]}]");
    story.tell("dev", "a", "7");
    const std::string hint = "; add eventMetadata: {cluster: NAME} to each cluster's Alert";
    CHECK(why_prod(story).unblock.ends_with("/promotion/default/app/dev" + hint));
    auto event = story.event("dev", "a", "7");
    event.event.metadata["cluster"] = "eu";
    story.tell(event);
    CHECK(why_prod(story).unblock == "deploy 7 to us/a" + hint);
}

TEST_CASE("why: it names the targets that are missing, and since when") {
    Story story(kTwo);
    story.tell("dev", "a", "7");
    const Why answer = why_prod(story);
    CHECK(answer.headline == "7 runs in 1 of 2 targets of dev, 2 are needed; waiting for b");
    CHECK(answer.unblock == "deploy 7 to b");
    CHECK(answer.since == story.now);
}

TEST_CASE("why: each phase of a promotion has its words and its way on") {
    Story story(kTwo, "{manual: true, notification: {}}");
    story.tell("dev", "a", "7");
    story.tell("dev", "b", "7");
    auto& promotion = story.history.promotions.at({"prod", ""}).back();
    CHECK(why_prod(story).headline == "the promotion of 7 to prod waits for an approval");
    CHECK(why_prod(story).unblock == "promotionctl approve default/app prod 7");
    CHECK(why_prod(story).since == story.now);

    promotion.phase = Phase::Pending;
    promotion.location = "https://h/pull/1";
    CHECK(why_prod(story).unblock == "merge https://h/pull/1");

    promotion.phase = Phase::Queued;
    CHECK(why_prod(story).unblock.empty());
    promotion.reason = "forge answered 503";
    promotion.not_before = story.now + std::chrono::seconds{30};
    CHECK(why_prod(story).reasons[0].code == "waiting-for-retry");
    CHECK(why_prod(story).headline.find("forge answered 503") != std::string::npos);
    promotion.not_before = story.now;
    promotion.updated = story.now - std::chrono::seconds{30};
    CHECK(why_prod(story).headline.find("(forge answered 503) and is about") != std::string::npos);

    promotion.phase = Phase::Failed;
    CHECK(why_prod(story).unblock.find("promotionctl retry " + promotion.id) != std::string::npos);

    promotion.phase = Phase::Succeeded;
    CHECK(why_prod(story).headline == "7 was promoted to prod");
    CHECK(why_prod(story).unblock.empty());
}

TEST_CASE(
    "why: what waits for an approval goes on waiting when promotions are not manual any more") {
    Story story(kTwo, "{manual: true, notification: {}}");
    story.tell("dev", "a", "7");
    story.tell("dev", "b", "7");
    story.pipeline.promotion->manual = false;
    CHECK(why_prod(story).reasons[0].code == "waiting-for-approval");
    CHECK(why_prod(story).headline ==
          "the promotion of 7 to prod waits for an approval, though promotions to prod are not "
          "manual any more: that lets go newer revisions only");
    CHECK(why_prod(story).unblock == "promotionctl approve default/app prod 7");
}

TEST_CASE("why: it names an older pull request that still stands open beside what waits") {
    Story story(kTwo, "{manual: true, notification: {}}");
    const auto deploy = [&story](const std::string& revision) {
        story.tell("dev", "a", revision);
        story.tell("dev", "b", revision);
    };
    deploy("7");
    deploy("8");
    auto& elder = story.history.promotions.at({"prod", ""}).front();
    elder.phase = Phase::Pending;
    elder.location = "https://h/pull/1";
    const Why answer = why_prod(story);
    CHECK(answer.headline == "the promotion of 8 to prod waits for an approval");
    const auto open = std::find_if(answer.reasons.begin(), answer.reasons.end(),
                                   [](const Reason& each) { return each.code == "stands-open"; });
    REQUIRE(open != answer.reasons.end());
    CHECK(open->text ==
          "the promotion of 7 to prod waits to be merged: https://h/pull/1; it still stands open, "
          "and merged now it brings 7, not 8");
}

TEST_CASE("why: a missing strategy weighs more than anything else") {
    const Story story(kTwo, "{manual: true}");
    CHECK(why_prod(story).reasons[0].code == "no-strategy");
}
