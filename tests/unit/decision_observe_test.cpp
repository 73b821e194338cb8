// What follows from targets that were seen, not told of.
#include "decision_story.hpp"

using namespace promotiond;
using namespace promotiond::decision;
using promotiond::model::Phase;

namespace {

const char* const kTwo =
    "[{name: dev, targets: [{namespace: dev}]}, {name: prod, targets: [{namespace: eu}, "
    "{namespace: us}]}]";
const char* const kPullRequest = "{pullRequest: {url: u}}";

// 1.0.0 runs everywhere, and 2.0.0 was promoted since; how far it came is its phase.
Story one_on_its_way(Phase phase) {
    Story story(kTwo, kPullRequest);
    story.see("dev", "dev", "1.0.0");
    story.set_phase("prod", Phase::Succeeded);
    story.see("prod", "eu", "1.0.0");
    story.see("prod", "us", "1.0.0");
    story.see("dev", "dev", "2.0.0");
    story.set_phase("prod", phase);
    return story;
}

}  // namespace

TEST_CASE("observation: a revision that is seen to run is due in the next environment") {
    Story story(kTwo, kPullRequest);
    const Decision decision = story.see("dev", "dev", "2.0.0");
    CHECK(decision.verdict == Verdict::Promote);
    REQUIRE(decision.due.size() == 1);
    const model::Promotion& promotion = decision.due[0].promotion;
    CHECK(promotion.scope == model::Scope{{"default", "app"}, "prod", ""});
    CHECK(promotion.actor == "observation");
    CHECK(promotion.id == model::promotion_id(promotion.scope, "2.0.0", 0));
    CHECK(model::event_from_json(promotion.event)->reason == "Observed");
}

TEST_CASE("observation: what an event has told already brings nothing new, and the reverse") {
    Story story(kTwo, kPullRequest);
    const auto told = story.tell("dev", "dev", "2.0.0");
    REQUIRE(told.due.size() == 1);
    const auto seen = story.see("dev", "dev", "2.0.0");
    CHECK(seen.due.empty());
    CHECK(seen.evidence.empty());
    CHECK(seen.existing == std::vector{told.due[0].promotion.id});

    REQUIRE(story.see("dev", "dev", "3.0.0").due.size() == 1);
    CHECK(story.tell("dev", "dev", "3.0.0").due.empty());
}

TEST_CASE("observation: the same seen again writes nothing, however often") {
    Story story(kTwo, kPullRequest);
    story.see("dev", "dev", "2.0.0");
    for (int look = 0; look < 3; ++look) {
        const auto again = story.see("dev", "dev", "2.0.0");
        CHECK(again.verdict == Verdict::Ignore);
        CHECK(again.evidence.empty());
        CHECK(again.due.empty());
    }
}

TEST_CASE("observation: what runs everywhere in the next environment is not promoted there") {
    Story story(kTwo, kPullRequest);
    story.see("prod", "eu", "1.0.0");
    story.see("prod", "us", "1.0.0");
    const auto decision = story.see("dev", "dev", "1.0.0");
    CHECK(decision.due.empty());
    CHECK(has_code(decision, "already-runs"));
    CHECK(decision.evidence.size() == 1);
}

TEST_CASE(
    "observation: an older revision takes the place of one on its way, though it runs there "
    "still") {
    Story story = one_on_its_way(Phase::Pending);
    const auto back = story.see("dev", "dev", "1.0.0");
    REQUIRE(back.due.size() == 1);
    CHECK(back.due[0].promotion.ordinal == 1);
    CHECK(back.due[0].supersedes.size() == 1);
}

TEST_CASE("observation: what a closed request did not bring there has not to be taken back") {
    Story story = one_on_its_way(Phase::Failed);
    CHECK(has_code(story.see("dev", "dev", "1.0.0"), "already-runs"));
}

TEST_CASE("observation: one target of the next environment that lags behind is enough for it") {
    Story story(kTwo, kPullRequest);
    story.see("prod", "eu", "1.0.0");
    story.see("prod", "us", "0.9.0");
    CHECK(story.see("dev", "dev", "1.0.0").due.size() == 1);
}

TEST_CASE("observation: the last environment is remembered and promotes nowhere") {
    Story story(kTwo, kPullRequest);
    const auto decision = story.see("prod", "eu", "1.0.0");
    CHECK(decision.verdict == Verdict::Ignore);
    CHECK(has_code(decision, "last-environment"));
    REQUIRE(decision.evidence.size() == 1);
    CHECK(story.history.running.at({"prod", "eu"}).revision == "1.0.0");
}

TEST_CASE("observation: what is not ready, has no revision or cannot be read is no evidence") {
    Story story(kTwo, kPullRequest);
    for (const auto& decision :
         {story.see("dev", "dev", "2.0.0", false), story.see("dev", "dev", "")}) {
        CHECK(decision.verdict == Verdict::Ignore);
        CHECK(has_code(decision, "not-ready"));
        CHECK(decision.evidence.empty());
    }
    model::Observation blind{story.pipeline.id, "dev", "dev", {}, true, "2.0.0", "not found", {}};
    const auto decision = decide(story.pipeline, story.history, blind, story.now);
    REQUIRE(decision);
    CHECK(has_code(*decision, "unreadable"));
    CHECK(decision->evidence.empty());
}

TEST_CASE("observation: a target that the Pipeline does not have is an error that names it") {
    const Story story(kTwo, kPullRequest);
    model::Observation foreign{story.pipeline.id, "dev", "qa", {}, true, "2.0.0", "", {}};
    const auto decision = decide(story.pipeline, story.history, foreign, story.now);
    REQUIRE(!decision);
    CHECK(decision.error().kind == ErrorKind::Invalid);
    CHECK(decision.error().message == "app default/app has no target qa in dev");
}

TEST_CASE("observation: targets are counted one by one where the environment asks for all") {
    Story story(
        "[{name: dev, when: all, targets: [{namespace: app, clusterRef: {name: a}}, "
        "{namespace: app, clusterRef: {name: b}}]}, {name: prod, targets: [{namespace: app}]}]",
        kPullRequest);
    CHECK(has_code(story.see("dev", "a/app", "2.0.0"), "waiting-for-targets"));
    CHECK(story.see("dev", "b/app", "2.0.0").due.size() == 1);
}

TEST_CASE("observation: a target put back to an older revision brings it back, as an event does") {
    Story story(kTwo, kPullRequest);
    story.see("dev", "dev", "1.0.0");
    story.see("dev", "dev", "2.0.0");
    const auto back = story.see("dev", "dev", "1.0.0");
    REQUIRE(back.due.size() == 1);
    CHECK(back.due[0].promotion.ordinal == 1);
    CHECK(back.due[0].supersedes.size() == 1);
}
