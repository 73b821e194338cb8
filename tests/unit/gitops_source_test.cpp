#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <mutex>

#include "catch.hpp"
#include "decision/decide.hpp"
#include "gitops/advance.hpp"
#include "gitops/repository_pipelines.hpp"
#include "gitops/rules_pipelines.hpp"
#include "model/release.hpp"

using namespace promotiond;
using namespace promotiond::gitops;
using platform::Pipelines;

namespace {

const Repository kFleet{.url = "https://github.com/acme/fleet.git",
                        .branch = "main",
                        .type = "github",
                        .secret = "forge",
                        .ns = "gitops"};
const std::string kRules =
    "environments: [{name: dev, auto: true}, {name: qa, auto: true}, {name: prod}]\n"
    "groups: {shop: {applications: {web: {}}}}\n";

Pipelines read(const std::string& text, const Repository& repository = kFleet) {
    const auto rules = sdk::gitops::read_promotion_rules(text, "gitops-promotion.yaml");
    REQUIRE(rules);
    return pipelines_of(repository, rules->rules);
}

class Directory {
public:
    Directory() {
        std::string made = std::filesystem::temp_directory_path() / "promotiond-gitops-XXXXXX";
        REQUIRE(::mkdtemp(made.data()) != nullptr);
        path = made;
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

RepositoryOptions options(const Directory& directory, std::function<Result<std::string>()> read) {
    RepositoryOptions made;
    made.repositories = {kFleet};
    made.every = std::chrono::milliseconds{1};
    made.first_look = std::chrono::minutes{1};
    made.remembered = directory.path / "rules";
    made.read = [read = std::move(read)](const Repository&, const std::stop_token&) {
        return read();
    };
    return made;
}

// What a source told, in order.
class Told {
public:
    std::function<void(Pipelines)> take() {
        return [this](Pipelines now) {
            const std::lock_guard lock(mutex_);
            all_.push_back(std::move(now));
            changed_.notify_all();
        };
    }
    Pipelines next() {
        std::unique_lock lock(mutex_);
        REQUIRE(
            changed_.wait_for(lock, std::chrono::seconds{60}, [this] { return !all_.empty(); }));
        auto first = std::move(all_.front());
        all_.pop_front();
        return first;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Pipelines> all_;
};

}  // namespace

TEST_CASE("gitops: an application is a Pipeline from the registry through its environments") {
    const auto made = read(kRules);
    CHECK(made.problems.empty());
    REQUIRE(made.all.size() == 1);
    const auto& pipeline = *made.all.front();
    CHECK(pipeline.id.text() == "gitops/shop.web");
    REQUIRE(pipeline.environments.size() == 4);
    CHECK(pipeline.environments[0].name == "release");
    CHECK(pipeline.environments[3].name == "prod");
    const auto& dev = pipeline.policy_for(pipeline.environments[1])->strategy->config;
    CHECK(dev.find("mergeAfter") == std::string::npos);
    CHECK(dev.find("\"autoMerge\":true") != std::string::npos);
    CHECK(dev.find("\"directory\":\"shop/dev\"") != std::string::npos);
    const auto& prod = pipeline.policy_for(pipeline.environments[3])->strategy->config;
    CHECK(prod.find("\"mergeAfter\":\"shop-qa\"") != std::string::npos);
    CHECK(prod.find("\"autoMerge\":false") != std::string::npos);
    CHECK(model::takes(pipeline, {"shop", "web", "v1", ""}));
    CHECK(model::takes(pipeline, {"shop", "web", "v1", "gitops"}));
    CHECK_FALSE(model::takes(pipeline, {"shop", "web", "v1", "other"}));
    CHECK_FALSE(model::takes(pipeline, {"shop", "api", "v1", ""}));
}

TEST_CASE("gitops: what makes no Pipeline is told, and harms no other") {
    CHECK_THAT(read("environments: [{name: dev}]\n").problems.at(0).message,
               Catch::Contains("groups is empty"));
    CHECK_THAT(read("environments: [{name: release}]\ngroups: {a: {applications: {b: {}}}}\n")
                   .problems.at(0)
                   .message,
               Catch::Contains("give yours another name"));
    const auto mixed = read(
        "environments: [{name: dev}]\ngroups: {a/b: {applications: {c: {}}}, d: {applications: "
        "{e: {}}}}\n");
    CHECK(mixed.all.size() == 1);
    CHECK_THAT(mixed.problems.at(0).message, Catch::Contains("left to promotionctl"));
}

TEST_CASE("gitops: a release is checked before anybody promotes it") {
    CHECK(model::check_release({"shop", "web", "v1.2_3-x", ""}));
    for (const std::string tag : {"", ".v1", "-v1", "a b", "v1:2", "v1/2"})
        CHECK_FALSE(model::check_release({"shop", "web", tag, ""}));
    CHECK_FALSE(model::check_release({"shop", "web", std::string(129, 'a'), ""}));
    CHECK_FALSE(model::check_release({"", "web", "v1", ""}));
}

TEST_CASE(
    "gitops: a file that goes bad leaves its last good version in force, over a restart too") {
    const Directory directory;
    std::atomic<int> turn{0};
    const auto answer = [&]() -> Result<std::string> {
        if (turn == 0) return kRules;
        if (turn == 1) return Error{ErrorKind::Transient, "the forge is away"};
        return std::string("environments: []\n");
    };
    {
        Told told;
        auto source = repository_pipelines(options(directory, answer));
        REQUIRE(source->start(told.take()));
        const auto first = told.next();
        REQUIRE(first.all.size() == 1);
        CHECK(first.problems.empty());
        turn = 1;
        const auto away = told.next();
        CHECK(away.all == first.all);  // the very same objects: nothing has changed
        CHECK_THAT(away.problems.at(0).message, Catch::Contains("the forge is away"));
        turn = 2;
        const auto broken = told.next();
        CHECK(broken.all == first.all);
        CHECK(broken.problems.at(0).message ==
              "cannot take the rules of https://github.com/acme/fleet.git: environments list "
              "cannot be empty (gitops-promotion.yaml:1:15); the last good version stays in "
              "force");
    }
    turn = 1;
    Told told;
    std::latch started{1};  // the forge's answer would be told at once if it came before
    auto source = repository_pipelines(options(directory, [&] {
        started.wait();
        return answer();
    }));
    REQUIRE(source->start(told.take()));
    started.count_down();
    const auto remembered = told.next();
    CHECK(remembered.all.size() == 1);
    CHECK(remembered.problems.empty());
    const auto again = told.next();
    CHECK(again.all.size() == 1);
    CHECK(again.problems.size() == 1);
}

TEST_CASE("gitops: a key that means nothing is told with its place, and the rest is in force") {
    const Directory directory;
    Told told;
    auto source = repository_pipelines(options(directory, [] {
        return Result<std::string>(
            "environments: [{name: dev, atuo: true}]\ngroups: {shop: {applications: {web: {}}}}\n");
    }));
    REQUIRE(source->start(told.take()));
    const auto now = told.next();
    CHECK(now.all.size() == 1);
    REQUIRE(now.problems.size() == 1);
    CHECK_THAT(now.problems.front().message,
               Catch::StartsWith("https://github.com/acme/fleet.git gitops-promotion.yaml:1:28: "
                                 "the key \"atuo\" means nothing"));
}

TEST_CASE("gitops: a repository that has never been read is degraded, and why, until it is read") {
    const Directory directory;
    const std::string part = "gitops https://github.com/acme/fleet.git main";
    Readiness readiness;
    std::atomic<bool> away{true};
    auto how = options(directory, [&]() -> Result<std::string> {
        if (away) return Error{ErrorKind::Transient, "the forge is away"};
        return kRules;
    });
    how.readiness = &readiness;
    Told told;
    auto source = repository_pipelines(how);
    REQUIRE(source->start(told.take()));
    CHECK(told.next().all.empty());
    CHECK(readiness.parts().at(part).state == Readiness::State::Degraded);
    CHECK(readiness.parts().at(part).reason == "the forge is away");
    away = false;
    CHECK(told.next().all.size() == 1);
    CHECK(readiness.parts().at(part).state == Readiness::State::Ready);
    // What is remembered is known, whether the forge is there or not.
    away = true;
    source.reset();
    Told again;
    const auto anew = repository_pipelines(how);
    REQUIRE(anew->start(again.take()));
    CHECK(again.next().all.size() == 1);
    CHECK(readiness.parts().at(part).state == Readiness::State::Ready);
}

TEST_CASE("gitops: a forge that does not answer holds no start up") {
    const Directory directory;
    {
        Told told;
        auto source =
            repository_pipelines(options(directory, [] { return Result<std::string>(kRules); }));
        REQUIRE(source->start(told.take()));
    }
    std::promise<void> answered;
    const auto silent = [answer = answered.get_future().share()] {
        answer.wait();
        return Result<std::string>(kRules);
    };
    Told told;
    auto source = repository_pipelines(options(directory, silent));
    REQUIRE(source->start(told.take()));
    CHECK(told.next().all.size() == 1);
    answered.set_value();
}

TEST_CASE("gitops: sources are told of as one, and not before all have started") {
    const Directory directory;
    const auto rules = [&] { return Result<std::string>(kRules); };
    std::vector<std::unique_ptr<platform::PipelineSource>> sources;
    sources.push_back(repository_pipelines(options(directory, rules)));
    sources.push_back(repository_pipelines(options(directory, rules)));
    Told told;
    auto both = joined(std::move(sources));
    REQUIRE(both->start(told.take()));
    const auto all = told.next();
    CHECK(all.all.size() == 1);
    REQUIRE(all.problems.size() == 1);
    CHECK_THAT(all.problems.front().message, Catch::Contains("is defined in"));
}

TEST_CASE("gitops: why names what moves such a Pipeline, and no Provider of Flux") {
    const auto made = read(kRules);
    const auto answers = decision::why(*made.all.front(), {}, WallTime{});
    REQUIRE(answers.size() > 2);
    CHECK(answers[1].headline == "no image was released yet");
    CHECK_THAT(answers[1].unblock, Catch::Contains("POST /api/v1/releases"));
    CHECK(answers[2].headline == "nothing was merged into " + answers[1].environment + " yet");
    CHECK(answers[2].unblock == "merge the pull request into " + answers[1].environment);
}

TEST_CASE("gitops: what has merged is there, and is told once") {
    const auto made = read(kRules);
    const auto pipeline = made.all.front();
    auto history = std::make_shared<model::History>();
    model::Promotion promotion;
    promotion.scope = {pipeline->id, "dev", ""};
    promotion.revision = "v1";
    promotion.phase = model::Phase::Pending;
    history->promotions[{"dev", ""}] = {promotion};
    const auto seen = std::make_shared<const model::Observations>();
    const auto told = [&] { return merged({pipeline->id, pipeline, history, seen}, WallTime{}); };
    CHECK(told().empty());
    history->promotions[{"dev", ""}].front().phase = model::Phase::Succeeded;
    const auto one = told();
    REQUIRE(one.size() == 1);
    CHECK(one.front().environment == "dev");
    CHECK(one.front().revision == "v1");
    CHECK(one.front().ready);
    history->running[{"dev", "shop"}].revision = "v1";
    CHECK(told().empty());
    history->running[{"dev", "shop"}].revision = "v2";
    CHECK(told().size() == 1);
    CHECK(merged({pipeline->id, nullptr, history, seen}, WallTime{}).empty());
}
