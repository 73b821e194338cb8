#include <algorithm>
#include <thread>

#include "catch.hpp"
#include "gitops_mirror_fixture.hpp"

using namespace promotiond::gitops_test;

namespace {

std::vector<std::string> paths_of(const std::vector<TreeFile>& files) {
    std::vector<std::string> paths;
    for (const auto& file : files) paths.push_back(file.path);
    return paths;
}

}  // namespace

TEST_CASE("mirror: fetch, commit and push change one file and nothing else") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto base = must(mirror.fetch("main"));
    CHECK(base == site.git("rev-parse main"));
    const auto commit = must(mirror.commit(base, {{"apps/prod/app.yaml", "tag: 1.2.3\n"}}, kText));
    CHECK(site.git("branch --list") == "* main");
    CHECK(must(mirror.diff(commit)).find("+tag: 1.2.3") != std::string::npos);
    must(mirror.push(commit, "promotion-a", std::nullopt));
    CHECK(site.git("diff --name-only main promotion-a") == "apps/prod/app.yaml");
    CHECK(site.git("show promotion-a:apps/prod/app.yaml") == "tag: 1.2.3");
    CHECK(site.git("log -1 --format=%an,%ae,%at,%s promotion-a") ==
          "promotiond,promotiond@localhost,1800000000,Promote podinfo to 1.2.3");
    CHECK(site.git("fsck --strict").find("error") == std::string::npos);
    CHECK(must(mirror.remote_head("promotion-a")) == commit);
    must(mirror.push(commit, "promotion-a", std::nullopt));  // already there is fine
}

TEST_CASE("mirror: the same input gives the same commit") {
    Site site;
    ObjectId first;
    for (int i = 0; i < 2; ++i) {
        TestCall call(site.cache());
        auto mirror = must(site.open(call));
        const auto base = must(mirror.fetch("main"));
        const auto commit = must(mirror.commit(base, {{"run.sh", "#!/bin/sh\nid\n"}}, kText));
        if (i == 0) first = commit;
        CHECK(commit == first);
        CHECK(must(mirror.parent(commit)) == base);
        CHECK_FALSE(must(mirror.same_tree(base, commit)));
        const auto same = must(mirror.commit(base, {}, kText));
        CHECK(must(mirror.same_tree(base, same)));
        CHECK(must(mirror.diff(commit)).find("old mode") == std::string::npos);
    }
}

TEST_CASE("mirror: symlinks and submodules are not files") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto base = must(mirror.fetch("main"));
    std::vector<TreeFile> files;
    must(mirror.files(base, {".yaml", ".sh"}, [&](const TreeFile& file) {
        files.push_back(file);
        return true;
    }));
    CHECK(paths_of(files) ==
          std::vector<std::string>{"apps/dev/app.yaml", "apps/prod/app.yaml", "run.sh"});
    CHECK(files[2].executable);
    CHECK(files[0].size == 11);
    CHECK(must(mirror.read(files[0].blob, 11)) == "tag: 1.2.2\n");
    CHECK(mirror.read(files[0].blob, 10).error().kind == ErrorKind::Invalid);
    for (const char* path :
         {"apps/link.yaml", "sub.yaml", "apps", "../x", "/etc/passwd", "a//b", ".git/config",
          ".GIT/hooks", "a/b/../c", "C:\\x", "x ", "x.", "apps/dev/app.yaml/x"}) {
        INFO(path);
        const auto refused = mirror.commit(base, {{path, "x"}}, kText);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == ErrorKind::Invalid);
    }
}

TEST_CASE("mirror: files that hold a text are found, also after a change and from a torn memo") {
    Site site;
    const std::string text = "\"$promotion\"";
    const auto find = [&] {
        TestCall call(site.cache());
        auto mirror = must(site.open(call));
        const auto base = must(mirror.fetch("main"));
        const auto files = must(mirror.files_holding(base, text, {".yaml"}, 1000));
        for (const auto& file : files)
            CHECK(must(mirror.read(file.blob, 1000)).find(text) != std::string::npos);
        return paths_of(files);
    };
    using Paths = std::vector<std::string>;
    CHECK(find() == Paths{"apps/prod/app.yaml"});
    CHECK(find() == Paths{"apps/prod/app.yaml"});
    site.change("apps/dev/app.yaml", "x: 1 # {\"$promotion\": \"b\"}\n");
    CHECK(find() == Paths{"apps/dev/app.yaml", "apps/prod/app.yaml"});
    for (const auto& entry : std::filesystem::directory_iterator(site.cache()))
        if (entry.path().filename().native().rfind("holding-", 0) == 0)
            std::filesystem::resize_file(entry, entry.file_size() - 7);
    CHECK(find() == Paths{"apps/dev/app.yaml", "apps/prod/app.yaml"});
    CHECK(find() == Paths{"apps/dev/app.yaml", "apps/prod/app.yaml"});
    site.change("apps/dev/app.yaml", text + std::string(1000, 'x'));
    CHECK(find() == Paths{"apps/prod/app.yaml"});
}

TEST_CASE("mirror: a branch that is missing is named together with the default branch") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto head = mirror.fetch("production");
    REQUIRE_FALSE(head);
    CHECK(head.error().kind == ErrorKind::NotFound);
    CHECK(head.error().message.find("its default branch is main") != std::string::npos);
    CHECK(must(mirror.default_branch()) == "main");
    CHECK_FALSE(must(mirror.remote_head("production")).has_value());
}

TEST_CASE("mirror: an empty repository is told as such") {
    Site site;
    shell("git init -q --bare -b main " + (site.repositories() / "empty.git").native());
    TestCall call(site.cache());
    auto mirror =
        must(Mirror::open(call.call(), site.server().url("empty.git"), site.credentials()));
    CHECK(mirror.fetch("main").error().message.find("the repository is empty") !=
          std::string::npos);
    CHECK(mirror.default_branch().error().kind == ErrorKind::NotFound);
}

TEST_CASE("mirror: a push expects the old head, and a rebuilt branch replaces it") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto base = must(mirror.fetch("main"));
    const auto first = must(mirror.commit(base, {{"a.yaml", "1\n"}}, kText));
    must(mirror.push(first, "p", std::nullopt));
    const auto moved = site.change("docs/readme.md", "changed\n");
    const auto next = must(mirror.fetch("main"));
    CHECK(next == moved);
    const auto rebuilt = must(mirror.commit(next, {{"a.yaml", "1\n"}}, kText));
    CHECK(mirror.push(rebuilt, "p", std::nullopt).error().kind == ErrorKind::Conflict);
    CHECK(mirror.push(rebuilt, "p", base).error().kind == ErrorKind::Conflict);
    CHECK(mirror.push(rebuilt, "gone", base).error().kind == ErrorKind::Conflict);
    CHECK(site.git("rev-parse p") == first);
    must(mirror.push(rebuilt, "p", first));
    CHECK(site.git("rev-parse p") == rebuilt);
    CHECK(mirror.push(rebuilt, "p/q", std::nullopt).error().kind == ErrorKind::Invalid);
}

TEST_CASE("mirror: a history rewritten by force is followed") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    must(mirror.fetch("main"));
    shell("cd " + (site.path() / "work").native() +
          " && git commit -q --amend -m other && git push -qf ../repos/app.git main");
    CHECK(must(mirror.fetch("main")) == site.git("rev-parse main"));
}

TEST_CASE("mirror: a branch may become a directory of branches") {
    Site site;
    (void)site.git("branch rel main");
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    must(mirror.fetch("rel"));
    (void)site.git("branch -D rel && git --git-dir=" + (site.repositories() / "app.git").native() +
                   " branch rel/1 main");
    TestCall later(site.cache());
    auto again = must(site.open(later));
    CHECK(must(again.fetch("rel/1")) == site.git("rev-parse main"));
}

TEST_CASE("mirror: calls that begin together share a fetch") {
    Site site;
    TestCall first(site.cache());
    TestCall second(site.cache());
    auto one = must(site.open(first));
    auto two = must(site.open(second));
    must(one.fetch("main"));
    const auto asked = site.server().requests().size();
    CHECK(must(two.fetch("main")) == site.git("rev-parse main"));
    CHECK(must(two.remote_head("main")) == site.git("rev-parse main"));
    CHECK(site.server().requests().size() == asked);
    must(two.fetch("main"));  // asked again, it looks again
    CHECK(site.server().requests().size() > asked);
}

TEST_CASE("mirror: many threads fetch, commit and push through one cache") {
    Site site;
    std::atomic<int> done{0};
    std::vector<std::string> faults(8);
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < faults.size(); ++i)
            threads.emplace_back([&, i] {
                try {
                    TestCall call(site.cache());
                    auto mirror = must(site.open(call));
                    const auto base = must(mirror.fetch("main"));
                    const auto found = must(mirror.files_holding(base, "tag", {".yaml"}, 1000));
                    const auto commit =
                        must(mirror.commit(base, {{found.at(0).path, std::to_string(i)}}, kText));
                    must(mirror.push(commit, "p-" + std::to_string(i), std::nullopt));
                    ++done;
                } catch (const std::exception& e) {
                    faults[i] = e.what();
                }
            });
    }
    for (const auto& fault : faults) CHECK(fault.empty());
    CHECK(done == 8);
    CHECK(site.git("branch --list 'p-*' | wc -l") == "8");
}

TEST_CASE("mirror: what is based on a branch that has moved is not sent") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto base = must(mirror.fetch("main"));
    const auto commit = must(mirror.commit(base, {{"docs/readme.md", "new"}}, kText));
    const BranchHead on_main{"main", base};
    must(mirror.push(commit, "p", std::nullopt, on_main));
    const auto now = site.change("b", "b");
    for (const char* branch : {"p", "q"}) {
        const auto expected = branch == std::string("p") ? std::optional(commit) : std::nullopt;
        const auto refused = mirror.push(commit, branch, expected, on_main).error();
        CHECK(refused.kind == ErrorKind::Conflict);
        CHECK_THAT(refused.message, Catch::Contains("branch main") && Catch::Contains(now));
    }
    CHECK(site.git("branch --list q").empty());
    CHECK(must(mirror.fetch("main")) == now);
}

TEST_CASE("mirror: what another call has just fetched is known without asking the server") {
    Site site;
    TestCall first(site.cache());
    CHECK_FALSE(must(site.open(first)).recently_fetched("main"));
    const auto base = must(must(site.open(first)).fetch("main"));
    const auto asked = site.server().requests().size();
    TestCall second(site.cache());
    auto mirror = must(site.open(second));
    CHECK(mirror.recently_fetched("main") == base);
    CHECK(must(mirror.remote_head("p")) == std::nullopt);
    CHECK_FALSE(mirror.recently_fetched("later"));
    CHECK(site.server().requests().size() == asked);
    (void)site.git("branch later main");
    CHECK(must(mirror.remote_head("later")) == base);
}

TEST_CASE("mirror: a large commit is pushed in chunks") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto base = must(mirror.fetch("main"));
    std::string noise;
    for (unsigned i = 0, x = 1; i < 3'000'000; ++i) {
        x = x * 1664525U + 1013904223U;
        noise += static_cast<char>(x >> 24);
    }
    const auto commit = must(mirror.commit(base, {{"noise", noise}}, kText));
    must(mirror.push(commit, "big", std::nullopt));
    CHECK(site.git("cat-file -s big:noise") == "3000000");
}
