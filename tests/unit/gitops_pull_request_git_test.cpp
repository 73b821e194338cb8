// The flow with real git: what happens when somebody else works in the repository at the same time.
#include <functional>

#include "catch.hpp"
#include "gitops_memory_forge.hpp"
#include "gitops_mirror_fixture.hpp"

using namespace promotiond::gitops_test;

namespace {

const std::string kBranch = "promotion-team-podinfo-prod";
const std::string kFile = "apps/prod/app.yaml";

std::string manifest(const std::string& version) {
    return "tag: \"" + version + "\" # {\"$promotion\": \"team:podinfo:prod\"}\n";
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

    Outcome promote() {
        Promotion promotion;
        promotion.id = "p-1";
        promotion.pipeline_namespace = "team";
        promotion.pipeline_name = "podinfo";
        promotion.environment = "prod";
        promotion.revision = "1.1.0";
        promotion.event = R"({"timestamp":"2026-11-21T05:00:00Z"})";
        PullRequestConfig config;
        config.url = site.url();
        config.branch = "main";
        TestCall call(site.cache());
        auto mirror = must(site.open(call));
        return gitops::promote(promotion, call.call(), config, mirror, forge);
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
