// The merge gate, and the status that it shows on the request's commit.
#include <map>
#include <set>

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
    Result<void> publish(const ObjectId& commit, std::uint64_t number,
                         const StatusReport& report) override {
        CHECK(number == 1);
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
class Scene : private BaseBranch {
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
            seen = MergeGate(config, forge, commits, *this).look(std::move(answer), call);
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
    std::set<ObjectId> gone_back;  // commits where dev has another revision
    // What was published under a name, the newest last.
    std::vector<Verdict> shown(const std::string& context = "promotiond/shop-dev") const {
        std::vector<Verdict> out;
        for (const auto& [commit, report] : commits.published)
            if (report.context == context) out.push_back(report.verdict);
        return out;
    }

private:
    Result<std::optional<ObjectId>> head(const std::string& branch) override {
        heads_asked.push_back(branch);
        if (head_error) return *head_error;
        return std::optional(kNewest);
    }
    Result<bool> carries(const std::string&, const ObjectId& commit) override {
        return !gone_back.contains(commit);
    }
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
    CHECK(scene.shown() == std::vector{Verdict::Pending});
    CHECK(scene.shown("promotiond/gate") == std::vector{Verdict::Pending});
    const auto& [commit, report] = scene.commits.published.front();
    CHECK(commit == kHead);
    CHECK(report.context == "promotiond/shop-dev");
    CHECK(report.verdict == Verdict::Pending);
    CHECK_THAT(first.summary, Catch::Contains("waits for Flux to reconcile shop-dev"));
    // By which a hook about that commit finds the promotion.
    CHECK_THAT(first.details, Catch::Contains("\"gateCommit\":\"" + kNewest + "\""));
    CHECK(scene.heads_asked == std::vector<std::string>{"main"});
    CHECK(scene.commits.asked == std::vector<ObjectId>{kBuiltOn, kNewest});
    (void)scene.look(first);
    CHECK(scene.commits.published.size() == 2);
    CHECK(scene.forge.calls.empty());
}

TEST_CASE("merge gate: Flux's success lets the request merge, and is shown, once") {
    Scene scene;
    const Outcome waiting = scene.look(scene.open());
    scene.commits.known[kBuiltOn] = {flux(Verdict::Success)};
    const Outcome open = scene.look(waiting);
    CHECK(scene.shown() == std::vector{Verdict::Pending, Verdict::Success});
    CHECK(scene.shown("promotiond/gate") == scene.shown());
    CHECK_THAT(open.summary,
               Catch::Contains("shop-dev is reconciled on " + kBuiltOn.substr(0, 10)));
    CHECK(scene.let_go());
    scene.commits.asked.clear();
    (void)scene.look(open);
    CHECK(scene.let_go());
    CHECK(scene.commits.asked.empty());
}

TEST_CASE("merge gate: what the commit that the request was built on broke, a newer one may mend") {
    Scene scene;
    scene.commits.known[kBuiltOn] = {flux(Verdict::Success, "shop-prod"), flux(Verdict::Failure)};
    const Outcome failed = scene.look(scene.open());
    CHECK(scene.shown() == std::vector{Verdict::Failure});
    CHECK_THAT(failed.summary, Catch::Contains("shop-dev failed to reconcile"));
    CHECK(scene.forge.calls.empty());
    scene.commits.known[kNewest] = {flux(Verdict::Success)};
    (void)scene.look(failed);
    CHECK(scene.shown().back() == Verdict::Success);
    CHECK(scene.let_go());
}

TEST_CASE("merge gate: the success of a commit where dev has another revision lets nothing merge") {
    Scene scene;
    scene.commits.known[kNewest] = {flux(Verdict::Success)};
    scene.gone_back = {kNewest};
    const Outcome held = scene.look(scene.open());
    CHECK(scene.shown() == std::vector{Verdict::Pending});
    CHECK_THAT(held.summary,
               Catch::Contains("shop-dev has another version on " + kNewest.substr(0, 10)));
    CHECK(scene.forge.calls.empty());
    scene.gone_back.clear();
    (void)scene.look(held);
    CHECK(scene.let_go());
}

TEST_CASE("merge gate: as long as it is closed the summary says why, at every look") {
    Scene scene;
    scene.commits.known[kBuiltOn] = {flux(Verdict::Failure)};
    const Outcome first = scene.look(scene.open());
    const Outcome second =
        scene.look(Outcome(scene.open()).with_details(first.details).with_summary("can be merged"));
    CHECK(second.summary == first.summary);
}

TEST_CASE(
    "merge gate: a request for an image that waits for nothing says so, so that a forge can ask "
    "all") {
    Scene scene;
    scene.config.gate.clear();
    scene.config.image = PromotedImage{"shop", "web", "shop/dev"};
    const Outcome open = scene.look(scene.open());
    CHECK(scene.shown("promotiond/gate") == std::vector{Verdict::Success});
    CHECK(scene.commits.published.size() == 1);
    CHECK(open.summary == "opened");
    CHECK(scene.forge.calls.empty());
    (void)scene.look(open);
    CHECK(scene.commits.published.size() == 1);
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
    CHECK(scene.shown() == std::vector{Verdict::Success});
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
    CHECK(scene.shown() == std::vector{Verdict::Success});
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
