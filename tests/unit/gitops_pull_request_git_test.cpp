// The flow with real git: what happens when somebody else works in the repository at the same time.
#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "catch.hpp"
#include "gitops_memory_forge.hpp"
#include "gitops_mirror_fixture.hpp"

using namespace promotiond::gitops_test;

namespace {

const std::string kBranch = "promotion-team-podinfo-prod";
const std::string kFile = "apps/prod/app.yaml";
const std::string kFetch = "GET /app.git/info/refs?service=git-upload-pack";
const std::string kPush = "POST /app.git/git-receive-pack";

std::string manifest(const std::string& version, const std::string& pipeline = "podinfo") {
    return "tag: \"" + version + "\" # {\"$promotion\": \"team:" + pipeline + ":prod\"}\n";
}

// Lets somebody else act between the flow's steps.
class BusyForge final : public fake::MemoryForge {
public:
    std::function<void()> before_find = [] {};
    std::function<std::optional<Error>()> before_create = []() -> std::optional<Error> {
        return {};
    };

    Result<std::optional<PullRequest>> find_open(const std::string& head,
                                                 const std::string& base) override {
        before_find();
        return MemoryForge::find_open(head, base);
    }
    Result<PullRequest> create(const std::string& head, const std::string& base,
                               const PullRequestText& text, bool draft) override {
        if (auto refused = before_create()) return *refused;
        return MemoryForge::create(head, base, text, draft);
    }
};

struct Fleet {
    Fleet() { site.change(kFile, manifest("1.0.0")); }

    Outcome promote() { return promote("podinfo", forge); }
    Outcome promote(std::string_view pipeline, Forge& at) {
        Promotion promotion;
        promotion.id = "p-1";
        promotion.pipeline_namespace = "team";
        promotion.pipeline_name = pipeline;
        promotion.environment = "prod";
        promotion.revision = "1.1.0";
        promotion.event = R"({"timestamp":"2026-11-21T05:00:00Z"})";
        PullRequestConfig config;
        config.url = site.url();
        config.branch = "main";
        TestCall call(site.cache());
        auto mirror = must(site.open(call));
        return gitops::promote(promotion, call.call(), config, mirror, at);
    }
    // How many requests to the server began with this.
    [[nodiscard]] auto asked(const std::string& beginning) {
        const auto requests = site.server().requests();
        return std::count_if(requests.begin(), requests.end(),
                             [&](const auto& request) { return request.starts_with(beginning); });
    }

    Site site;
    BusyForge forge;
};

}  // namespace

TEST_CASE("pull request: a base that moves before the push ends up below the branch") {
    Fleet fleet;
    fleet.forge.before_find = [&, moved = false]() mutable {
        if (!std::exchange(moved, true)) fleet.site.change("docs/readme.md", "late\n");
    };
    CHECK(fleet.promote().code == PROMOTIOND_PENDING);
    CHECK(fleet.site.git("rev-parse " + kBranch + "~1") == fleet.site.git("rev-parse main"));
    CHECK(fleet.site.git("show " + kBranch + ":docs/readme.md") == "late");
    CHECK(fleet.forge.all.size() == 1);
}

TEST_CASE("pull request: a marked value that changes before the push is never put back") {
    Fleet fleet;
    fleet.forge.before_find = [&, moved = false]() mutable {
        if (!std::exchange(moved, true)) fleet.site.change(kFile, "# ours\n" + manifest("1.0.1"));
    };
    CHECK(fleet.promote().code == PROMOTIOND_PENDING);
    CHECK_THAT(fleet.site.git("diff main " + kBranch), Catch::Contains("-tag: \"1.0.1\""));
    CHECK_THAT(fleet.forge.all.at(0).body, Catch::Contains(kFile + ":2: from 1.0.1 to 1.1.0"));
}

TEST_CASE("pull request: a base that never holds still does not keep the request from opening") {
    Fleet fleet;
    fleet.forge.before_find = [&, i = 0]() mutable {
        fleet.site.change("docs/readme.md", std::to_string(++i));
    };
    CHECK(fleet.promote().code == PROMOTIOND_PENDING);
    CHECK(fleet.forge.all.size() == 1);
}

TEST_CASE("pull request: a branch that is deleted before the request is opened is pushed again") {
    Fleet fleet;
    fleet.forge.before_create = [&, gone = false]() mutable -> std::optional<Error> {
        if (std::exchange(gone, true)) return {};
        (void)fleet.site.git("branch -D " + kBranch);
        return Error{ErrorKind::Conflict, "HTTP 422, Validation Failed; head invalid"};
    };
    CHECK(fleet.promote().code == PROMOTIOND_PENDING);
    CHECK_THAT(fleet.site.git("show " + kBranch + ":" + kFile), Catch::Contains("1.1.0"));
    CHECK(fleet.forge.all.size() == 1);
}

TEST_CASE("pull request: a branch that is deleted each time is left for later") {
    Fleet fleet;
    int asked = 0;
    fleet.forge.before_create = [&]() -> std::optional<Error> {
        ++asked;
        (void)fleet.site.git("branch -D " + kBranch);
        return Error{ErrorKind::Conflict, "HTTP 422, Validation Failed; head invalid"};
    };
    const Outcome outcome = fleet.promote();
    CHECK(outcome.code == PROMOTIOND_RETRY);
    CHECK_THAT(outcome.why, Catch::Contains("head invalid"));
    CHECK(asked == 3);
}

TEST_CASE("pull request: many Pipelines of one repository at once fetch it a few times only") {
    constexpr int kPipelines = 57;
    Fleet fleet;
    const auto name = [](int i) { return "app" + std::to_string(i); };
    std::string marked;
    for (int i = 0; i < kPipelines; ++i) marked += name(i) + "_" + manifest("1.0.0", name(i));
    fleet.site.change("apps/prod/all.yaml", marked);
    std::vector<Outcome> outcomes(kPipelines);
    {
        std::atomic<int> next{0};
        std::vector<std::jthread> workers;
        for (int worker = 0; worker < 8; ++worker)
            workers.emplace_back([&] {
                for (int i = next++; i < kPipelines; i = next++) {
                    fake::MemoryForge forge;
                    outcomes[static_cast<std::size_t>(i)] = fleet.promote(name(i), forge);
                }
            });
    }
    for (const auto& outcome : outcomes) CHECK(outcome.code == PROMOTIOND_PENDING);
    CHECK(fleet.site.git("branch --list 'promotion-team-app*' | wc -l") ==
          std::to_string(kPipelines));
    CHECK(fleet.asked(kFetch) * 3 < kPipelines);
}

TEST_CASE("pull request: what another promotion fetched a moment ago may have moved since") {
    Fleet fleet;
    fleet.site.change("apps/dev/app.yaml", manifest("1.0.0", "other"));
    fake::MemoryForge forge;
    CHECK(fleet.promote("other", forge).code == PROMOTIOND_PENDING);
    SECTION("on") { fleet.site.change("docs/readme.md", "late\n"); }
    SECTION("back, by force") { (void)fleet.site.git("branch -f main main~1"); }
    CHECK(fleet.promote().code == PROMOTIOND_PENDING);
    CHECK(fleet.site.git("rev-parse " + kBranch + "~1") == fleet.site.git("rev-parse main"));
    CHECK(fleet.asked(kPush) == 2);
}

TEST_CASE("pull request: a revision that has got to the base a moment ago is done") {
    Fleet fleet;
    fleet.site.change("apps/dev/app.yaml", manifest("1.0.0", "other"));
    fake::MemoryForge forge;
    CHECK(fleet.promote("other", forge).code == PROMOTIOND_PENDING);
    fleet.site.change(kFile, manifest("1.1.0"));
    CHECK(fleet.promote().code == PROMOTIOND_DONE);
    CHECK(fleet.site.git("branch --list " + kBranch).empty());
}
