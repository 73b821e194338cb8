// When the next environment is due, and when it is not.
#include <set>

#include "decision_story.hpp"

using namespace promotiond;
using namespace promotiond::decision;
using promotiond::model::Phase;

namespace {

const char* const kThree =
    "[{name: dev, targets: [{namespace: default}]}, {name: prod, targets: [{namespace: default}]},"
    " {name: no-targets, targets: []}]";

std::string clusters(const std::string& options, const std::string& last_options = "") {
    return "[{name: dev, targets: [{namespace: app, clusterRef: {name: a}}, {namespace: app, "
           "clusterRef: {name: b}},"
           " {namespace: app, clusterRef: {name: c}}]" +
           options +
           "}, {name: prod, targets: [{namespace: app, clusterRef: {name: eu}}, {namespace: app, "
           "clusterRef: {name: "
           "us}}]" +
           last_options + "}]";
}

}  // namespace

TEST_CASE("decision: a revision that runs in one environment is due in the next") {
    Story story(kThree, "{pullRequest: {url: u}}");
    const Decision decision = story.tell("dev", "default", "5.0.0");
    CHECK(decision.verdict == Verdict::Promote);
    REQUIRE(decision.due.size() == 1);
    const model::Promotion& promotion = decision.due[0].promotion;
    CHECK(promotion.scope == model::Scope{{"default", "app"}, "prod", ""});
    CHECK(promotion.revision == "5.0.0");
    CHECK(promotion.phase == Phase::Queued);
    CHECK(promotion.strategy == "pullRequest");
    CHECK(promotion.actor == "event:helm-controller");
    CHECK(promotion.id == model::promotion_id(promotion.scope, "5.0.0", 0));
    CHECK(promotion.created == story.now);
    CHECK(model::event_from_json(promotion.event)->revision == "5.0.0");
    REQUIRE(decision.evidence.size() == 1);
    CHECK(decision.evidence[0].target == "default");
    CHECK(has_code(decision, "runs-successfully"));
    CHECK(has_code(decision, "due"));
}

TEST_CASE(
    "decision: events that fit no environment get the texts that clients know, in their order") {
    const Story story(kThree);
    CHECK(story.error_of(story.event("no-targets", "default", "1")) ==
          "cannot promote beyond last environment no-targets");
    CHECK(story.error_of(story.event("foo", "default", "1")) ==
          "app default/app has no environment foo defined");
    CHECK(story.error_of(story.event("prod", "default", "1")) ==
          "environment no-targets has no targets");
    auto foreign = story.event("dev", "default", "1");
    foreign.event.object.name = "foo";
    foreign.environment = "foo";
    CHECK(story.error_of(foreign) == "app default/app has no environment foo defined");
    CHECK(decide(story.pipeline, story.history, foreign, story.now).error().kind ==
          ErrorKind::Invalid);
}

TEST_CASE(
    "decision: an object that is not the application is foreign, another API version is not") {
    const Story story(kThree);
    const std::string foreign = "involved object does not match Pipeline definition";
    auto event = story.event("dev", "default", "1");
    event.event.object.api_version = "helm.toolkit.fluxcd.io/v9";
    CHECK(story.error_of(event) == "no error");
    event.event.object.api_version = "foo";
    CHECK(story.error_of(event) == foreign);
    event = story.event("dev", "default", "1");
    event.event.object.kind = "foo";
    CHECK(story.error_of(event) == foreign);
    event = story.event("dev", "default", "1");
    event.event.object.name = "foo";
    CHECK(story.error_of(event) == foreign);
    CHECK(story.error_of(story.event("dev", "foo", "1")) == foreign);
}

TEST_CASE("decision: an environment without a strategy is a conflict that says what to set") {
    const Story story(kThree, "{manual: true}");
    const auto decision =
        decide(story.pipeline, story.history, story.event("dev", "default", "1"), story.now);
    REQUIRE_FALSE(decision);
    CHECK(decision.error().kind == ErrorKind::Conflict);
    CHECK(decision.error().message.rfind(
              "environment prod has no promotion strategy: set spec.promotion", 0) == 0);
}

TEST_CASE("decision: the same evidence twice is one promotion") {
    Story story(kThree);
    const auto event = story.event("dev", "default", "5.0.0");
    const Decision first = story.tell(event);
    auto timed = event;
    timed.event.timestamp = first.evidence[0].event_time;
    for (const auto& again : {timed, timed}) {
        const Decision second = story.tell(again);
        CHECK(second.verdict == Verdict::Ignore);
        CHECK(second.due.empty());
        CHECK(second.evidence.empty());
        CHECK(second.existing == std::vector<model::PromotionId>{first.due[0].promotion.id});
        CHECK(has_code(second, "same-evidence"));
    }
}

TEST_CASE("decision: a failed or cancelled promotion is not repeated by the same evidence") {
    for (const Phase phase : {Phase::Failed, Phase::Cancelled, Phase::Succeeded, Phase::Pending}) {
        Story story(kThree);
        const Decision first = story.tell("dev", "default", "5.0.0");
        story.set_phase("prod", phase);
        const Decision second = story.tell("dev", "default", "5.0.0");
        CHECK(second.due.empty());
        CHECK(second.existing == std::vector<model::PromotionId>{first.due[0].promotion.id});
    }
}

TEST_CASE("decision: a newer revision supersedes what is unfinished, and only that") {
    Story story(kThree);
    story.tell("dev", "default", "1");
    story.set_phase("prod", Phase::Succeeded);
    story.tell("dev", "default", "2");
    story.set_phase("prod", Phase::Failed);
    const auto third = story.tell("dev", "default", "3").due[0].promotion.id;
    story.set_phase("prod", Phase::Pending);
    const Decision fourth = story.tell("dev", "default", "4");
    REQUIRE(fourth.due.size() == 1);
    CHECK(fourth.due[0].supersedes == std::vector<model::PromotionId>{third});
    CHECK(fourth.due[0].promotion.previous_revision == "1");
    CHECK(fourth.evidence[0].previous_revision == "3");
}

TEST_CASE("decision: an event older than what is known promotes nothing and is not remembered") {
    Story story(kThree);
    auto newer = story.event("dev", "default", "2");
    newer.event.timestamp = story.now - std::chrono::seconds{10};
    story.tell(newer);
    auto older = story.event("dev", "default", "1");
    older.event.timestamp = story.now - std::chrono::seconds{60};
    const Decision decision = story.tell(older);
    CHECK(decision.verdict == Verdict::Ignore);
    CHECK(decision.evidence.empty());
    CHECK(has_code(decision, "older-than-known"));
}

TEST_CASE("decision: evidence said again later is newer than what came in between") {
    Story story(kThree);
    auto event = story.event("dev", "default", "2");
    event.event.timestamp = story.now - std::chrono::seconds{60};
    story.tell(event);
    event.event.timestamp = story.now - std::chrono::seconds{10};
    CHECK(story.tell(event).evidence.size() == 1);
    auto between = story.event("dev", "default", "1");
    between.event.timestamp = story.now - std::chrono::seconds{30};
    CHECK(has_code(story.tell(between), "older-than-known"));
}

TEST_CASE("decision: a sender whose clock is ahead does not silence those that come after it") {
    Story story(kThree);
    auto ahead = story.event("dev", "default", "1");
    ahead.event.timestamp = story.now + std::chrono::hours{24 * 365};
    CHECK(story.tell(ahead).verdict == Verdict::Promote);
    auto next = story.event("dev", "default", "2");
    next.event.timestamp = story.now + std::chrono::seconds{1};
    CHECK(story.tell(next).verdict == Verdict::Promote);
}

TEST_CASE(
    "decision: a target that goes back brings the old revision back as a promotion of its own") {
    Story story(kThree);
    const auto first = story.tell("dev", "default", "1").due[0].promotion;
    story.set_phase("prod", Phase::Succeeded);
    story.tell("dev", "default", "2");
    story.set_phase("prod", Phase::Succeeded);
    const Decision back = story.tell("dev", "default", "1");
    REQUIRE(back.due.size() == 1);
    CHECK(back.due[0].promotion.ordinal == 1);
    CHECK(back.due[0].promotion.id != first.id);
    CHECK(back.due[0].promotion.previous_revision == "2");
    const Decision again = story.tell("dev", "default", "1");
    CHECK(again.existing == std::vector<model::PromotionId>{back.due[0].promotion.id});
}

TEST_CASE("decision: a target that is merely behind brings nothing back") {
    Story story(clusters(""));
    story.tell_of("dev", "a", "1");
    story.tell_of("dev", "a", "2");
    const Decision behind = story.tell_of("dev", "b", "1");
    CHECK(behind.verdict == Verdict::Hold);
    CHECK(behind.due.empty());
    CHECK(behind.evidence.size() == 1);
    CHECK(has_code(behind, "merely-behind"));
    CHECK(story.tell_of("dev", "b", "2").existing.size() == 1);
}

TEST_CASE("decision: when any, one target is enough") {
    Story story(clusters(", when: any"));
    CHECK(story.tell_of("dev", "a", "1").verdict == Verdict::Promote);
    CHECK(story.tell_of("dev", "b", "1").existing.size() == 1);
}

TEST_CASE("decision: when all, the last of distinct targets makes it due") {
    Story story(clusters(", when: all"));
    const Decision first = story.tell_of("dev", "a", "1");
    CHECK(first.verdict == Verdict::Hold);
    CHECK(has_code(first, "waiting-for-targets"));
    CHECK(first.reasons.back().text ==
          "1 runs in 1 of 3 targets of dev, 3 are needed; waiting for b/app and c/app");
    CHECK(story.tell_of("dev", "a", "1").verdict == Verdict::Hold);
    CHECK(story.tell_of("dev", "b", "1").verdict == Verdict::Hold);
    CHECK(story.tell_of("dev", "a", "2").verdict == Verdict::Hold);
    CHECK(story.tell_of("dev", "c", "1").verdict == Verdict::Hold);
    CHECK(story.tell_of("dev", "a", "1").verdict == Verdict::Promote);
}

TEST_CASE("decision: when all, going back is due when the last target went back") {
    Story story(clusters(", when: all"));
    for (const char* revision : {"1", "2"}) {
        for (const char* cluster : {"a", "b", "c"}) story.tell_of("dev", cluster, revision);
    }
    CHECK(story.tell_of("dev", "a", "1").due.empty());
    CHECK(story.tell_of("dev", "b", "1").due.empty());
    CHECK(story.tell_of("dev", "c", "1").due.size() == 1);
}

TEST_CASE("decision: when n, so many distinct targets are needed") {
    Story story(clusters(", when: 2"));
    CHECK(story.tell_of("dev", "a", "1").verdict == Verdict::Hold);
    CHECK(story.tell_of("dev", "c", "1").verdict == Verdict::Promote);
}

TEST_CASE("decision: where any target is enough, an event that names no cluster counts for all") {
    for (const char* when : {"", ", when: any", ", when: 1"}) {
        Story story(clusters(when));
        const Decision decision = story.tell("dev", "app", "1");
        CHECK(decision.verdict == Verdict::Promote);
        CHECK(decision.evidence.size() == 3);
    }
}

TEST_CASE("decision: where targets are counted, an event that names no cluster is held") {
    for (const char* when : {", when: all", ", when: 2"}) {
        Story story(clusters(when));
        const Decision held = story.tell("dev", "app", "1");
        CHECK(held.verdict == Verdict::Hold);
        CHECK(held.evidence.empty());
        CHECK(held.due.empty());
        REQUIRE(held.reasons.size() == 1);
        CHECK(held.reasons[0].code == "unknown-cluster");
        CHECK(
            held.reasons[0].text ==
            "the event does not say which cluster runs 1: targets a/app, b/app and c/app of dev "
            "share the namespace app; add eventMetadata: {cluster: NAME} to each cluster's Alert");
        auto labelled = story.event("dev", "app", "1");
        labelled.event.metadata["cluster"] = "somewhere";
        CHECK(has_code(story.tell(labelled), "unknown-cluster"));
        labelled.event.reason = "UpgradeFailed";
        CHECK(has_code(story.tell(labelled), "reports-failure"));
    }
}

TEST_CASE("decision: a namespace that one target alone has needs no cluster, counted or not") {
    Story story(
        "[{name: dev, when: all, targets: [{namespace: a, clusterRef: {name: eu}}, {namespace: b, "
        "clusterRef: {name: eu}}]}, {name: prod, targets: [{namespace: app}]}]");
    CHECK(story.tell("dev", "a", "1").verdict == Verdict::Hold);
    CHECK(story.tell("dev", "b", "1").verdict == Verdict::Promote);
}

TEST_CASE(
    "decision: a cluster of another environment is foreign, somebody else's label says nothing") {
    Story story(clusters(""));
    auto event = story.event("dev", "app", "1");
    event.event.metadata["cluster"] = "eu";
    CHECK(story.error_of(event) == "involved object does not match Pipeline definition");
    event.event.metadata["cluster"] = "somewhere";
    CHECK(story.tell(event).evidence.size() == 3);
    event.event.metadata["target"] = "b/app";
    event.event.revision = "2";
    const Decision one = story.tell(event);
    REQUIRE(one.evidence.size() == 1);
    CHECK(one.evidence[0].target == "b/app");
}

TEST_CASE("decision: per target, each target of the next environment gets a promotion of its own") {
    Story story(clusters("", ", per: target"));
    const Decision decision = story.tell_of("dev", "a", "1");
    REQUIRE(decision.due.size() == 2);
    CHECK(decision.due[0].promotion.scope.target == "eu/app");
    CHECK(decision.due[1].promotion.scope.target == "us/app");
    CHECK(decision.due[0].promotion.id != decision.due[1].promotion.id);
    CHECK(story.tell_of("dev", "b", "1").existing.size() == 2);
}

TEST_CASE("decision: an approval for a target that there is not is told which there are") {
    const Story story(clusters("", ", per: target"), "{manual: true, notification: {}}");
    const auto wrong =
        decide(story.pipeline, story.history, Approval{"prod", "mars/app", "1", "approval:x"});
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().kind == ErrorKind::Invalid);
    CHECK(wrong.error().message ==
          "environment prod has no target mars/app; its targets are: eu/app, us/app");
}

TEST_CASE("decision: a manual promotion waits for an approval of exactly its revision") {
    Story story(kThree, "{manual: true, notification: {}}");
    const Decision decision = story.tell("dev", "default", "5.0.0");
    REQUIRE(decision.due.size() == 1);
    CHECK(decision.due[0].promotion.phase == Phase::AwaitingApproval);
    const auto approve = [&story](const std::string& environment, const std::string& revision) {
        return decide(story.pipeline, story.history,
                      Approval{environment, "", revision, "approval:x"});
    };
    CHECK(approve("prod", "4.0.0").error().message == "failed approving promotion");
    CHECK(approve("dev", "5.0.0").error().message == "failed approving promotion");
    const auto approved = approve("prod", "5.0.0");
    REQUIRE(approved);
    CHECK(approved->promotions == std::vector<model::PromotionId>{decision.due[0].promotion.id});
    auto& promotion = story.history.promotions.at({"prod", ""}).back();
    promotion.phase = Phase::Running;
    CHECK(approve("prod", "5.0.0").error().message == "failed approving promotion");
    promotion.actor = "approval:x";
    CHECK(approve("prod", "5.0.0")->existing == approved->promotions);
    CHECK(approve("prod", "5.0.0")->promotions.empty());
    promotion.phase = Phase::Cancelled;
    CHECK(approve("prod", "5.0.0").error().message == "failed approving promotion");
    promotion.phase = Phase::AwaitingApproval;
    promotion.actor = "event";
    story.tell("dev", "default", "6.0.0");
    CHECK(approve("prod", "5.0.0").error().kind == ErrorKind::Invalid);
    CHECK(approve("prod", "6.0.0"));
    story.pipeline.environments.erase(story.pipeline.environments.begin() + 1);
    CHECK(approve("prod", "6.0.0").error().message ==
          "app default/app has no environment prod defined");
}

TEST_CASE("decision: an approval may be for one target or for every one that waits") {
    Story story(clusters("", ", per: target"), "{manual: true, notification: {}}");
    story.tell_of("dev", "a", "1");
    CHECK(
        decide(story.pipeline, story.history, Approval{"prod", "", "1", "x"})->promotions.size() ==
        2);
    CHECK(decide(story.pipeline, story.history, Approval{"prod", "us/app", "1", "x"})
              ->promotions.size() == 1);
    CHECK_FALSE(decide(story.pipeline, story.history, Approval{"prod", "xx/app", "1", "x"}));
}
