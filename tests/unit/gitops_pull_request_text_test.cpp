#include "catch.hpp"
#include "promotiond/gitops/pull_request.hpp"

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;

namespace {
Promotion promotion() {
    Promotion p;
    p.id = "p-1";
    p.pipeline_namespace = "foo";
    p.pipeline_name = "bar";
    p.environment = "dev";
    p.revision = "1.2.3";
    p.event = "{}";
    return p;
}
}  // namespace

TEST_CASE("pull request text: title and metadata block are those that other tools search") {
    const auto text = pull_request_text(promotion(), {});
    CHECK(text.title == "Promote foo/bar in dev to 1.2.3");
    CHECK_THAT(text.body,
               Catch::StartsWith("<details>\n<summary>metadata</summary>\n!!! DO NOT EDIT !!!\n\n"
                                 "foo/bar/dev\n</details>\n"));
}

TEST_CASE("pull request text: what comes from events can neither mention, link nor command") {
    Promotion p = promotion();
    p.revision = "1\n/merge";
    p.actor = "@team";
    p.event =
        R"({"involvedObject":{"kind":"K","namespace":"n","name":"x"},"message":"`</details> #12 @all\n/close"})";
    const auto text = pull_request_text(p, {"a`b``c"});
    CHECK(text.title.find('\n') == std::string::npos);
    CHECK(text.body.find("@team") == std::string::npos);
    CHECK(text.body.find("@all") == std::string::npos);
    CHECK(text.body.find("#12") == std::string::npos);
    CHECK(text.body.find("\n/") == std::string::npos);
    CHECK_THAT(text.body, Catch::Contains("``` a`b``c ```"));
    Promotion plain = promotion();
    plain.revision = "main@sha1:0a1b";
    CHECK(pull_request_text(plain, {}).title == "Promote foo/bar in dev to main@sha1:0a1b");
}

TEST_CASE("pull request text: long lists and fields are cut") {
    Promotion p = promotion();
    const std::string revision(100'000, 'x');
    p.revision = revision;
    const auto text = pull_request_text(p, std::vector<std::string>(1000, revision));
    CHECK(text.title.size() < 300);
    CHECK(text.body.size() < 20'000);
    CHECK_THAT(text.body, Catch::Contains("and 970 more"));
}

TEST_CASE("pull request text: the branch is the known name, safe for git, and unique where cut") {
    Promotion p = promotion();
    CHECK(head_branch(p) == "promotion-foo-bar-dev");
    p.target = "prod";
    CHECK(head_branch(p) == "promotion-foo-bar-dev-prod");
    p.target = "cluster/prod";
    const auto slash = head_branch(p);
    CHECK_THAT(slash, Catch::StartsWith("promotion-foo-bar-dev-cluster-prod-"));
    p.target = "cluster prod";
    CHECK(head_branch(p) != slash);
    const std::vector<std::string> names{"a..b", "x.lock", "a~^:?*[\\", "-", std::string(400, 'n')};
    for (const std::string& name : names) {
        Promotion odd = promotion();
        odd.target = name;
        const auto branch = head_branch(odd);
        INFO(branch);
        CHECK(branch.size() <= 200);
        CHECK(branch.find("..") == std::string::npos);
        CHECK(branch.find_first_of("~^:?*[\\ ") == std::string::npos);
        CHECK_FALSE(branch.ends_with(".lock"));
    }
}

TEST_CASE("pull request text: markers name the environment, or the target in two spellings") {
    Promotion p = promotion();
    CHECK(marker_names(p) == std::vector<std::string>{"foo:bar:dev"});
    p.target = "prod";
    CHECK(marker_names(p) == std::vector<std::string>{"foo:bar:dev", "foo:bar:dev/prod"});
    p.target = "eu/prod";
    CHECK(marker_names(p) ==
          std::vector<std::string>{"foo:bar:dev", "foo:bar:dev/eu/prod", "foo:bar:dev/prod"});
}

TEST_CASE("pull request text: one repository is one lane per branch, however it is spelled") {
    const auto at = [](const std::string& url) {
        PullRequestConfig config;
        config.url = url;
        return lane(promotion(), config);
    };
    const auto expected = at("https://GitHub.com/o/r.git");
    CHECK(at("https://github.com/o/r") == expected);
    CHECK(at("https://github.com/o/r/") == expected);
    CHECK(at("ssh://git@github.com/o/r.git") == expected);
    CHECK(at("git@github.com:o/r.git") == expected);
    CHECK(at("https://github.com/o/other") != expected);
    CHECK(at("https://h/" + std::string(2000, 'x')).size() <= 500);
}
