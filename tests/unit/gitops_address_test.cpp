#include <promotiond/gitops/mirror.hpp>

#include "catch.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

TEST_CASE("git address: https, ssh and the short form are taken") {
    for (const char* url : {"https://github.com/org/app.git", "https://git.example.com:8443/a/b",
                            "https://dev.azure.com/org/My%20Project/_git/app",
                            "https://[::1]:8443/app.git", "ssh://git@host.example/org/app.git",
                            "ssh://git@host.example:2222/~me/app", "git@github.com:org/app.git"}) {
        INFO(url);
        CHECK(check_repository_url(url));
    }
}

TEST_CASE("git address: what a shell, a log or git could trip over is refused with a reason") {
    for (const std::string url : {"ext::sh -c id",
                                  "ext::id",
                                  "file:///etc/passwd",
                                  "/etc/passwd",
                                  "../app",
                                  "ssh://-oProxyCommand=id/x",
                                  "ssh://host/-x",
                                  "ssh://git@-host/x",
                                  "http://github.com/org/app",
                                  "git://github.com/org/app",
                                  "https://user:token@github.com/org/app",
                                  "https://user@github.com/org/app",
                                  "ssh://git:pw@host/x",
                                  "https://github.com/org/app\n",
                                  "https://github.com/o\rg/app",
                                  "https://gith\xc3\xbc"
                                  "b.com/org/app",
                                  "https://[fe80::1%25eth0]/org/app",
                                  "git@host:-x",
                                  "git@-host:x",
                                  "https://github.com/a/../b",
                                  "https://github.com/a/%2e%2e/b",
                                  "https://github.com/a%0ab",
                                  "https://github.com/a?b=c",
                                  "https://github.com/a#b",
                                  "https://github.com/",
                                  "https://github.com",
                                  "https://host:0/a",
                                  "https://host:99999/a",
                                  "https://host:/a",
                                  "https://host/a b",
                                  "https://host/$(id)",
                                  "https://host/`id`",
                                  "https://host/a'b",
                                  "https://a..b/x",
                                  "",
                                  "git@host:"}) {
        INFO(url);
        const auto verdict = check_repository_url(url);
        REQUIRE_FALSE(verdict);
        CHECK(verdict.error().kind == ErrorKind::Invalid);
        CHECK(verdict.error().message.find("repository URL refused: ") == 0);
        CHECK(verdict.error().message.find("token") == std::string::npos);
    }
}

TEST_CASE("branch name: git's rules and a little stricter") {
    for (const char* name : {"main", "release/1.2", "promotion-ns-app-prod", "a.b_c-d", "v1"}) {
        INFO(name);
        CHECK(check_branch_name(name));
    }
    for (const std::string name : {"-x",       "--upload-pack=id",
                                   "a..b",     "x.lock",
                                   "a.lock/b", "@",
                                   "a@{1}",    "refs/heads/x",
                                   "HEAD",     "\xc3\xa9",
                                   "a b",      "a/",
                                   "/a",       "a//b",
                                   ".a",       "a/.b",
                                   "a.",       "$(id)",
                                   "a:b",      "a^",
                                   "a~1",      "a*",
                                   "a\nb",     ""}) {
        INFO(name);
        CHECK_FALSE(check_branch_name(name));
    }
    CHECK(check_branch_name(std::string(200, 'a')));
    CHECK_FALSE(check_branch_name(std::string(201, 'a')));
}
