// What people can tell the engine, and ask it.
#include "unit/engine_fixture.hpp"

using namespace promotiond;
using namespace promotiond::test;

namespace {

Result<Accepted> approve(House& house, const std::string& revision) {
    Awaited<Accepted> answer;
    house.engine->approve(house.pipeline.id, {"prod", "", revision, "operator:ann"},
                          answer.callback());
    return answer.get();
}

Result<model::Promotion> retry(House& house, const std::string& id) {
    Awaited<model::Promotion> answer;
    house.engine->retry(id, "operator:ann", answer.callback());
    return answer.get();
}

Result<model::Promotion> cancel(House& house, const std::string& id) {
    Awaited<model::Promotion> answer;
    house.engine->cancel(id, "operator:ann", answer.callback());
    return answer.get();
}

}  // namespace

TEST_CASE("engine: a manual promotion waits for an approval of exactly its revision") {
    House house;
    house.pipeline.promotion->manual = true;
    house.start();
    const auto accepted = house.send("1.0.0");
    REQUIRE(accepted);
    CHECK(accepted->awaiting_approval);
    const auto id = accepted->promotions.at(0);
    CHECK(house.phase(id) == Phase::AwaitingApproval);
    const auto other = approve(house, "2.0.0");
    REQUIRE_FALSE(other);
    CHECK(other.error().kind == ErrorKind::Invalid);
    CHECK(house.carrier->promoted == 0);

    const auto approved = approve(house, "1.0.0");
    REQUIRE(approved);
    CHECK(approved->promotions == std::vector{id});
    REQUIRE(house.comes_to(id, Phase::Succeeded));
    CHECK(house.journal->transitions(id)->at(1).actor == "operator:ann");
}

TEST_CASE("engine: the same approval twice is answered with the same promotion, another refused") {
    House house;
    house.pipeline.promotion->manual = true;
    house.carrier->on_promote = [](auto) { return Outcome::Pending; };
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(approve(house, "1.0.0"));
    REQUIRE(house.comes_to(id, Phase::Pending));
    const auto again = approve(house, "1.0.0");
    REQUIRE(again);
    CHECK(again->promotions == std::vector{id});
    CHECK(again->reasons.at(0).code == "already-approved");
    CHECK(approve(house, "0.9.0").error().kind == ErrorKind::Invalid);
    CHECK(house.journal->transitions(id)->size() == 4);
    CHECK(house.carrier->promoted == 1);

    house.promote("1.1.0");
    CHECK(approve(house, "1.0.0").error().message == "failed approving promotion");
}

TEST_CASE("engine: what comes there by other means waits no more, and an approval hears of it") {
    House house;
    house.pipeline.promotion->manual = true;
    house.start();
    const auto id = house.promote("1.0.0");
    house.engine->observe({{house.pipeline.id, "prod", "prod", {}, true, "1.0.0", "", {}}});
    REQUIRE(house.comes_to(id, Phase::Superseded));
    CHECK(house.journal->promotion(id)->reason ==
          "1.0.0 runs in all targets of prod already; nothing is left to approve");
    const auto late = approve(house, "1.0.0");
    REQUIRE(late);
    CHECK(late->promotions == std::vector{id});
    CHECK(late->reasons.at(0).code == "already-there");
    CHECK(house.carrier->promoted == 0);
}

TEST_CASE("engine: what was cancelled before its approval waits for it again when retried") {
    House house;
    house.pipeline.promotion->manual = true;
    house.carrier->hold = true;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(cancel(house, id));
    CHECK(approve(house, "1.0.0").error().message == "failed approving promotion");
    CHECK(retry(house, id)->phase == Phase::AwaitingApproval);
    CHECK(house.carrier->promoted == 0);
    REQUIRE(approve(house, "1.0.0"));
    REQUIRE(house.carrier->was_called(1));

    REQUIRE(cancel(house, id));
    CHECK(approve(house, "1.0.0").error().message == "failed approving promotion");
    CHECK(retry(house, id)->phase == Phase::Queued);
}

TEST_CASE("engine: cancelled and retried in one batch, an unapproved promotion still waits") {
    House house;
    house.pipeline.promotion->manual = true;
    house.open();
    auto sent = house.post("1.0.0");
    const auto id = model::promotion_id({house.pipeline.id, "prod", ""}, "1.0.0", 0);
    house.start();
    REQUIRE(sent.get());
    house.close();
    house.open();
    Awaited<model::Promotion> cancelled;
    Awaited<model::Promotion> retried;
    house.engine->cancel(id, "operator:ann", cancelled.callback());
    house.engine->retry(id, "operator:ann", retried.callback());
    house.start();
    REQUIRE(cancelled.get());
    CHECK(retried.get()->phase == Phase::AwaitingApproval);
}

TEST_CASE("engine: a failed promotion is tried anew when a person says so, with all its tries") {
    House house;
    std::atomic<bool> mended{false};
    house.carrier->on_promote = [&mended](std::uint32_t attempt) {
        return mended && attempt == 3 ? Outcome::Done : Outcome::Retry;
    };
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.comes_to(id, Phase::Failed));
    mended = true;
    const auto again = retry(house, id);
    REQUIRE(again);
    CHECK(again->phase == Phase::Queued);
    CHECK(house.comes_to(id, Phase::Succeeded));
    CHECK(house.carrier->promoted == 6);
    CHECK(retry(house, id).error().kind == ErrorKind::Conflict);
    CHECK(retry(house, "p-none").error().kind == ErrorKind::NotFound);
}

TEST_CASE("engine: what a newer promotion came after is not retried over it") {
    House house;
    house.carrier->on_promote = [](auto) { return Outcome::Rejected; };
    house.start();
    const auto old = house.promote("1.0.0");
    REQUIRE(house.comes_to(old, Phase::Failed));
    const auto newer = house.promote("1.1.0");
    const auto refused = retry(house, old);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Conflict);
    CHECK(refused.error().message.find(newer) != std::string::npos);
}

TEST_CASE("engine: cancelling stops the running call, and its answer changes nothing") {
    House house;
    house.carrier->hold = true;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.carrier->was_called(1));
    REQUIRE(cancel(house, id));
    CHECK(cancel(house, id).error().kind == ErrorKind::Conflict);
    house.carrier->let_go();
    house.close();
    house.open();
    CHECK(house.phase(id) == Phase::Cancelled);
    CHECK(house.journal->transitions(id)->size() == 3);
}

TEST_CASE("engine: who waits hears when the promotion has come somewhere") {
    House house;
    house.carrier->hold = true;
    house.carrier->on_promote = [](auto) { return Outcome::Pending; };
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.carrier->was_called(1));
    Awaited<std::vector<model::Promotion>> answer;
    house.engine->when_settled({id}, SteadyTime::max(), answer.callback());
    REQUIRE(house.engine->ready());
    CHECK(answer.future.wait_for(milliseconds{0}) == std::future_status::timeout);
    house.carrier->let_go();
    const auto settled = answer.get();
    REQUIRE(settled);
    CHECK(settled->at(0).location == "https://forge/1");
}

TEST_CASE("engine: who waits for several promotions hears when the last of them has settled") {
    House house;
    house.carrier->one_lane = false;
    house.carrier->hold = true;
    house.pipeline.environments[1].targets = {{"eu", {}}, {"us", {}}};
    house.pipeline.environments[1].per = model::Per::Target;
    house.start();
    const auto accepted = house.send("1.0.0");
    REQUIRE(accepted->promotions.size() == 2);
    REQUIRE(house.carrier->was_called(2));
    Awaited<std::vector<model::Promotion>> answer;
    house.engine->when_settled(accepted->promotions, SteadyTime::max(), answer.callback());
    REQUIRE(cancel(house, accepted->promotions[0]));
    CHECK(answer.future.wait_for(milliseconds{0}) == std::future_status::timeout);
    house.carrier->let_go();
    const auto settled = answer.get();
    REQUIRE(settled->size() == 2);
    CHECK(settled->at(0).phase == Phase::Cancelled);
    CHECK(settled->at(1).phase == Phase::Succeeded);
}

TEST_CASE("engine: who waits hears when the time is up, and when there is no such promotion") {
    House house;
    house.manual = true;
    house.carrier->hold = true;
    house.start();
    const auto id = house.promote("1.0.0");
    REQUIRE(house.carrier->was_called(1));
    Awaited<std::vector<model::Promotion>> late;
    house.engine->when_settled({id}, house.hands.steady_now() + std::chrono::seconds{20},
                               late.callback());
    REQUIRE(house.send("1.0.0"));
    CHECK(late.future.wait_for(milliseconds{0}) == std::future_status::timeout);
    house.pass(std::chrono::seconds{20});
    CHECK(late.get()->at(0).phase == Phase::Running);
    Awaited<std::vector<model::Promotion>> none;
    house.engine->when_settled({"p-none"}, SteadyTime::max(), none.callback());
    CHECK(none.get().error().kind == ErrorKind::NotFound);
}

TEST_CASE("engine: a plan tells from where to where, and promotes nothing") {
    House house;
    house.start();
    REQUIRE(house.comes_to(house.promote("1.0.0"), Phase::Succeeded));
    const auto plan = [&house](const model::PipelineName& name, const std::string& environment) {
        return house.engine->plan(name, environment, "", "1.1.0", {});
    };
    // Views follow the journal a moment later.
    CHECK(house.soon([&] {
        const auto planned = plan(house.pipeline.id, "prod");
        return planned && planned->summary == "1.0.0 to 1.1.0";
    }));
    CHECK(house.carrier->promoted == 1);
    CHECK(plan({"apps", "none"}, "prod").error().kind == ErrorKind::NotFound);
    CHECK(plan(house.pipeline.id, "none").error().kind == ErrorKind::Invalid);
    house.carrier->cannot_plan();
    CHECK(plan(house.pipeline.id, "prod").error().kind == ErrorKind::Invalid);
}
