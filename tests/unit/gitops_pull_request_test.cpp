#include "catch.hpp"
#include "gitops_pull_request_fake.hpp"
#include "promotiond/gitops/manifest.hpp"
#include "promotiond/testing.hpp"

using namespace fake;

namespace {

const std::string kBranch = "promotion-team-podinfo-prod";
const std::string kFile = "prod/release.yaml";

std::string manifest(const std::string& version) {
    return "version: \"" + version + "\" # {\"$promotion\": \"team:podinfo:prod\"}\n";
}

// One repository, one forge, one Pipeline.
class Scene {
public:
    Scene() {
        remote = Remote();
        remote.write("main", kFile, manifest("1.0.0"));
        remote.write("main", "README.md", "hello");
        config.url = "https://forge.test/team/fleet";
        config.branch = "main";
    }

    Outcome promote(const std::string& revision = "1.1.0") {
        Promotion p = promotion(revision);
        return run([&](Call& call, Mirror& mirror) {
            return gitops::promote(p, call, config, mirror, forge);
        });
    }
    Outcome plan() {
        Promotion p = promotion("1.1.0");
        return run(
            [&](Call& call, Mirror& mirror) { return gitops::plan(p, call, config, mirror); });
    }
    Outcome observe(const std::string& id, const std::string& details = "") {
        Promotion p = promotion("1.1.0");
        return run([&](Call& call, Mirror&) {
            return gitops::observe(p, id, details, call, config, forge);
        });
    }

    testing::FakeHost host;
    MemoryForge forge;
    PullRequestConfig config;

private:
    // The revision must outlive the promotion, which holds a view of it.
    static Promotion promotion(std::string_view revision) {
        Promotion p;
        p.id = "p-1";
        p.pipeline_namespace = "team";
        p.pipeline_name = "podinfo";
        p.environment = "prod";
        p.revision = revision;
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
};

}  // namespace

TEST_CASE("pull request: a promotion is one branch with one changed value and one pull request") {
    Scene scene;
    const Outcome outcome = scene.promote();
    CHECK(outcome.code == PROMOTIOND_PENDING);
    CHECK(outcome.location == "https://forge.test/pull/1");
    CHECK(outcome.external_id == "1");
    CHECK(remote.read(kBranch, kFile) == manifest("1.1.0"));
    CHECK(remote.read("main", kFile) == manifest("1.0.0"));
    REQUIRE(scene.forge.all.size() == 1);
    CHECK(scene.forge.all[0].title == "Promote team/podinfo in prod to 1.1.0");
    CHECK_THAT(scene.forge.all[0].body, Catch::Contains(kFile + ":1: from 1.0.0 to 1.1.0"));
    CHECK_THAT(outcome.details, Catch::Contains("\"number\":1"));
}

TEST_CASE("pull request: a repeat pushes nothing and opens nothing") {
    Scene scene;
    (void)scene.promote();
    const Outcome again = scene.promote();
    CHECK(again.external_id == "1");
    CHECK(remote.pushes == 1);
    CHECK(scene.forge.all.size() == 1);
}

TEST_CASE("pull request: a newer revision updates branch, title and body of the same one") {
    Scene scene;
    (void)scene.promote("1.1.0");
    const Outcome newer = scene.promote("1.2.0");
    CHECK(newer.external_id == "1");
    CHECK(remote.read(kBranch, kFile) == manifest("1.2.0"));
    CHECK(remote.commits[remote.branches[kBranch]].parent == remote.branches["main"]);
    CHECK(scene.forge.all[0].title == "Promote team/podinfo in prod to 1.2.0");
    CHECK_THAT(scene.forge.all[0].body, Catch::Contains("to 1.2.0"));
}

TEST_CASE("pull request: the branch is rebuilt on the current base") {
    Scene scene;
    (void)scene.promote();
    remote.write("main", "other.yaml", "a: 1\n");
    (void)scene.promote();
    CHECK(remote.read(kBranch, "other.yaml") == "a: 1\n");
}

TEST_CASE("pull request: without a marker nothing is pushed and the error names what is missing") {
    Scene scene;
    remote.write("main", kFile, "version: 1 # {\"$promotion\": \"team:podinfo:dev\"}\n");
    const Outcome outcome = scene.promote();
    CHECK(outcome.code == PROMOTIOND_REJECTED);
    CHECK_THAT(outcome.why, Catch::Contains("team:podinfo:prod") && Catch::Contains("main"));
    CHECK(remote.pushes == 0);
    CHECK(scene.forge.calls.empty());
}

TEST_CASE("pull request: what is promoted already is done, without a branch") {
    Scene scene;
    const Outcome outcome = scene.promote("1.0.0");
    CHECK(outcome.code == PROMOTIOND_DONE);
    CHECK(outcome.summary == "already at 1.0.0");
    CHECK_FALSE(remote.branches.contains(kBranch));
}

TEST_CASE("pull request: a marked file that cannot be edited is named with its line") {
    Scene scene;
    remote.write("main", "chart/t.yaml", "{{ if }}\n" + manifest("1.0.0"));
    const Outcome outcome = scene.promote();
    CHECK(outcome.code == PROMOTIOND_REJECTED);
    CHECK_THAT(outcome.why, Catch::Contains("chart/t.yaml: line "));
    CHECK(remote.pushes == 0);
}

TEST_CASE("pull request: an unparsable file of somebody else is none of our business") {
    Scene scene;
    remote.write("main", "chart/t.yaml", "{{ if }}\n a: 1 # {\"$promotion\": \"x:y:z\"}\n");
    CHECK(scene.promote().code == PROMOTIOND_PENDING);
}

TEST_CASE("pull request: a refused token leaves no branch behind") {
    Scene scene;
    scene.forge.find_error = Error{ErrorKind::Unauthorized, "the token was refused"};
    const Outcome outcome = scene.promote();
    CHECK(outcome.code == PROMOTIOND_REJECTED);
    CHECK(remote.pushes == 0);
}

TEST_CASE("pull request: when the answer to create is lost, the next try finds it") {
    Scene scene;
    scene.forge.lose_answer_of_create = true;
    CHECK(scene.promote().code == PROMOTIOND_RETRY);
    CHECK(scene.promote().external_id == "1");
    CHECK(scene.forge.all.size() == 1);
    CHECK(remote.pushes == 1);
}

TEST_CASE("pull request: one that appears between look and create is adopted") {
    Scene scene;
    (void)scene.promote();
    scene.forge.hide_from_first_find = true;
    CHECK(scene.promote().external_id == "1");
    CHECK(scene.forge.all.size() == 1);
}

TEST_CASE("pull request: a branch that moves under the push is read again and rebuilt") {
    Scene scene;
    remote.before_push = [] { remote.branches[kBranch] = remote.branches["main"]; };
    CHECK(scene.promote().code == PROMOTIOND_PENDING);
    CHECK(remote.read(kBranch, kFile) == manifest("1.1.0"));
}

TEST_CASE("pull request: a base that moves during the work ends up below the branch") {
    Scene scene;
    remote.before_push = [] { remote.write("main", "late.yaml", "a: 1\n"); };
    CHECK(scene.promote().code == PROMOTIOND_PENDING);
    CHECK(remote.read(kBranch, "late.yaml") == "a: 1\n");
    CHECK(remote.pushes == 1);
}

TEST_CASE("pull request: a base that was fetched a moment ago is not fetched again") {
    Scene scene;
    remote.fetched = remote.branches;
    CHECK(scene.promote().code == PROMOTIOND_PENDING);
    CHECK(remote.read(kBranch, kFile) == manifest("1.1.0"));
    CHECK(remote.fetches == 0);
}

TEST_CASE("pull request: a base that has moved since is seen before anything is pushed") {
    Scene scene;
    remote.fetched = remote.branches;
    remote.write("main", "late.yaml", "a: 1\n");
    CHECK(scene.promote().code == PROMOTIOND_PENDING);
    CHECK(remote.read(kBranch, "late.yaml") == "a: 1\n");
    CHECK(remote.pushes == 1);
}

TEST_CASE("pull request: a base that has got the revision since is done, without a branch") {
    Scene scene;
    remote.fetched = remote.branches;
    remote.write("main", kFile, manifest("1.1.0"));
    CHECK(scene.promote().code == PROMOTIOND_DONE);
    CHECK(remote.pushes == 0);
    CHECK(scene.forge.all.empty());
}

TEST_CASE("pull request: what the base was a moment ago settles nothing") {
    Scene scene;
    SECTION("the revision was there and is not any more") {
        remote.write("main", kFile, manifest("1.1.0"));
        remote.fetched = remote.branches;
        remote.write("main", kFile, manifest("1.0.0"));
    }
    SECTION("the marker was missing") {
        remote.write("main", kFile, "version: 1.0.0\n");
        remote.fetched = remote.branches;
        remote.write("main", kFile, manifest("1.0.0"));
    }
    SECTION("a marked file could not be edited") {
        remote.write("main", "chart/t.yaml", "{{ if }}\n" + manifest("1.0.0"));
        remote.fetched = remote.branches;
        remote.write("main", "chart/t.yaml", "a: 1\n");
    }
    CHECK(scene.promote().code == PROMOTIOND_PENDING);
    CHECK(remote.read(kBranch, kFile) == manifest("1.1.0"));
}

TEST_CASE("pull request: a refusal on what the base was a moment ago is asked for again") {
    Scene scene;
    remote.fetched = remote.branches;
    remote.push_error = Error{ErrorKind::Invalid, "pre-receive hook declined"};
    CHECK(scene.promote().code == PROMOTIOND_REJECTED);
    CHECK(remote.fetches == 1);
}

TEST_CASE("pull request: a branch that was there a moment ago is compared on the current base") {
    Scene scene;
    (void)scene.promote();
    remote.fetched = remote.branches;
    remote.write("main", "late.yaml", "a: 1\n");
    CHECK(scene.promote().external_id == "1");
    CHECK(remote.read(kBranch, "late.yaml") == "a: 1\n");
}

TEST_CASE("pull request: a branch that never holds still is left for later") {
    Scene scene;
    remote.push_error = Error{ErrorKind::Conflict, "it moved"};
    CHECK(scene.promote().code == PROMOTIOND_RETRY);
    remote.push_error = Error{ErrorKind::Invalid, "pre-receive hook declined"};
    const Outcome outcome = scene.promote();
    CHECK(outcome.code == PROMOTIOND_REJECTED);
    CHECK_THAT(outcome.why, Catch::Contains("pre-receive hook declined"));
}

TEST_CASE("pull request: another Pipeline's pull request of the same branch is left alone") {
    Scene scene;
    (void)scene.promote();
    auto& body = scene.forge.all[0].body;
    body.replace(body.find("team/podinfo/prod"), 17, "team-podinfo/x/prod");
    const Outcome outcome = scene.promote("1.2.0");
    CHECK(outcome.code == PROMOTIOND_REJECTED);
    CHECK_THAT(outcome.why, Catch::Contains("another Pipeline"));
    CHECK(remote.read(kBranch, kFile) == manifest("1.1.0"));
}

TEST_CASE("pull request: after a change of base the request into the old one is closed") {
    Scene scene;
    REQUIRE(scene.promote("1.1.0").code == PROMOTIOND_PENDING);
    remote.write("production", kFile, manifest("1.0.0"));
    scene.config.branch = "production";
    REQUIRE(scene.promote("1.2.0").code == PROMOTIOND_PENDING);
    REQUIRE(scene.forge.all.size() == 2);
    CHECK(scene.forge.all[0].state == PullRequestState::Closed);
    CHECK(scene.forge.all[1].state == PullRequestState::Open);
    CHECK(scene.forge.all[1].base_branch == "production");
}

TEST_CASE("pull request: a person's own request of the branch into another base is left alone") {
    Scene scene;
    REQUIRE(scene.promote("1.1.0").code == PROMOTIOND_PENDING);
    scene.forge.all[0].body = "for the release notes";
    scene.forge.all[0].base_branch = "release";
    (void)scene.promote("1.2.0");
    CHECK(scene.forge.all[0].state == PullRequestState::Open);
    CHECK(scene.forge.all[0].body == "for the release notes");
}

TEST_CASE("pull request: labels that cannot be set are a warning, not a failure") {
    Scene scene;
    scene.forge.apply_error = Error{ErrorKind::Unauthorized, "cannot add labels"};
    const Outcome outcome = scene.promote();
    CHECK(outcome.code == PROMOTIOND_PENDING);
    CHECK_THAT(outcome.details, Catch::Contains("\"warnings\":[\"cannot add labels\"]"));
}

TEST_CASE(
    "pull request: what is not to merge by itself any more is held before its branch is pushed") {
    Scene scene;
    REQUIRE(scene.promote().code == PROMOTIOND_PENDING);
    scene.forge.all[0].auto_merge = true;
    const auto pushes = remote.pushes;
    scene.forge.stop_error = Error{ErrorKind::Transient, "cut off"};
    CHECK(scene.promote("1.2.0").code == PROMOTIOND_RETRY);
    CHECK(remote.pushes == pushes);
    scene.forge.stop_error.reset();
    CHECK(scene.promote("1.2.0").code == PROMOTIOND_PENDING);
    CHECK(remote.pushes == pushes + 1);
    CHECK_FALSE(scene.forge.all[0].auto_merge);
}

TEST_CASE(
    "pull request: where automatic merge is wanted, or cannot be switched off, the push goes on") {
    Scene scene;
    REQUIRE(scene.promote().code == PROMOTIOND_PENDING);
    scene.forge.all[0].auto_merge = true;
    scene.forge.stop_error = Error{ErrorKind::Unauthorized, "HTTP 403"};
    CHECK(scene.promote("1.2.0").code == PROMOTIOND_PENDING);
    scene.forge.stop_error.reset();
    scene.forge.calls.clear();
    scene.config.options.auto_merge = true;
    CHECK(scene.promote("1.3.0").code == PROMOTIOND_PENDING);
    CHECK(std::count(scene.forge.calls.begin(), scene.forge.calls.end(), "stop") == 0);
}

TEST_CASE("pull request: a plan shows diff and text and touches nothing") {
    Scene scene;
    const Outcome outcome = scene.plan();
    CHECK(outcome.code == PROMOTIOND_DONE);
    CHECK_THAT(outcome.details, Catch::Contains("diff of ") && Catch::Contains(kBranch));
    CHECK(scene.forge.calls.empty());
    CHECK(remote.pushes == 0);
}

TEST_CASE("pull request: a plan is on the base as it is now") {
    Scene scene;
    remote.fetched = remote.branches;
    CHECK(scene.plan().code == PROMOTIOND_DONE);
    CHECK(remote.fetches == 1);
}

TEST_CASE("pull request: it is watched until it is merged or closed") {
    Scene scene;
    const Outcome opened = scene.promote();
    const Outcome unchanged = scene.observe("1", opened.details);
    CHECK(unchanged.code == PROMOTIOND_PENDING);
    CHECK(unchanged.location == opened.location);
    scene.forge.all[0].etag = "\"2\"";
    CHECK_THAT(scene.observe("1", opened.details).details, Catch::Contains("\\\"2\\\""));
    scene.forge.all[0].state = PullRequestState::Merged;
    CHECK(scene.observe("1", opened.details).code == PROMOTIOND_DONE);
    scene.forge.all[0].state = PullRequestState::Closed;
    const Outcome closed = scene.observe("1", "not JSON");
    CHECK(closed.code == PROMOTIOND_REJECTED);
    CHECK_THAT(closed.why, Catch::Contains("closed without a merge"));
    CHECK(scene.observe("-1").code == PROMOTIOND_REJECTED);
}

TEST_CASE(
    "pull request: a number of another repository is never taken for the one that was opened") {
    Scene scene;
    const Outcome opened = scene.promote();
    scene.config.url = "git@forge.test:team/fleet.git";
    CHECK(scene.observe("1", opened.details).code == PROMOTIOND_PENDING);
    scene.config.url = "https://forge.test/team/other";
    SECTION("which has such a number") {
        scene.forge.all[0].url = "https://forge.test/team/other/pull/1";
        scene.forge.all[0].state = PullRequestState::Merged;
    }
    SECTION("which has none") { scene.forge.all.clear(); }
    const Outcome seen = scene.observe("1", opened.details);
    CHECK(seen.code == PROMOTIOND_REJECTED);
    CHECK_THAT(seen.why, Catch::Contains(opened.location) &&
                             Catch::Contains("now, https://forge.test/team/other; merge or close"));
}

TEST_CASE("pull request: what keeps it from being merged is said when it comes and when it goes") {
    Scene scene;
    const Outcome opened = scene.promote();
    PullRequest& request = scene.forge.all[0];
    const auto look = [&](const Outcome& last, const std::string& obstacle) {
        request.etag += "'";
        request.obstacle = obstacle;
        return scene.observe("1", last.details);
    };
    CHECK(look(opened, "").summary.empty());
    const Outcome stuck = look(opened, "its branches conflict");
    CHECK(stuck.code == PROMOTIOND_PENDING);
    CHECK_THAT(stuck.summary, Catch::Contains("#1 cannot be merged, its branches conflict"));
    CHECK(look(stuck, "its branches conflict").summary.empty());
    CHECK_THAT(look(stuck, "").summary, Catch::Contains("#1 can be merged"));
    request.state = PullRequestState::Closed;
    CHECK_THAT(look(stuck, "its branches conflict").why, Catch::Contains("its branches conflict"));
}

TEST_CASE(
    "pull request: what a passing fault kept from being set is tried again, a refusal is not") {
    Scene scene;
    scene.forge.apply_error = Error{ErrorKind::Transient, "cannot add labels: cut off"};
    CHECK(scene.promote().code == PROMOTIOND_RETRY);
    scene.forge.apply_error.reset();
    CHECK(scene.promote().code == PROMOTIOND_PENDING);
    CHECK(scene.forge.all.size() == 1);
    scene.forge.apply_error = Error{ErrorKind::Unauthorized, "cannot add labels: HTTP 403"};
    CHECK(scene.promote("1.2.0").code == PROMOTIOND_PENDING);
}

TEST_CASE("pull request: a look that fails settles nothing, whatever failed") {
    Scene scene;
    CHECK(scene.observe("7").code == PROMOTIOND_RETRY);
    for (const auto kind :
         {ErrorKind::Unauthorized, ErrorKind::NotFound, ErrorKind::Invalid, ErrorKind::Transient}) {
        CHECK(gitops::not_seen({kind, "token is being rotated"}).code == PROMOTIOND_RETRY);
    }
    CHECK(gitops::not_seen({ErrorKind::Cancelled, "stop"}).code == PROMOTIOND_CANCELLED);
}

TEST_CASE("pull request: going back to what is there closes the request for the newer revision") {
    Scene scene;
    scene.promote("1.1.0");
    const Outcome back = scene.promote("1.0.0");
    CHECK(back.code == PROMOTIOND_DONE);
    CHECK_THAT(back.summary, Catch::Contains("closed pull request #1"));
    CHECK(scene.forge.all[0].state == PullRequestState::Closed);
}

TEST_CASE("pull request: a verb that is told to stop does so before its next effect") {
    Scene scene;
    scene.host.cancel();
    CHECK(scene.promote().code == PROMOTIOND_CANCELLED);
    CHECK(remote.pushes == 0);
}

TEST_CASE("pull request: a marked file that is too large to edit is refused by its name") {
    Scene scene;
    const std::string filler(ManifestLimits().bytes, '#');
    remote.write("main", "prod/huge.yaml", manifest("1.0.0") + filler + "\n");
    const Outcome outcome = scene.promote();
    CHECK(outcome.code == PROMOTIOND_REJECTED);
    CHECK_THAT(outcome.why, Catch::Contains("prod/huge.yaml") && Catch::Contains("the limit is"));
    CHECK(remote.pushes == 0);
}

TEST_CASE("pull request: a large file with other people's markers is nobody's concern") {
    Scene scene;
    const std::string filler(ManifestLimits().bytes, '#');
    remote.write("main", "dev/huge.yaml", "v: 1 # {\"$promotion\": \"other:app:dev\"}\n" + filler);
    CHECK(scene.promote().code == PROMOTIOND_PENDING);
}
