// The merge gate, and the status that it shows on the request's commit.
#include <map>

#include "catch.hpp"
#include "gitops_memory_forge.hpp"
#include "promotiond/gitops/merge_gate.hpp"
#include "promotiond/testing.hpp"

using namespace fake;

namespace {

const ObjectId kHead(40, 'a');     // of the request
const ObjectId kBuiltOn(40, 'b');  // of the base, when the request was built
const ObjectId kNewest(40, 'c');   // of the base now

CommitStatus flux(Verdict verdict, const std::string& object = "shop-dev") {
    return {"kustomization/" + object, std::nullopt, verdict};
}

class MemoryCommits final : public CommitLookup {
public:
    Result<std::vector<CommitStatus>> statuses(const ObjectId& commit) override {
        asked.push_back(commit);
        if (error) return *error;
        return known[commit];
    }
    Result<std::optional<PullRequest>> merged_as(const ObjectId&) override {
        return std::optional<PullRequest>();
    }
    Result<void> publish(const ObjectId& commit, const StatusReport& report) override {
        if (publish_error) return *publish_error;
        published.emplace_back(commit, report);
        return {};
    }

    std::map<ObjectId, std::vector<CommitStatus>> known;
    std::vector<ObjectId> asked;
    std::vector<std::pair<ObjectId, StatusReport>> published;
    std::optional<Error> error;
    std::optional<Error> publish_error;
};

// An open request into qa, which waits for dev.
class Scene {
public:
    Scene() {
        config.gate = "shop-dev";
        config.options.auto_merge = true;
        PullRequest request;
        request.number = 1;
        request.head_sha = kHead;
        request.etag = "\"1\"";
        request.state = PullRequestState::Open;
        forge.all.push_back(request);
    }
    Outcome open() const {
        return Outcome::pending("https://forge.test/pull/1", "1")
            .with_summary("opened")
            .with_details(R"({"number":1,"commit":")" + kHead + R"(","baseCommit":")" + kBuiltOn +
                          R"(","base":"main"})");
    }
    Outcome look(Outcome answer) {
        Outcome seen;
        (void)host.run([&](const promotiond_call* c) {
            Call call(host.c_host(), *c);
            MergeGate gate(config, forge, commits,
                           [&](const std::string& branch) -> Result<std::optional<ObjectId>> {
                               heads_asked.push_back(branch);
                               if (head_error) return *head_error;
                               return std::optional(kNewest);
                           });
            seen = gate.look(std::move(answer), call);
            return seen.code;
        });
        return seen;
    }
    bool let_go() const { return forge.calls == std::vector<std::string>{"look", "apply"}; }

    testing::FakeHost host;
    MemoryForge forge;
    MemoryCommits commits;
    PullRequestConfig config;
    std::vector<std::string> heads_asked;
    std::optional<Error> head_error;
};

const Error kAway{ErrorKind::Transient, "the forge is away"};

}  // namespace

TEST_CASE("merge gate: nothing merges by itself before the gate has been looked at") {
    PullRequestConfig config;
    config.options.auto_merge = true;
    CHECK(MergeGate::held(config).options.auto_merge);
    config.gate = "shop-dev";
    CHECK_FALSE(MergeGate::held(config).options.auto_merge);
}

TEST_CASE("merge gate: until Flux has its say the request's commit shows a pending status, once") {
    Scene scene;
    const Outcome first = scene.look(scene.open());
    REQUIRE(scene.commits.published.size() == 1);
    const auto& [commit, report] = scene.commits.published.front();
    CHECK(commit == kHead);
    CHECK(report.context == "promotiond/shop-dev");
    CHECK(report.verdict == Verdict::Pending);
    CHECK_THAT(first.summary, Catch::Contains("waits for Flux to reconcile shop-dev"));
    CHECK(scene.heads_asked == std::vector<std::string>{"main"});
    CHECK(scene.commits.asked == std::vector<ObjectId>{kBuiltOn, kNewest});
    (void)scene.look(first);
    CHECK(scene.commits.published.size() == 1);
    CHECK(scene.forge.calls.empty());
}

TEST_CASE("merge gate: Flux's success lets the request merge, and is shown, once") {
    Scene scene;
    const Outcome waiting = scene.look(scene.open());
    scene.commits.known[kBuiltOn] = {flux(Verdict::Success)};
    const Outcome open = scene.look(waiting);
    REQUIRE(scene.commits.published.size() == 2);
    CHECK(scene.commits.published.back().second.verdict == Verdict::Success);
    CHECK_THAT(open.summary,
               Catch::Contains("shop-dev is reconciled on " + kBuiltOn.substr(0, 10)));
    CHECK(scene.let_go());
    scene.commits.asked.clear();
    (void)scene.look(open);
    CHECK(scene.let_go());
    CHECK(scene.commits.asked.empty());
}

TEST_CASE(
    "merge gate: the word on the commit that the request was built on goes before newer ones") {
    Scene scene;
    scene.commits.known[kBuiltOn] = {flux(Verdict::Success, "shop-prod"), flux(Verdict::Failure)};
    scene.commits.known[kNewest] = {flux(Verdict::Success)};
    const Outcome failed = scene.look(scene.open());
    CHECK(scene.commits.published.back().second.verdict == Verdict::Failure);
    CHECK_THAT(failed.summary, Catch::Contains("shop-dev failed to reconcile"));
    CHECK(scene.heads_asked.empty());
    CHECK(scene.forge.calls.empty());
    scene.commits.known[kBuiltOn].clear();
    (void)scene.look(failed);
    CHECK(scene.commits.published.back().second.verdict == Verdict::Success);
    CHECK(scene.let_go());
}

TEST_CASE("merge gate: what promotiond itself has published is nobody's success") {
    Scene scene;
    scene.commits.known[kBuiltOn] = {{"promotiond/shop-dev", std::nullopt, Verdict::Success}};
    (void)scene.look(scene.open());
    CHECK(scene.commits.published.back().second.verdict == Verdict::Pending);
    CHECK(scene.forge.calls.empty());
}

TEST_CASE(
    "merge gate: a status that could not be set is set by a later look, and nothing merges "
    "before") {
    Scene scene;
    scene.commits.known[kBuiltOn] = {flux(Verdict::Success)};
    scene.commits.publish_error = kAway;
    const Outcome told = scene.look(scene.open());
    CHECK(told.code == PROMOTIOND_PENDING);
    CHECK(scene.forge.calls.empty());
    scene.commits.publish_error.reset();
    (void)scene.look(told);
    REQUIRE(scene.commits.published.size() == 1);
    CHECK(scene.let_go());
}

TEST_CASE("merge gate: a token that may set no statuses merges all the same, and is told of once") {
    Scene scene;
    scene.commits.publish_error = Error{ErrorKind::Unauthorized, "needs commit statuses, write"};
    const Outcome waiting = scene.look(scene.open());
    const auto warned = scene.host.log_lines().size();
    CHECK(warned == 1);
    (void)scene.look(waiting);
    CHECK(scene.host.log_lines().size() == warned);
    scene.commits.known[kBuiltOn] = {flux(Verdict::Success)};
    (void)scene.look(waiting);
    CHECK(scene.let_go());
}

TEST_CASE(
    "merge gate: a merge that could not be asked for is asked for again, without a second status") {
    Scene scene;
    scene.commits.known[kBuiltOn] = {flux(Verdict::Success)};
    scene.forge.apply_error = kAway;
    const Outcome told = scene.look(scene.open());
    scene.forge.calls.clear();
    scene.forge.apply_error.reset();
    (void)scene.look(told);
    CHECK(scene.let_go());
    CHECK(scene.commits.published.size() == 1);
}

TEST_CASE("merge gate: a forge or a remote that does not answer leaves the request as it is") {
    Scene scene;
    scene.commits.error = kAway;
    const Outcome unseen = scene.look(scene.open());
    CHECK(unseen.details == scene.open().details);
    CHECK(unseen.summary == "opened");
    scene.commits.error.reset();
    scene.head_error = kAway;
    CHECK(scene.look(unseen).details == unseen.details);
    CHECK(scene.commits.published.empty());
    CHECK(scene.forge.calls.empty());
}

TEST_CASE("merge gate: what is not open, and what has no gate, is left alone") {
    Scene scene;
    scene.commits.known[kBuiltOn] = {flux(Verdict::Success)};
    (void)scene.look(Outcome::done("https://forge.test/pull/1"));
    scene.config.gate.clear();
    (void)scene.look(scene.open());
    CHECK(scene.commits.asked.empty());
    CHECK(scene.commits.published.empty());
    CHECK(scene.forge.calls.empty());
}
