#include <thread>

#include "catch.hpp"
#include "gitops_mirror_fixture.hpp"

using namespace promotiond::gitops_test;
using promotiond::simulators::GitFault;

namespace {

Error fetch_error(Site& site) {
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    const auto head = mirror.fetch("main");
    REQUIRE_FALSE(head);
    return head.error();
}

// A site whose main has been fetched, and a commit that is ready to be pushed.
struct Ready {
    Site site;
    TestCall call{site.cache()};
    Mirror mirror = must(site.open(call));
    ObjectId base = must(mirror.fetch("main"));
    ObjectId commit = must(mirror.commit(base, {{"apps/prod/app.yaml", "tag: 2\n"}}, kText));
};

void spoil_packs(const std::filesystem::path& cache) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cache))
        if (entry.path().extension() == ".pack") std::filesystem::resize_file(entry, 20);
}

}  // namespace

TEST_CASE("mirror: a wrong password is refused with one request and is not in the error") {
    Site site;
    site.server().require("bot", "s3cret");
    TestCall call(site.cache());
    auto credentials = site.credentials();
    credentials.username = "bot";
    credentials.password = Secret("wr0ng");
    auto mirror = must(Mirror::open(call.call(), site.url(), std::move(credentials)));
    const auto head = mirror.fetch("main");
    REQUIRE_FALSE(head);
    CHECK(head.error().kind == ErrorKind::Unauthorized);
    CHECK(head.error().message.find("wr0ng") == std::string::npos);
    CHECK(site.server().requests().size() == 1);
}

TEST_CASE("mirror: the right password is sent and let in") {
    Site site;
    site.server().require("bot", "s3cret");
    TestCall call(site.cache());
    auto credentials = site.credentials();
    credentials.username = "bot";
    credentials.password = Secret("s3cret");
    auto mirror = must(Mirror::open(call.call(), site.url(), std::move(credentials)));
    CHECK(must(mirror.fetch("main")) == site.git("rev-parse main"));
    CHECK(fetch_error(site).kind == ErrorKind::Unauthorized);  // without any
}

TEST_CASE("mirror: an access token goes as a bearer token, and a wrong one is not in the error") {
    Site site;
    site.server().require_bearer("acc3ss");
    TestCall call(site.cache());
    auto credentials = site.credentials();
    credentials.bearer = Secret("acc3ss");
    auto mirror = must(Mirror::open(call.call(), site.url(), std::move(credentials)));
    CHECK(must(mirror.fetch("main")) == site.git("rev-parse main"));
    auto wrong = site.credentials();
    wrong.bearer = Secret("wr0ng");
    auto refused = must(Mirror::open(call.call(), site.url(), std::move(wrong)));
    const auto error = refused.fetch("main").error();
    CHECK(error.kind == ErrorKind::Unauthorized);
    CHECK(error.message.find("wr0ng") == std::string::npos);
    auto broken = site.credentials();
    broken.bearer = Secret("a\r\nb");
    CHECK(Mirror::open(call.call(), site.url(), std::move(broken)).error().kind ==
          ErrorKind::Invalid);
}

TEST_CASE("mirror: the server's answers become kinds of error") {
    Site site;
    struct Case {
        int status;
        const char* fields;
        ErrorKind kind;
    };
    for (const auto& [status, fields, kind] :
         {Case{403, "", ErrorKind::Unauthorized}, Case{404, "", ErrorKind::NotFound},
          Case{429, "Retry-After: 7\r\n", ErrorKind::Throttled},
          Case{503, "Retry-After: 7\r\n", ErrorKind::Throttled},
          Case{500, "", ErrorKind::Transient}, Case{502, "", ErrorKind::Transient},
          Case{301, "Location: https://other.example/app.git/\r\n", ErrorKind::Invalid},
          Case{302, "Location: /else\r\n", ErrorKind::Invalid},
          Case{418, "", ErrorKind::Invalid}}) {
        INFO(status);
        site.server().set_fault({.target = "info/refs", .status = status, .fields = fields});
        const auto error = fetch_error(site);
        CHECK(error.kind == kind);
        CHECK(error.message.find(std::to_string(status)) != std::string::npos);
        if (kind == ErrorKind::Throttled) CHECK(error.retry_after == milliseconds(7000));
    }
    site.server().set_fault({});
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    CHECK(mirror.fetch("main"));
}

TEST_CASE("mirror: a silent server ends at the deadline") {
    Site site;
    site.server().set_fault({.target = "info/refs", .silent = true});
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    std::jthread passing([&] {
        site.server().wait_until_silent();
        call.expire();
    });
    const auto head = mirror.fetch("main");
    REQUIRE_FALSE(head);
    CHECK(head.error().kind == ErrorKind::Transient);
}

TEST_CASE("mirror: cancelling ends the wait for a silent server") {
    Site site;
    site.server().set_fault({.target = "git-upload-pack", .silent = true});
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    std::jthread canceller([&] {
        site.server().wait_until_silent();
        call.cancel();
    });
    const auto head = mirror.fetch("main");
    REQUIRE_FALSE(head);
    CHECK(head.error().kind == ErrorKind::Cancelled);
}

TEST_CASE("mirror: half an answer is an error, and the next fetch is whole") {
    Site site;
    for (const char* target : {"info/refs", "/git-upload-pack"})
        for (const long size : {0L, 5L, 60L, 200L}) {
            INFO(target << " cut after " << size);
            site.server().set_fault({.target = target, .cut_after = size});
            CHECK(fetch_error(site).kind == ErrorKind::Transient);
        }
    site.server().set_fault({});
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    CHECK(must(mirror.fetch("main")) == site.git("rev-parse main"));
}

TEST_CASE("mirror: a push whose answer was lost finds its work done") {
    Ready ready;
    ready.site.server().set_fault({.target = "/git-receive-pack", .cut_after = 0});
    const auto lost = ready.mirror.push(ready.commit, "p", std::nullopt);
    REQUIRE_FALSE(lost);
    CHECK(lost.error().kind == ErrorKind::Transient);
    CHECK(ready.site.git("rev-parse p") == ready.commit);
    ready.site.server().set_fault({});
    CHECK(ready.mirror.push(ready.commit, "p", std::nullopt));
}

TEST_CASE("mirror: a hook's refusal comes with the server's words, without its escapes") {
    Ready ready;
    const auto hook = ready.site.repositories() / "app.git/hooks/pre-receive";
    std::filesystem::create_directories(hook.parent_path());
    std::ofstream(hook)
        << "#!/bin/sh\nprintf 'no \\033[31mpromotions\\033[0m on Friday\\n' >&2\nexit 1\n";
    std::filesystem::permissions(hook, std::filesystem::perms::owner_all);
    const auto refused = ready.mirror.push(ready.commit, "p", std::nullopt);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Invalid);
    CHECK(refused.error().message.find("no promotions on Friday") != std::string::npos);
    CHECK(refused.error().message.find("pre-receive hook declined") != std::string::npos);
    CHECK(refused.error().message.find('\x1b') == std::string::npos);
}

TEST_CASE("mirror: a certificate of an unknown CA is refused before anything is sent") {
    Site site;
    TestCall call(site.cache());
    auto mirror = must(Mirror::open(call.call(), site.url(), {}));
    const auto head = mirror.fetch("main");
    REQUIRE_FALSE(head);
    CHECK(head.error().message.find("certificate is not trusted") != std::string::npos);
    CHECK(site.server().requests().empty());
    Credentials bad;
    bad.ca_pem = "not a certificate";
    auto other = must(Mirror::open(call.call(), site.url(), std::move(bad)));
    CHECK(other.fetch("main").error().kind == ErrorKind::Invalid);
}

TEST_CASE("mirror: a certificate for another host is refused") {
    Site site;
    TestCall call(site.cache());
    const auto url = "https://git.example.com:" + std::to_string(site.server().port()) + "/app.git";
    auto mirror = must(Mirror::open(call.call(), url, site.credentials()));
    const auto head = mirror.fetch("main");
    REQUIRE_FALSE(head);
    CHECK(head.error().message.find("mismatch") != std::string::npos);
}

TEST_CASE("mirror: a damaged copy is thrown away and fetched anew") {
    Site site;
    ObjectId base;
    {
        TestCall call(site.cache());
        base = must(must(site.open(call)).fetch("main"));
    }
    SECTION("packs cut short") { spoil_packs(site.cache()); }
    SECTION("packs gone") {
        shell("rm -rf " + (site.cache() / "mirror-1.git/objects/pack").native() + "/*");
    }
    SECTION("no HEAD") { std::filesystem::remove(site.cache() / "mirror-1.git/HEAD"); }
    SECTION("a reference that is none") {
        std::ofstream(site.cache() / "mirror-1.git/refs/heads/main") << "nonsense\n";
    }
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    CHECK(must(mirror.fetch("main")) == base);
    CHECK(must(mirror.files_holding(base, "tag", {".yaml"}, 1000)).size() == 2);
    const auto commit = must(mirror.commit(base, {{"apps/prod/app.yaml", "2\n"}}, kText));
    CHECK(mirror.push(commit, "p", std::nullopt));
}

TEST_CASE("mirror: what a crash leaves behind does not stand in the way") {
    Site site;
    {
        TestCall call(site.cache());
        must(must(site.open(call)).fetch("main"));
    }
    const auto mirror_path = site.cache() / "mirror-1.git";
    std::ofstream(mirror_path / "refs/heads/main.lock") << "x";
    std::ofstream(mirror_path / "objects/pack/pack_git2_abcdef") << "x";
    std::filesystem::create_directories(site.cache() / "making-mirror/objects");
    std::ofstream(site.cache() / "making-advertised") << "x";
    const auto moved = site.change("docs/readme.md", "changed\n");
    TestCall call(site.cache());
    auto mirror = must(site.open(call));
    CHECK(must(mirror.fetch("main")) == moved);
    CHECK_FALSE(std::filesystem::exists(mirror_path / "objects/pack/pack_git2_abcdef"));
    CHECK_FALSE(std::filesystem::exists(site.cache() / "making-mirror"));
}

TEST_CASE("mirror: a call leaves nothing in its scratch directory") {
    Site site;
    TestCall call(site.cache());
    {
        auto mirror = must(site.open(call));
        const auto base = must(mirror.fetch("main"));
        must(mirror.commit(base, {{"a", "b"}}, kText));
        CHECK_FALSE(std::filesystem::is_empty(call.scratch()));
    }
    CHECK(std::filesystem::is_empty(call.scratch()));
}
