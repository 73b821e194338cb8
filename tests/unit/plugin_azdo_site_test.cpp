// From the spellings of an Azure repository's address to the one place that they mean.
#include "catch.hpp"
#include "promotiond/gitops/mirror.hpp"
#include "site.hpp"

using namespace promotiond;
using azdo::site_of;

namespace {

struct Case {
    const char* url;
    const char* collection;
    const char* project;
    const char* repo;
    const char* git_url;
};

void check(const Case& c) {
    INFO(c.url);
    const auto site = site_of(c.url, "");
    REQUIRE(site);
    CHECK(site->collection == c.collection);
    CHECK(site->project == c.project);
    CHECK(site->repo == c.repo);
    CHECK(site->git_url == c.git_url);
    CHECK(sdk::gitops::check_repository_url(site->git_url));
}

constexpr auto kAcme = "https://dev.azure.com/acme";
constexpr auto kFleet = "https://dev.azure.com/acme/My%20Team/_git/fleet";

}  // namespace

TEST_CASE("azdo: the service's addresses over https are one repository") {
    for (const char* url : {"https://dev.azure.com/acme/My%20Team/_git/fleet",
                            "https://dev.azure.com/acme/My Team/_git/fleet",
                            "https://Dev.Azure.com/acme/My%20Team/_git/fleet/",
                            "https://dev.azure.com:443/acme/My%20Team/_git/fleet.git",
                            "https://acme@dev.azure.com/acme/My%20Team/_git/fleet",
                            "https://acme.visualstudio.com/My%20Team/_git/fleet",
                            "https://acme.visualstudio.com/DefaultCollection/My%20Team/_git/fleet",
                            "https://ACME.VisualStudio.com/defaultcollection/My Team/_git/fleet"}) {
        check({url, kAcme, "My Team", "fleet", kFleet});
    }
}

TEST_CASE("azdo: a repository named like its project may be written once") {
    for (const char* url :
         {"https://dev.azure.com/acme/_git/fleet", "https://dev.azure.com/acme/fleet/_git",
          "https://dev.azure.com/acme/fleet/_git/fleet", "https://acme.visualstudio.com/_git/fleet",
          "https://acme.visualstudio.com/DefaultCollection/_git/fleet"}) {
        check({url, kAcme, "fleet", "fleet", "https://dev.azure.com/acme/fleet/_git/fleet"});
    }
}

TEST_CASE("azdo: ssh addresses lead to the same API and stay as git needs them") {
    for (const Case& c :
         {Case{"git@ssh.dev.azure.com:v3/acme/My%20Team/fleet", kAcme, "My Team", "fleet",
               "git@ssh.dev.azure.com:v3/acme/My%20Team/fleet"},
          Case{"ssh://git@ssh.dev.azure.com/v3/acme/My%20Team/fleet", kAcme, "My Team", "fleet",
               "ssh://git@ssh.dev.azure.com/v3/acme/My%20Team/fleet"},
          Case{"ssh://dev.azure.com/acme/one/_git/two", kAcme, "one", "two",
               "ssh://dev.azure.com/acme/one/_git/two"},
          Case{"ssh://git@ssh.dev.azure.com:22/v3/acme/one/two", kAcme, "one", "two",
               "ssh://git@ssh.dev.azure.com:22/v3/acme/one/two"},
          Case{"acme@vs-ssh.visualstudio.com:v3/acme/My%20Team/fleet", kAcme, "My Team", "fleet",
               "acme@vs-ssh.visualstudio.com:v3/acme/My%20Team/fleet"},
          Case{"ssh://acme@vs-ssh.visualstudio.com:22/My%20Team/_ssh/fleet", kAcme, "My Team",
               "fleet", "ssh://acme@vs-ssh.visualstudio.com:22/My%20Team/_ssh/fleet"},
          Case{"ssh://acme@vs-ssh.visualstudio.com:22/DefaultCollection/_ssh/fleet", kAcme, "fleet",
               "fleet", "ssh://acme@vs-ssh.visualstudio.com:22/DefaultCollection/_ssh/fleet"},
          Case{"ssh://git@tfs.test:2222/tfs/Main/My%20Team/_git/fleet", "https://tfs.test/tfs/Main",
               "My Team", "fleet", "ssh://git@tfs.test:2222/tfs/Main/My%20Team/_git/fleet"}}) {
        check(c);
        CHECK(site_of(c.url, "")->ssh);
    }
}

TEST_CASE("azdo: a server's collection is what stands before the project") {
    for (const Case& c :
         {Case{"https://tfs.test/Main/My%20Team/_git/fleet", "https://tfs.test/Main", "My Team",
               "fleet", "https://tfs.test/Main/My%20Team/_git/fleet"},
          Case{"https://tfs.test:8443/tfs/Default%20Collection/team/_git/fleet",
               "https://tfs.test:8443/tfs/Default%20Collection", "team", "fleet",
               "https://tfs.test:8443/tfs/Default%20Collection/team/_git/fleet"},
          Case{"https://tfs.test/tfs/Main/_git/fleet", "https://tfs.test/tfs/Main", "fleet",
               "fleet", "https://tfs.test/tfs/Main/fleet/_git/fleet"},
          Case{"https://tfs.test/Main/_git/fleet", "https://tfs.test/Main", "fleet", "fleet",
               "https://tfs.test/Main/fleet/_git/fleet"},
          Case{"https://tfs.test/azure/Main/team/_git/fleet", "https://tfs.test/azure/Main", "team",
               "fleet", "https://tfs.test/azure/Main/team/_git/fleet"}}) {
        check(c);
    }
}

TEST_CASE("azdo: apiUrl says where the collection ends, and where the API is") {
    const auto site =
        site_of("https://tfs.test/azure/Main/_git/fleet", "https://tfs.test/azure/Main/");
    REQUIRE(site);
    CHECK(site->api() == "https://tfs.test/azure/Main/fleet/_apis/git/repositories/fleet");
    const auto elsewhere = site_of(kFleet, "https://proxy.test/acme");
    REQUIRE(elsewhere);
    CHECK(elsewhere->api() == "https://proxy.test/acme/My%20Team/_apis/git/repositories/fleet");
    CHECK(elsewhere->git_url == kFleet);
    CHECK(elsewhere->page_of(7) == std::string(kFleet) + "/pullrequest/7");
}

TEST_CASE("azdo: people are looked up where the service keeps them") {
    CHECK(site_of(kFleet, "")->identities == "https://vssps.dev.azure.com/acme");
    CHECK(site_of("https://tfs.test/Main/team/_git/fleet", "")->identities ==
          "https://tfs.test/Main");
}

TEST_CASE("azdo: what is no repository's address is refused") {
    for (const char* url : {"",
                            "https://dev.azure.com",
                            "https://dev.azure.com/",
                            "https://dev.azure.com/acme",
                            "https://dev.azure.com/acme/team",
                            "https://dev.azure.com/acme/_git",
                            "https://dev.azure.com/acme/team/_git/fleet/pullrequest/3",
                            "https://dev.azure.com/acme/a/b/_git/fleet",
                            "https://dev.azure.com/acme/team/_git/fleet?version=GBmain",
                            "https://dev.azure.com/acme/../_git/fleet",
                            "https://dev.azure.com/acme/%2e%2e/_git/x",
                            "https://dev.azure.com/acme/a%2Fb/_git/fleet",
                            "https://dev.azure.com/acme/%zz/_git/x",
                            "https://dev.azure.com/acme/a%00b/_git/x",
                            "https://dev.azure.com//_git/x",
                            "https://h ost/c/p/_git/x",
                            "https://h\\ost/c/p/_git/x",
                            "https://host:8x/c/p/_git/x",
                            "https://h\xC3\xA9/c/p/_git/x",
                            "git@ssh.dev.azure.com:v2/acme/team/fleet",
                            "git@ssh.dev.azure.com:v3/acme/fleet",
                            "ssh://vs-ssh.visualstudio.com/team/_ssh/fleet",
                            "https://tfs.test/_git/fleet",
                            "https://tfs.test/tfs/_git/fleet",
                            "https://github.com/acme/fleet",
                            "http://dev.azure.com/acme/team/_git/fleet",
                            "acme/team/_git/fleet"}) {
        INFO(url);
        const auto site = site_of(url, "");
        REQUIRE_FALSE(site);
        CHECK(site.error().kind == sdk::ErrorKind::Invalid);
    }
    for (const char* api : {"http://tfs.test/Main", "https://", "https://u:p@tfs.test/Main",
                            "https://tfs.test/a b", "tfs.test/Main", "https://tfs.test/M?x"}) {
        INFO(api);
        CHECK_FALSE(site_of(kFleet, api));
    }
}

TEST_CASE("azdo: a token in the address is refused and not repeated") {
    for (const char* url : {"https://s3cret@dev.azure.com/acme/team/_git/fleet",
                            "https://acme:s3cret@dev.azure.com/acme/team/_git/fleet",
                            "https://s3cret@acme.visualstudio.com/team/_git/fleet",
                            "https://s3cret@tfs.test/Main/team/_git/fleet"}) {
        INFO(url);
        const auto site = site_of(url, "");
        REQUIRE_FALSE(site);
        CHECK_THAT(site.error().message, Catch::Contains("put them into the secret"));
        CHECK(site.error().message.find("s3cret") == std::string::npos);
    }
}
