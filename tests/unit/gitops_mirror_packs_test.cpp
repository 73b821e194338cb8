// A mirror that lives long: its packs stay few, whatever ends a call in between.
#include "catch.hpp"
#include "gitops_mirror_fixture.hpp"
#include "sdk/gitops/git_packs.hpp"

using namespace promotiond::gitops_test;

namespace {

namespace fs = std::filesystem;

fs::path packs_of(const Site& site) { return site.cache() / "mirror-1.git/objects/pack"; }

std::size_t count(const Site& site, const std::string& extension) {
    std::size_t found = 0;
    for (const auto& entry : fs::directory_iterator(packs_of(site)))
        if (entry.path().extension() == extension) ++found;
    return found;
}

// Branches b1, b2, ... each one commit further than the one before, and main at the last.
void grow(const Site& site, std::size_t branches) {
    std::string stream;
    for (std::size_t i = 1; i <= branches; ++i) {
        const auto text = "commit " + std::to_string(i) + "\n";
        const auto from = i == 1 ? "refs/heads/main^0" : "refs/heads/b" + std::to_string(i - 1);
        stream += "commit refs/heads/b" + std::to_string(i) +
                  "\ncommitter t <t@t> 1800000000 +0000\ndata " + std::to_string(text.size()) +
                  "\n" + text + "from " + from + "\nM 100644 inline docs/log.yaml\ndata " +
                  std::to_string(text.size()) + "\n" + text + "\n";
    }
    std::ofstream(site.path() / "stream") << stream;
    (void)site.git("fast-import --quiet < " + (site.path() / "stream").native());
    (void)site.git("update-ref refs/heads/main b" + std::to_string(branches));
}

void fetch(Site& site, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i <= to; ++i) {
        TestCall call(site.cache());
        must(must(site.open(call)).fetch("b" + std::to_string(i)));
    }
}

void check_whole(Site& site) {
    CHECK(shell("git --git-dir=" + (site.cache() / "mirror-1.git").native() +
                " fsck --full --strict 2>&1 | grep -v -e dangling -e gitmodules -e '^notice' || "
                "true") == "");
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto base = must(mirror.fetch("main"));
    CHECK(base == site.git("rev-parse main"));
    CHECK(must(mirror.files_holding(base, "tag", {".yaml"}, 1000)).size() == 2);
    const auto commit = must(mirror.commit(base, {{"apps/prod/app.yaml", "2\n"}}, kText));
    CHECK(mirror.push(commit, "p", std::nullopt));
    CHECK(site.git("show p:apps/prod/app.yaml") == "2");
}

}  // namespace

TEST_CASE("mirror: after 200 fetches its packs are few and its history is whole") {
    Site site;
    grow(site, 200);
    fetch(site, 1, 200);
    CHECK(count(site, ".pack") <= kMostPacks);
    CHECK(count(site, ".idx") == count(site, ".pack"));
    check_whole(site);
}

TEST_CASE("mirror: a call that reads goes on while its packs are gathered") {
    Site site;
    grow(site, kMostPacks + 2);
    fetch(site, 1, kMostPacks);
    TestCall call(site.cache());
    auto reader = must(site.open(call));
    const auto base = must(reader.fetch("b" + std::to_string(kMostPacks)));
    fetch(site, kMostPacks + 1, kMostPacks + 2);
    REQUIRE(count(site, ".pack") < 5);
    CHECK(must(reader.files_holding(base, "commit", {".yaml"}, 1000)).size() == 1);
    const auto commit = must(reader.commit(base, {{"a.yaml", "1\n"}}, kText));
    CHECK(reader.push(commit, "p", std::nullopt));
    CHECK(call.log().find("damaged") == std::string::npos);
}

TEST_CASE("mirror: an end at any point of the gathering loses nothing") {
    Site site;
    grow(site, kMostPacks + 2);
    fetch(site, 1, kMostPacks);
    const auto before = site.path() / "before";
    fs::copy(packs_of(site), before);
    fetch(site, kMostPacks + 1, kMostPacks + 1);
    REQUIRE(count(site, ".pack") == 2);
    const auto bring_back = [&](const std::string& extension, std::size_t most) {
        for (const auto& entry : fs::directory_iterator(before)) {
            if (entry.path().extension() != extension || most-- == 0) continue;
            fs::copy(entry, packs_of(site), fs::copy_options::skip_existing);
        }
    };
    SECTION("the new pack is there, and so are all old ones") {
        bring_back(".pack", kMostPacks);
        bring_back(".idx", kMostPacks);
    }
    SECTION("half of the old ones are gone, one of them by half") {
        bring_back(".pack", kMostPacks / 2);
        bring_back(".idx", kMostPacks / 2 - 1);
    }
    SECTION("the new pack has an index and no objects yet") {
        std::ofstream(packs_of(site) / ("pack-" + std::string(40, 'a') + ".idx")) << "x";
    }
    fetch(site, kMostPacks + 2, kMostPacks + 2);
    CHECK(count(site, ".idx") == count(site, ".pack"));
    CHECK(count(site, ".pack") <= kMostPacks);
    check_whole(site);
}
