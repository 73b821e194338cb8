#include <algorithm>

#include "catch.hpp"
#include "gitops_mirror_fixture.hpp"

using namespace promotiond::gitops_test;

namespace {

std::string cloned(const Site& site, const std::string& options = "") {
    const std::string to = site.path().native() + "/checkout";
    shell("export HOME=" + site.path().native() + " && git clone -q " + options + " file://" +
          site.repositories().native() + "/app.git " + to);
    return to;
}

std::ptrdiff_t packs_asked(Site& site) {
    const auto requests = site.server().requests();
    return std::count_if(requests.begin(), requests.end(), [](const std::string& request) {
        return request.find("POST") == 0 && request.find("upload-pack") != std::string::npos;
    });
}

}  // namespace

TEST_CASE("checkout: says where it comes from and what it stands on, and keeps passwords back") {
    Site site;
    const auto directory = cloned(site);
    const std::string git = "git -C " + directory + " ";
    shell(git + "remote set-url origin https://me:secret@example.com/a/b.git");
    shell(git + "config http.sslCAInfo /tmp/ca.pem");
    auto checkout = must(read_checkout(directory));
    CHECK(checkout.origin == "https://example.com/a/b.git");
    CHECK(checkout.head == site.git("rev-parse main"));
    CHECK(checkout.branch == "main");
    CHECK(checkout.branches.at("main") == checkout.head);
    CHECK(checkout.ca_file == "/tmp/ca.pem");
    CHECK_FALSE(checkout.shallow);
    shell(git + "checkout -q --detach");
    checkout = must(read_checkout(directory));
    CHECK(checkout.branch.empty());
    CHECK(likely_branch(checkout) == "main");
    shell(git + "remote remove origin");
    CHECK_THAT(read_checkout(directory).error().message,
               Catch::Contains("has no remote origin with an address"));
    CHECK_THAT(read_checkout(site.path().native()).error().message,
               Catch::Contains("is no git repository"));
}

TEST_CASE("checkout: the branch is the one at HEAD, or the one that HEAD merges; never a guess") {
    Checkout checkout;
    checkout.head = "c";
    checkout.branches = {{"main", "a"}, {"promote/x", "b"}};
    CHECK(likely_branch(checkout).empty());
    checkout.parents = {"a", "b"};
    CHECK(likely_branch(checkout) == "promote/x");
    checkout.branches["other"] = "b";
    CHECK(likely_branch(checkout).empty());
    checkout.branches["other"] = "c";
    CHECK(likely_branch(checkout) == "other");
}

TEST_CASE("mirror: what a checkout has is not fetched again, and pushed from there") {
    Site site;
    const auto checkout = must(read_checkout(cloned(site)));
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    must(mirror.borrow(checkout));
    const auto base = must(mirror.fetch("main"));
    CHECK(base == checkout.head);
    CHECK(packs_asked(site) == 0);
    const auto files = must(mirror.files_below(base, "apps", {".yaml"}));
    REQUIRE(files.size() == 2);
    CHECK(files[1].path == "apps/prod/app.yaml");
    CHECK(mirror.files_below(base, "none", {""}).error().kind == ErrorKind::NotFound);
    CHECK(mirror.files_below(base, "run.sh", {""}).error().kind == ErrorKind::NotFound);
    const auto commit = must(mirror.commit(base, {{"apps/dev/app.yaml", "x\n"}}, kText));
    must(mirror.push(commit, "a", std::nullopt));
    CHECK(site.git("diff --name-only main a") == "apps/dev/app.yaml");
    CHECK(site.git("fsck --strict").find("error") == std::string::npos);

    const auto newer = site.change("docs/readme.md", "newer\n");
    CHECK(must(mirror.fetch("main")) == newer);
    CHECK(packs_asked(site) == 1);
}

TEST_CASE("mirror: a shallow checkout lends nothing and is no hindrance") {
    Site site;
    site.change("docs/readme.md", "newer\n");
    const auto checkout = must(read_checkout(cloned(site, "--depth 1")));
    CHECK(checkout.shallow);
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    must(mirror.borrow(checkout));
    const auto base = must(mirror.fetch("main"));
    const auto commit = must(mirror.commit(base, {{"a", "b"}}, kText));
    must(mirror.push(commit, "a", std::nullopt));
    CHECK(site.git("rev-list --count a") == "3");
}

TEST_CASE("mirror: files and directories are removed, and nothing beside them") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto base = must(mirror.fetch("main"));
    const auto commit =
        must(mirror.commit(base, {{"apps/prod", "", true}, {"run.sh", "", true}}, kText));
    must(mirror.push(commit, "a", std::nullopt));
    CHECK(site.git("diff --name-status main a") == "D\tapps/prod/app.yaml\nD\trun.sh");
    CHECK(site.git("fsck --strict").find("error") == std::string::npos);
}

TEST_CASE("mirror: a path's last change is that of the newest commit that touched it") {
    Site site;
    const auto work = site.path() / "work";
    const auto at = [&](const std::string& when, const std::string& path) {
        shell("cd " + work.native() + " && echo " + when + " > " + path + " && git add -A && " +
              "GIT_AUTHOR_DATE='" + when +
              " +0000' git commit -qm x && git push -q "
              "../repos/app.git main");
    };
    at("1800000001", "apps/dev/app.yaml");
    at("1800000002", "docs/readme.md");
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto base = must(mirror.fetch("main"));
    const auto seconds = [&](const std::string& path) {
        return must(mirror.last_change(base, path)).time_since_epoch().count();
    };
    CHECK(seconds("apps/dev") == 1'800'000'001);
    CHECK(seconds("docs") == 1'800'000'002);
    CHECK(seconds("run.sh") == std::stoll(site.git("log -1 --format=%at main~2")));
}
