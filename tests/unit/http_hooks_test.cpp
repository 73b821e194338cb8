// Forges' hooks: who is believed, and what is looked at because of them.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "http/auth.hpp"
#include "http/hooks.hpp"
#include "tests/unit/http_fixture.hpp"

using namespace http_test;

namespace {

const std::string kKey = "hook-key-0123456789";
const std::string kCommit(40, 'a');
const std::string kPull =
    R"({"action":"closed","pull_request":{"html_url":"https://github.com/acme/fleet/pull/7"}})";
const std::string kAzure =
    R"({"eventType":"git.pullrequest.updated","resource":{"pullRequestId":7,"repository":{)"
    R"("remoteUrl":"https://acme@dev.azure.com/acme/My%20Team/_git/fleet"}}})";

std::string hub_signature(const std::string& key, const std::string& body) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(), &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex += "0123456789abcdef"[mac[i] >> 4];
        hex += "0123456789abcdef"[mac[i] & 15];
    }
    return "sha256=" + hex;
}

std::string github(const std::string& body, const std::string& signature,
                   const std::string& event = "pull_request") {
    return post("/hooks/github", body,
                "X-GitHub-Event: " + event + "\r\nX-Hub-Signature-256: " + signature + "\r\n");
}

// "user:<password>" in base64, made by hand: any user name will do.
std::string azure(const std::string& body, const std::string& password) {
    const std::string pair = "hooks:" + password;
    std::string base64(4 * ((pair.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                     reinterpret_cast<const unsigned char*>(pair.data()),
                                     static_cast<int>(pair.size()));
    base64.resize(static_cast<std::size_t>(size));
    return post("/hooks/azure", body, "Authorization: Basic " + base64 + "\r\n");
}

struct Hooked {
    Folder folder;
    http::Options options;
    std::unique_ptr<Running> daemon;

    Hooked() {
        options.hooks.github = folder.write("github", kKey + "\n");
        options.hooks.azure = folder.write("azure", kKey + "\n");
        daemon = std::make_unique<Running>(options);
    }
    std::vector<FakeCore::Look> looks() {
        const std::lock_guard lock(daemon->core.mutex);
        return daemon->core.looks;
    }
};

}  // namespace

TEST_CASE("hooks: a signed hook of GitHub makes its pull request be looked at") {
    Hooked hooked;
    const Answer answer = hooked.daemon->ask(github(kPull, hub_signature(kKey, kPull)));
    CHECK(answer.status == 202);
    CHECK(hooked.looks() ==
          std::vector<FakeCore::Look>{{{"https://github.com/acme/fleet/pull/7"}, ""}});
}

TEST_CASE("hooks: checks and statuses concern whoever waits for their commit") {
    Hooked hooked;
    const auto send = [&](const std::string& event, const std::string& body) {
        CHECK(hooked.daemon->ask(github(body, hub_signature(kKey, body), event)).status == 202);
    };
    send("status", R"({"sha":")" + kCommit + R"("})");
    send("check_run", R"({"check_run":{"head_sha":")" + kCommit + R"("}})");
    send("check_suite", R"({"check_suite":{"head_sha":")" + kCommit + R"("}})");
    CHECK(hooked.looks() == std::vector<FakeCore::Look>(3, {{}, kCommit}));
}

TEST_CASE("hooks: what concerns no promotion is taken and comes to nothing") {
    Hooked hooked;
    for (const std::string body :
         {R"({"zen":"Keep it logically awesome."})", R"({"pull_request":null})",
          R"({"pull_request":[]})", R"({"sha":"not hex"})", R"({"sha":7})"}) {
        INFO(body);
        CHECK(hooked.daemon->ask(github(body, hub_signature(kKey, body), "status")).status == 202);
    }
    CHECK(hooked.looks().empty());
}

TEST_CASE(
    "hooks: unsigned, wrongly signed, changed and doubled are answered alike, and do nothing") {
    Hooked hooked;
    const std::string good = hub_signature(kKey, kPull);
    std::set<std::string> answers;
    for (const std::string& signature :
         {std::string(), std::string("sha256="), std::string("sha256=zz"), good + "00",
          hub_signature("another-key-9876543210", kPull), hub_signature(kKey, kPull + " "),
          "sha1=" + good.substr(7, 40), good + "\r\nX-Hub-Signature-256: " + good}) {
        const Answer answer = hooked.daemon->ask(github(kPull, signature));
        CHECK(answer.status == 401);
        answers.insert(answer.body.substr(0, answer.body.find("\"request_id\"")));
    }
    CHECK(hooked.daemon->ask(post("/hooks/github", kPull)).status == 401);
    CHECK(hooked.looks().empty());
    CHECK(answers.size() == 1);
}

TEST_CASE("hooks: without a key no hook is taken, not even one that is signed with nothing") {
    Running daemon;
    CHECK(daemon.ask(github(kPull, hub_signature("", kPull))).status == 401);
    CHECK(daemon.ask(azure(kAzure, "")).status == 401);
    CHECK(daemon.core.looks.empty());
}

TEST_CASE("hooks: Azure's hook is known by the password, and names the page of its pull request") {
    Hooked hooked;
    CHECK(hooked.daemon->ask(azure(kAzure, kKey)).status == 202);
    CHECK(hooked.looks() == std::vector<FakeCore::Look>{{{"/_git/fleet/pullrequest/7"}, ""}});
    CHECK(hooked.daemon->ask(azure(kAzure, kKey + "x")).status == 401);
    CHECK(hooked.daemon->ask(azure(kAzure, "")).status == 401);
    for (const char* garbage : {"", "!!!!", "====", "A===", "AAA", "AAAA", "Og==", "    "}) {
        const std::string header = std::string("Authorization: Basic ") + garbage + "\r\n";
        CHECK(hooked.daemon->ask(post("/hooks/azure", kAzure, header)).status == 401);
    }
    CHECK(hooked.daemon->ask(post("/hooks/azure", kAzure)).status == 401);
    CHECK(hooked.looks().size() == 1);
}

TEST_CASE("hooks: a known sender's body that is no JSON is refused with the reason") {
    Hooked hooked;
    for (const std::string body : {"", "{", "[]", "7"}) {
        const Answer answer = hooked.daemon->ask(github(body, hub_signature(kKey, body)));
        CHECK(answer.status == 400);
        CHECK_THAT(answer.body, Catch::Contains("no JSON object"));
        CHECK(hooked.daemon->ask(azure(body, kKey)).status == 400);
    }
}

TEST_CASE("hooks: a forge may send as many as it has to, who guesses the key may not") {
    http::Options options;
    const Folder folder;
    options.hooks.github = folder.write("github", kKey);
    options.rate_requests = 2;
    Running daemon(options);
    const std::string good = github(kPull, hub_signature(kKey, kPull));
    for (int i = 0; i < 30; ++i) REQUIRE(daemon.ask(good).status == 202);
    const std::string guessed = github(kPull, hub_signature("a-guess-of-the-key", kPull));
    for (int i = 0; i < 2; ++i) CHECK(daemon.ask(guessed).status == 401);
    CHECK(daemon.ask(guessed).status == 429);
}

TEST_CASE("hooks: what GitHub documents as a signature is one") {
    const auto signature = http::parse_signature(
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    REQUIRE(signature);
    CHECK(http::signed_with("It's a Secret to Everybody", *signature, "Hello, World!"));
    CHECK_FALSE(http::signed_with("It's a Secret to Everybody", *signature, "Hello, World?"));
}

TEST_CASE("hooks: a pull request that leaves the merge queue is known by the queue's branch") {
    const auto seen = [](const std::string& branch) {
        const std::string body = R"({"action":"destroyed","merge_group":{"head_ref":")" + branch +
                                 R"("},"repository":{"html_url":"https://forge/acme/fleet"}})";
        return http::read_github_hook("merge_group", body)->locations;
    };
    CHECK(seen("refs/heads/gh-readonly-queue/main/pr-7-" + kCommit) ==
          std::vector<std::string>{"https://forge/acme/fleet/pull/7"});
    CHECK(seen("refs/heads/gh-readonly-queue/a/pr-1/pr-12-" + kCommit) ==
          std::vector<std::string>{"https://forge/acme/fleet/pull/12"});
    for (const char* other : {"", "refs/heads/main", "refs/heads/x/pr-7", "refs/heads/x/pr-a-b",
                              "refs/heads/x/pr--b"}) {
        CHECK(seen(other).empty());
    }
}

TEST_CASE("hooks: Azure's pull request is known by each of its repository's addresses") {
    for (const char* address : {"https://fabrikam.visualstudio.com/DefaultCollection/_git/Fabrikam",
                                "https://dev.azure.com/fabrikam/Fabrikam/_git/Fabrikam",
                                "https://fabrikam@dev.azure.com/fabrikam/_git/Fabrikam"}) {
        const std::string body = R"({"resource":{"pullRequestId":1,"repository":{"remoteUrl":")" +
                                 std::string(address) + R"("}}})";
        CHECK(http::read_azure_hook(body)->locations ==
              std::vector<std::string>{"/_git/Fabrikam/pullrequest/1"});
    }
    for (const char* body :
         {"{}", R"({"resource":null})", R"({"resource":{"pullRequestId":"1"}})",
          R"({"resource":{"pullRequestId":1}})",
          R"({"resource":{"pullRequestId":1,"repository":{"remoteUrl":"x"}}})"}) {
        CHECK(http::read_azure_hook(body)->locations.empty());
    }
}

TEST_CASE("hooks: a new key is in force after a reload, a broken file leaves the old one") {
    Hooked hooked;
    const auto file = hooked.folder.write("github", "a-new-key-0123456789");
    REQUIRE(hooked.daemon->server->reload());
    CHECK(hooked.daemon->ask(github(kPull, hub_signature(kKey, kPull))).status == 401);
    const std::string good = github(kPull, hub_signature("a-new-key-0123456789", kPull));
    CHECK(hooked.daemon->ask(good).status == 202);
    hooked.folder.write("github", "short");
    const auto refused = hooked.daemon->server->reload();
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message,
               Catch::Contains("the key of server.hooks.github") && Catch::Contains(file.string()));
    CHECK(hooked.daemon->ask(good).status == 202);
}
