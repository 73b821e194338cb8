// A request whose branches have come to conflict, since its base has changed beside the value.
#include "catch.hpp"
#include "gitops_pull_request_fake.hpp"
#include "promotiond/gitops/rebuild.hpp"
#include "promotiond/testing.hpp"

using namespace fake;

namespace {

const std::string kBranch = "promotion-team-podinfo-prod";
const std::string kFile = "prod/tags.yaml";
const std::string kHandWritten = "merge it by hand";

// The values of two Pipelines on adjacent lines.
std::string tags(const std::string& podinfo, const std::string& other) {
    return "podinfo: \"" + podinfo + "\" # {\"$promotion\": \"team:podinfo:prod\"}\nother: \"" +
           other + "\" # {\"$promotion\": \"team:other:prod\"}\n";
}

// An open request for podinfo 1.1.0, with which its base has come to conflict.
class Scene {
public:
    Scene() {
        remote = Remote();
        remote.write("main", kFile, tags("1.0.0", "1.0.0"));
        config.url = "https://forge.test/team/fleet";
        config.branch = "main";
        last = promote();
        remote.write("main", kFile, tags("1.0.0", "2.0.0"));
        says_conflict();
    }

    Outcome promote() {
        return run([&](Call& call, Mirror& mirror) {
            return gitops::promote(promotion_, call, config, mirror, forge);
        });
    }
    // One look, whose answer the next one begins with.
    const Outcome& look() {
        last = run([&](Call& call, Mirror& mirror) {
            auto seen = gitops::observe(promotion_, "1", last.details, call, config, forge);
            const auto mirror_of = [&]() -> Result<Mirror*> {
                if (mirror_error) return *mirror_error;
                return &mirror;
            };
            return Rebuild(promotion_, config, forge, mirror_of).look(std::move(seen), call);
        });
        return last;
    }
    void says_conflict() {
        request().obstacle = "its branches conflict";
        request().conflicts = true;
        request().etag += "'";
    }
    // The forge has seen what is on the branch, with which the base does not conflict.
    void sees_branch() {
        request().head_sha = remote.branches[kBranch];
        says_nothing();
    }
    void says_nothing() {
        request().obstacle.clear();
        request().conflicts = false;
        request().etag += "'";
    }
    void event_without_time() { promotion_.event = R"({"message":"ok"})"; }
    PullRequest& request() { return forge.all.at(0); }
    [[nodiscard]] static std::string built_on() {
        return remote.commits.at(remote.branches.at(kBranch)).parent;
    }

    testing::FakeHost host;
    MemoryForge forge;
    PullRequestConfig config;
    std::optional<Error> mirror_error;
    Outcome last;

private:
    static Promotion promotion() {
        Promotion p;
        p.id = "p-1";
        p.pipeline_namespace = "team";
        p.pipeline_name = "podinfo";
        p.environment = "prod";
        p.revision = "1.1.0";
        p.event = R"({"timestamp":"2026-11-21T05:00:00Z","message":"ok"})";
        return p;
    }
    Outcome run(const std::function<Outcome(Call&, Mirror&)>& verb) {
        Outcome outcome;
        (void)host.run([&](const promotiond_call* c) {
            Call call(host.c_host(), *c);
            auto mirror = Mirror::open(call, config.url, {});
            outcome = verb(call, *mirror);
            return outcome.code;
        });
        return outcome;
    }

    Promotion promotion_ = promotion();
};

}  // namespace

TEST_CASE("rebuild: a request that conflicts is built anew on its base, as the same request") {
    Scene scene;
    CHECK(scene.look().code == PROMOTIOND_PENDING);
    CHECK(scene.last.external_id == "1");
    CHECK_THAT(scene.last.summary, Catch::Contains("#1 was built anew on main"));
    CHECK(remote.read(kBranch, kFile) == tags("1.1.0", "2.0.0"));
    CHECK(scene.built_on() == remote.branches["main"]);
    CHECK(scene.forge.all.size() == 1);
    CHECK_THAT(scene.last.details, Catch::Contains(remote.branches[kBranch]) &&
                                       Catch::Contains(remote.branches["main"]));
    scene.says_nothing();
    CHECK(scene.look().summary.empty());
    CHECK(remote.pushes == 2);
}

TEST_CASE("rebuild: a request that does not conflict is not touched, however its base has moved") {
    Scene scene;
    scene.says_nothing();
    CHECK(scene.look().code == PROMOTIOND_PENDING);
    CHECK(remote.pushes == 1);
}

TEST_CASE("rebuild: a forge that has not seen the new branch yet is not pushed to again") {
    Scene scene;
    (void)scene.look();
    scene.says_conflict();
    scene.request().auto_merge = true;  // the gate has let it go
    CHECK(scene.look().code == PROMOTIOND_PENDING);
    CHECK(scene.look().code == PROMOTIOND_PENDING);
    CHECK(remote.pushes == 2);
    CHECK(scene.request().auto_merge);
}

TEST_CASE("rebuild: what somebody else has pushed to the branch stays, and that is said once") {
    Scene scene;
    remote.write(kBranch, "prod/more.yaml", "by: hand\n");
    const std::string theirs = remote.branches[kBranch];
    CHECK_THAT(scene.look().summary,
               Catch::Contains("cannot be merged") &&
                   Catch::Contains("somebody else has pushed to its branch " + kBranch) &&
                   Catch::Contains("merge main into that"));
    CHECK(scene.look().summary.empty());
    CHECK(remote.branches[kBranch] == theirs);
    CHECK(remote.pushes == 1);
}

// Neither is this promotion's own commit, though its tree is what the promotion would make of it.
TEST_CASE("rebuild: a commit of somebody else's that looks like ours is theirs all the same") {
    Scene scene;
    const std::string ours = remote.branches[kBranch];
    SECTION("an empty one on top of their own") {
        remote.write(kBranch, "prod/more.yaml", "by: hand\n");
        const std::string theirs = remote.branches[kBranch];
        remote.branches[kBranch] = remote.add(theirs, remote.commits[theirs].tree, "run again");
    }
    SECTION("ours, moved over their own") {
        const auto on = remote.commits[ours].parent;
        auto tree = remote.commits[on].tree;
        tree["prod/more.yaml"] = "by: hand\n";
        const auto theirs = remote.add(on, tree, "by hand");
        tree[kFile] = remote.read(kBranch, kFile);
        remote.branches[kBranch] = remote.add(theirs, tree, "committed by another");
    }
    CHECK_THAT(scene.look().summary, Catch::Contains("somebody else has pushed"));
    CHECK(remote.read(kBranch, "prod/more.yaml") == "by: hand\n");
    CHECK(remote.pushes == 1);
}

TEST_CASE("rebuild: a branch that somebody moves at the last moment stays as they have it") {
    Scene scene;
    remote.before_push = [] { remote.write(kBranch, "prod/more.yaml", "by: hand\n"); };
    CHECK(scene.look().code == PROMOTIOND_PENDING);
    CHECK(remote.read(kBranch, "prod/more.yaml") == "by: hand\n");
    CHECK(remote.pushes == 1);
}

TEST_CASE("rebuild: one whose answer was lost is known again, and its text and options are set") {
    Scene scene;
    SECTION("made when the event says") {}
    SECTION("made when the call was") { scene.event_without_time(); }
    const Outcome before = scene.last;
    (void)scene.look();
    scene.last = before;
    scene.forge.calls.clear();
    scene.host.advance(std::chrono::seconds(60));
    scene.sees_branch();
    CHECK_THAT(scene.look().summary, Catch::Contains("was built anew"));
    CHECK_THAT(scene.last.details,
               Catch::Contains("\"commit\":\"" + remote.branches[kBranch]) &&
                   Catch::Contains("\"baseCommit\":\"" + remote.branches["main"]));
    CHECK(remote.pushes == 2);
    CHECK(scene.forge.calls == std::vector<std::string>{"look", "look", "apply"});
    const int fetches = remote.fetches;
    CHECK(scene.look().summary.empty());
    CHECK(remote.fetches == fetches);
}

TEST_CASE("rebuild: what the request could not be told after the push is told at a later look") {
    Scene scene;
    remote.write("main", kFile, tags("1.0.1", "2.0.0"));
    const Error fault = GENERATE(Error{ErrorKind::Transient, "timed out"},
                                 Error{ErrorKind::Cancelled, "asked to stop"});
    SECTION("its text") { scene.forge.update_error = fault; }
    SECTION("its options") { scene.forge.apply_error = fault; }
    CHECK(scene.look().code == PROMOTIOND_PENDING);
    CHECK_THAT(scene.last.details, Catch::Contains("\"commit\":\"" + remote.branches[kBranch]));
    scene.sees_branch();
    CHECK(scene.look().code == PROMOTIOND_PENDING);
    scene.forge.update_error.reset();
    scene.forge.apply_error.reset();
    scene.forge.calls.clear();
    (void)scene.look();
    CHECK_THAT(scene.request().body, Catch::Contains("from 1.0.1 to 1.1.0"));
    CHECK(scene.forge.calls.back() == "apply");
    scene.forge.calls.clear();
    (void)scene.look();
    CHECK(scene.forge.calls == std::vector<std::string>{"look"});
    CHECK(remote.pushes == 2);
}

TEST_CASE("rebuild: nothing merges by itself what is to wait, and the gate lets it go anew") {
    Scene scene;
    scene.request().auto_merge = true;
    const std::string before = remote.branches[kBranch];
    std::string at_stop;
    scene.forge.on_stop = [&] { at_stop = remote.branches[kBranch]; };
    SECTION("stopped before the push") {
        (void)scene.look();
        CHECK(at_stop == before);
        CHECK_FALSE(scene.request().auto_merge);
        CHECK(remote.pushes == 2);
    }
    SECTION("not pushed where it cannot be stopped now") {
        const auto kind = GENERATE(ErrorKind::Transient, ErrorKind::Cancelled);
        scene.forge.stop_error = Error{kind, "timed out"};
        CHECK(scene.look().code == PROMOTIOND_PENDING);
        CHECK(remote.pushes == 1);
    }
    SECTION("where the push fails the gate is closed all the same") {
        scene.last.details.insert(1, "\"gate\":\"open\",");
        remote.push_error = Error{ErrorKind::Transient, "timed out"};
        CHECK_THAT(scene.look().details, !Catch::Contains("\"gate\""));
    }
    SECTION("left on where it is asked for") {
        scene.config.options.auto_merge = true;
        (void)scene.look();
        CHECK(scene.request().auto_merge);
        CHECK(remote.pushes == 2);
    }
}

TEST_CASE("rebuild: being asked to stop is no fault of the request") {
    Scene scene;
    scene.mirror_error = Error{ErrorKind::Cancelled, "asked to stop"};
    CHECK_THAT(scene.look().summary, !Catch::Contains("asked to stop"));
    CHECK_THAT(scene.last.details, !Catch::Contains("asked to stop"));
}

TEST_CASE("rebuild: somebody else's push is looked at once, until there is another one") {
    Scene scene;
    remote.write(kBranch, "prod/more.yaml", "by: hand\n");
    scene.sees_branch();
    CHECK_THAT(scene.look().summary, !Catch::Contains("somebody else"));
    const int fetches = remote.fetches;
    (void)scene.look();
    CHECK(remote.fetches == fetches);
    scene.says_conflict();
    CHECK_THAT(scene.look().summary, Catch::Contains("somebody else has pushed"));
    const int after = remote.fetches;
    scene.forge.calls.clear();
    CHECK(scene.look().summary.empty());
    CHECK(remote.fetches == after);
    CHECK(scene.forge.calls == std::vector<std::string>{"look"});
    SECTION("which is of ours again") {
        remote.branches[kBranch] = remote.commits[remote.branches[kBranch]].parent;
        scene.sees_branch();
        scene.says_conflict();
        CHECK_THAT(scene.look().summary, Catch::Contains("was built anew"));
    }
}

TEST_CASE("rebuild: what people have made of the text stays as long as the change is the same") {
    Scene scene;
    scene.request().body = kHandWritten;
    SECTION("the same change") {
        (void)scene.look();
        CHECK(scene.request().body == kHandWritten);
    }
    SECTION("another one") {
        remote.write("main", kFile, tags("1.0.1", "2.0.0"));
        (void)scene.look();
        CHECK_THAT(scene.request().body, Catch::Contains("from 1.0.1 to 1.1.0"));
    }
}

TEST_CASE("rebuild: a base that has got the revision by itself leaves nothing to merge") {
    Scene scene;
    remote.write("main", kFile, tags("1.1.0", "2.0.0"));
    CHECK(scene.look().code == PROMOTIOND_DONE);
    CHECK_THAT(scene.last.summary, Catch::Contains("already at 1.1.0; closed pull request #1"));
    CHECK(scene.request().state == PullRequestState::Closed);
}

TEST_CASE("rebuild: what fails settles nothing; what will not pass is said once") {
    Scene scene;
    SECTION("git is out of reach") {
        scene.mirror_error = Error{ErrorKind::Transient, "timed out"};
        CHECK_THAT(scene.look().summary, Catch::Contains("its branches conflict: "));
        CHECK(scene.look().summary.empty());
        scene.mirror_error.reset();
    }
    SECTION("the push is refused") {
        remote.push_error = Error{ErrorKind::Invalid, "refused by a hook"};
        CHECK_THAT(scene.look().summary, Catch::Contains("refused by a hook"));
        CHECK(scene.look().summary.empty());
        remote.push_error.reset();
    }
    SECTION("the marker is gone") {
        remote.write("main", kFile, "podinfo: \"1.0.0\"\n");
        CHECK_THAT(scene.look().summary,
                   Catch::Contains("cannot be built anew") && Catch::Contains("no marker"));
        CHECK(scene.look().summary.empty());
        remote.write("main", kFile, tags("1.0.0", "3.0.0"));
    }
    CHECK(scene.last.code == PROMOTIOND_PENDING);
    CHECK_THAT(scene.look().summary, Catch::Contains("was built anew"));
}

TEST_CASE("rebuild: a Pipeline that names another base leaves the request to its next promotion") {
    Scene scene;
    remote.write("release", kFile, tags("1.0.0", "2.0.0"));
    scene.config.branch = "release";
    CHECK(scene.look().code == PROMOTIOND_PENDING);
    CHECK(remote.pushes == 1);
}
