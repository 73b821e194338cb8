// Azure's pull requests: what is asked, what its answers mean, and where they mislead.
#include "catch.hpp"
#include "plugin_azdo_fixture.hpp"

using namespace azure;

namespace {

void check_headers(const HttpAsked& asked) {
    CHECK(asked.header("Accept") == "application/json");
    CHECK(asked.header("X-TFS-FedAuthRedirect") == "Suppress");
    // base64 of ":" and the token
    CHECK(asked.header("Authorization") == "Basic OmF6cGF0N2NhbmFyeTAxMjM0NTY3ODk=");
    CHECK(asked.url.find(kToken) == std::string::npos);
    CHECK(asked.url.ends_with("api-version=7.1"));
    CHECK(asked.max_response_bytes == 8u << 20);
    CHECK(asked.ca_pem == "ca");
    CHECK(asked.proxy == "http://proxy.test:3128");
}

// The error of a listing that is answered so.
Error problem(HttpScripted answer) {
    Desk desk;
    desk.host.answer_http(std::move(answer));
    auto found = desk.find();
    REQUIRE_FALSE(found);
    CHECK(found.error().message.find("cannot list pull requests of My Team/fleet") == 0);
    CHECK(found.error().message.find(kToken) == std::string::npos);
    return found.error();
}

Error refused_create(HttpScripted answer) {
    Desk desk;
    desk.host.answer_http(std::move(answer));
    auto made = desk.create();
    REQUIRE_FALSE(made);
    return made.error();
}

std::int64_t seconds_of(const Error& error) {
    return error.retry_after
               ? std::chrono::duration_cast<std::chrono::seconds>(*error.retry_after).count()
               : -1;
}

const std::string kList =
    "?searchCriteria.status=active&searchCriteria.sourceRefName=refs%2Fheads%2F" + kHead +
    "&$top=100&$skip=";

}  // namespace

TEST_CASE("azdo: a listing asks for the branch's active pull request and then reads it whole") {
    Desk desk;
    desk.host.answer_http({.body = list({Pull{.description = R"("cut after 400 ch")"}.json()})});
    desk.host.answer_http({.body = Pull{.description = R"("the whole description")"}.json()});
    const auto found = desk.find();
    REQUIRE(found);
    REQUIRE(*found);
    CHECK((*found)->number == 7);
    CHECK((*found)->body == "the whole description");
    CHECK((*found)->head_sha == "0a1b");
    CHECK((*found)->url == "https://dev.azure.com/acme/My%20Team/_git/fleet/pullrequest/7");
    CHECK(desk.asked() == std::vector<std::string>{"GET ~" + kList + "0&api-version=7.1",
                                                   "GET ~/7?api-version=7.1"});
    for (const auto& asked : desk.host.requests()) check_headers(asked);
}

TEST_CASE("azdo: what was settled between the list and the look is not open") {
    Desk desk;
    desk.host.answer_http({.body = list({Pull().json()})});
    desk.host.answer_http({.body = Pull{.status = R"("completed")"}.json()});
    const auto found = desk.find();
    REQUIRE(found);
    CHECK_FALSE(*found);
}

TEST_CASE("azdo: a full page of others' is followed by the next, ten at most") {
    Desk desk;
    const std::string full = list(std::vector<std::string>(
        100, Pull{.more = R"(,"forkSource":{"name":"refs/heads/x"})"}.json()));
    desk.host.on_http([&](const HttpAsked&) { return HttpScripted{.body = full}; });
    const auto found = desk.find();
    REQUIRE(found);
    CHECK_FALSE(*found);
    const auto asked = desk.asked();
    CHECK(asked.size() == 10);
    CHECK(asked[1] == "GET ~" + kList + "100&api-version=7.1");
}

TEST_CASE("azdo: creating sends refs, text and draft as JSON") {
    Desk desk;
    desk.host.answer_http({.code = 201, .body = Pull().json()});
    const auto made = desk.create(true);
    REQUIRE(made);
    CHECK(made->number == 7);
    const auto asked = desk.host.requests().at(0);
    CHECK(asked.method == "POST");
    CHECK(asked.url == kPulls + "?api-version=7.1");
    CHECK(asked.header("Content-Type") == "application/json");
    CHECK(asked.body == R"({"description":"Body \"quoted\"","isDraft":true,"sourceRefName":)"
                        R"("refs/heads/)" +
                            kHead +
                            R"(","targetRefName":"refs/heads/main",)"
                            R"("title":"Title"})");
    check_headers(asked);
}

TEST_CASE("azdo: a text that Azure would refuse for its length is cut between characters") {
    std::string long_body = "metadata\n";
    for (int i = 0; i < 3000; ++i) long_body += "\xf0\x9f\x9a\x80";  // two UTF-16 units each
    const auto fit = azdo::fitted({std::string(500, 't'), long_body});
    CHECK(fit.title == std::string(397, 't') + "...");
    CHECK(fit.body.starts_with("metadata\n"));
    CHECK_THAT(fit.body, Catch::EndsWith("(cut: Azure DevOps takes 4000 characters)"));
    const auto rockets = (fit.body.size() - 9 - 43) / 4;
    CHECK(fit.body.size() == 9 + 43 + rockets * 4);
    CHECK(9 + 43 + rockets * 2 <= 4000);
    CHECK(9 + 43 + rockets * 2 >= 3998);
    CHECK(azdo::fitted({"T", std::string(4000, 'x')}).body == std::string(4000, 'x'));
}

TEST_CASE("azdo: updating changes title and description, and nothing that is there already") {
    Desk desk;
    PullRequest existing;
    existing.number = 7;
    existing.title = "Old";
    existing.body = "Text\r\n";
    const auto update = [&](const std::string& title) {
        return desk.ask<PullRequest>([&](auto& forge) {
            return forge.update(existing, {title, "Text"});
        });
    };
    REQUIRE(update("Old"));
    CHECK(desk.host.requests().empty());
    desk.host.answer_http({.body = Pull{.title = R"("New")", .description = R"("Text")"}.json()});
    REQUIRE(update("New"));
    CHECK(desk.asked() == std::vector<std::string>{
                              R"(PATCH ~/7?api-version=7.1 {"description":"Text","title":"New"})"});
    desk.host.answer_http({.body = Pull{.number = "8"}.json()});
    CHECK(update("New").error().kind == ErrorKind::Transient);
}

TEST_CASE("azdo: a change that is answered with 200 and not made is noticed") {
    Desk desk;
    PullRequest existing;
    existing.number = 7;
    existing.title = "T";
    existing.body = "B";
    desk.host.answer_http({.body = Pull().json()});
    const auto updated = desk.ask<PullRequest>([&](auto& forge) {
        return forge.update(existing, {"New", "B"});
    });
    REQUIRE_FALSE(updated);
    CHECK(updated.error().kind == ErrorKind::Transient);
    CHECK_THAT(updated.error().message, Catch::Contains("changed nothing"));
    desk.host.on_http([](const HttpAsked&) { return HttpScripted{.body = Pull().json()}; });
    const auto closed = desk.ask<void>([&](auto& forge) { return forge.close(existing); });
    REQUIRE_FALSE(closed);
    CHECK_THAT(closed.error().message, Catch::Contains("changed nothing"));
}

TEST_CASE("azdo: a pull request is abandoned, and one that is settled already is fine") {
    Desk desk;
    PullRequest existing;
    existing.number = 7;
    const auto close = [&] {
        return desk.ask<void>([&](auto& forge) { return forge.close(existing); });
    };
    desk.host.answer_http({.body = Pull{.status = R"("abandoned")"}.json()});
    REQUIRE(close());
    CHECK(desk.asked().at(0) == R"(PATCH ~/7?api-version=7.1 {"status":"abandoned"})");
    desk.host.answer_http(
        {.code = 400,
         .body = refusal("GitPullRequestNotEditableException", "TF401181: not editable")});
    desk.host.answer_http({.body = Pull{.status = R"("completed")"}.json()});
    CHECK(close());
    desk.host.answer_http({.code = 403, .body = refusal("X", "no")});
    desk.host.answer_http({.body = Pull().json()});
    CHECK(close().error().kind == ErrorKind::Unauthorized);
}

TEST_CASE("azdo: a look tells active, completed and abandoned apart; completion takes a while") {
    const auto look = [](const Pull& pull) {
        Desk desk;
        desk.host.answer_http({.body = pull.json()});
        const auto found = desk.look(7);
        REQUIRE(found);
        return **found;
    };
    CHECK(look({}).state == PullRequestState::Open);
    // Completion was asked for, and goes on.
    CHECK(look({.more = R"(,"completionQueueTime":"2026-11-21T05:00:00Z")"}).state ==
          PullRequestState::Open);
    const auto merged =
        look({.status = R"("completed")", .more = R"(,"lastMergeCommit":{"commitId":"0c2d"})"});
    CHECK(merged.state == PullRequestState::Merged);
    CHECK(merged.merge_commit_sha == "0c2d");
    CHECK(look({.status = R"("abandoned")"}).state == PullRequestState::Closed);
}

TEST_CASE("azdo: what keeps it from being completed is named") {
    const auto obstacle = [](const std::string& status, const std::string& more = {}) {
        auto json = Pull{.more = more}.json();
        json.replace(json.find("queued"), 6, status);
        Desk desk;
        desk.host.answer_http({.body = json});
        return (*desk.look(7))->obstacle;
    };
    for (const char* fine : {"notSet", "queued", "succeeded"}) CHECK(obstacle(fine).empty());
    CHECK(obstacle("conflicts") == "its branches conflict (mergeStatus conflicts)");
    CHECK_THAT(obstacle("rejectedByPolicy"), Catch::Contains("a branch policy rejects it"));
    CHECK(obstacle("failure", R"(,"mergeFailureMessage":"too\nlarge")") ==
          "the merge failed (mergeStatus failure: too large)");
}

TEST_CASE("azdo: a page to sign in is a refused token, whatever its status") {
    const std::pair<std::string, std::string> html{"Content-Type", "text/html; charset=utf-8"};
    for (const HttpScripted& answer :
         {HttpScripted{.code = 203, .headers = {html}, .body = "<html>Sign In</html>"},
          HttpScripted{.code = 203, .body = "<html>Sign In</html>"},
          HttpScripted{.code = 200, .headers = {html}, .body = "<html>Sign In</html>"},
          HttpScripted{.code = 302,
          .headers = {{"Location", "https://spsprodeus.vssps.visualstudio.com/_signin"}}}}) {
        const auto error = problem(answer);
        CHECK(error.kind == ErrorKind::Unauthorized);
        CHECK_THAT(error.message,
                   Catch::Contains("a page to sign in") && Catch::Contains("renew it"));
    }
}

TEST_CASE("azdo: where there is no JSON the reason is taken from its header") {
    const auto error = problem(
        {.code = 401, .headers = {{"X-TFS-ServiceError", "TF400813: The user is not authorized"}}});
    CHECK(error.kind == ErrorKind::Unauthorized);
    CHECK_THAT(error.message, Catch::Contains("TF400813") && Catch::Contains("renew it"));
}

TEST_CASE("azdo: refusals are told apart by typeKey, in whatever words and with whatever status") {
    const std::tuple<int, const char*, ErrorKind> table[] = {
        {409, "GitPullRequestExistsException", ErrorKind::Conflict},
        {400, "GitPullRequestExistsException", ErrorKind::Conflict},
        {400, "GitPullRequestCannotBeActivated", ErrorKind::Conflict},
        {400, "GitNeedsPermissionException", ErrorKind::Unauthorized},
        {400, "GitRepositoryNotFoundException", ErrorKind::NotFound},
        {400, "InvalidArgumentValueException", ErrorKind::Invalid},
        {400, "Unheard", ErrorKind::Invalid}};
    for (const auto& [code, key, kind] : table) {
        INFO(key);
        const auto error = refused_create({.code = code, .body = refusal(key, "Worte und Wörter")});
        CHECK(error.kind == kind);
        CHECK_THAT(error.message, Catch::Contains("Worte und W"));
    }
    // The number of another text, without its key, is no verdict.
    CHECK(refused_create({.code = 400, .body = refusal("Other", "TF401179: exists")}).kind ==
          ErrorKind::Invalid);
}

TEST_CASE("azdo: each status has the kind that says what to do") {
    const std::pair<int, ErrorKind> table[] = {
        {301, ErrorKind::Invalid},      {307, ErrorKind::Invalid},   {400, ErrorKind::Invalid},
        {401, ErrorKind::Unauthorized}, {404, ErrorKind::NotFound},  {403, ErrorKind::Unauthorized},
        {409, ErrorKind::Conflict},     {410, ErrorKind::NotFound},  {422, ErrorKind::Invalid},
        {429, ErrorKind::Throttled},    {500, ErrorKind::Transient}, {502, ErrorKind::Transient},
        {503, ErrorKind::Transient}};
    for (const auto& [code, kind] : table) {
        INFO(code);
        const auto error = problem({.code = code, .body = R"({"message":"Some words"})"});
        CHECK(error.kind == kind);
        CHECK_THAT(error.message, Catch::Contains("HTTP " + std::to_string(code) + ", Some words"));
    }
}

TEST_CASE("azdo: a server of another version is told by what to set") {
    const auto error =
        problem({.code = 400, .body = refusal("VssVersionOutOfRangeException", "7.1")});
    CHECK(error.kind == ErrorKind::Invalid);
    CHECK_THAT(error.message, Catch::Contains("set apiVersion"));
}

TEST_CASE("azdo: a limit is waited for as long as Azure says, within a second and an hour") {
    const auto pause = [](int code, const std::string& after) {
        std::vector<std::pair<std::string, std::string>> headers;
        if (!after.empty()) headers.emplace_back("Retry-After", after);
        return seconds_of(problem({.code = code,
                                   .headers = headers,
                                   .body = refusal("RequestBlockedException", "TF400733")}));
    };
    CHECK(pause(429, "17") == 17);
    CHECK(pause(429, "") == 60);
    CHECK(pause(429, "1000000000000") == 3600);
    CHECK(pause(429, "-1") == 1);
    CHECK(pause(429, "soon") == 60);
    CHECK(pause(429, "Thu, 01 Jan 1970 00:00:00 GMT") == 60);
    CHECK(pause(503, "5") == 5);
    CHECK(pause(503, "") == -1);
}

TEST_CASE("azdo: an answer that is no pull request is never taken for one") {
    const std::string whole = Pull().json();
    for (const std::string& body :
         {std::string(), std::string("<html>"), whole.substr(0, whole.size() / 2),
          whole.substr(0, whole.size() - 1), std::string("null"), std::string("[]"),
          std::string("{}"), std::string(200, '['), std::string("\xff\xfe")}) {
        INFO(body);
        const auto error = refused_create({.code = 201, .body = body});
        CHECK(error.kind == ErrorKind::Transient);
        CHECK_THAT(error.message, Catch::Contains("bad answer"));
    }
    for (const std::string& body : {std::string("[]"), std::string(R"({"value":null})"),
                                    std::string(R"({"value":[null]})"), "[" + whole + "]"}) {
        CHECK(problem({.body = body}).kind == ErrorKind::Transient);
    }
    const auto refused = [](const Pull& pull) {
        return refused_create({.code = 201, .body = pull.json()}).kind == ErrorKind::Transient;
    };
    for (const char* number :
         {"null", "\"7\"", "-7", "0", "true", "7.5", "1e400", "{}", "18446744073709551615"}) {
        INFO(number);
        CHECK(refused({.number = number}));
    }
    for (const char* status : {"null", "\"\"", "\"all\"", "true"})
        CHECK(refused({.status = status}));
    CHECK(refused({.head = R"("refs/heads/other")"}));
    CHECK(refused({.head = R"("refs/tags/x")"}));
    CHECK(refused({.repository = R"({"name":"other","project":{"name":"My Team"}})"}));
    CHECK(refused({.repository = R"({"name":"fleet","project":{"name":"Other"}})"}));
    CHECK(refused({.repository = "null"}));
    CHECK(refused({.more = R"(,"forkSource":{"name":"refs/heads/x"})"}));
}

TEST_CASE("azdo: a fork's pull request with our branch name is not adopted") {
    Desk desk;
    desk.host.answer_http(
        {.body =
             list({Pull{.number = "5", .more = R"(,"forkSource":{"name":"refs/heads/x"})"}.json(),
                   Pull{.number = "6", .head = R"("refs/heads/else")"}.json()})});
    const auto found = desk.find();
    REQUIRE(found);
    CHECK_FALSE(*found);
    CHECK(desk.asked().size() == 1);
}

TEST_CASE("azdo: no credential is in a message, though the other side repeats it") {
    const std::string basic = "OmF6cGF0N2NhbmFyeTAxMjM0NTY3ODk=";
    for (const int code : {301, 302, 401, 403, 400, 500}) {
        for (const std::string& secret : {kToken, basic}) {
            const auto error = refused_create(
                {.code = code,
                 .headers = {{"Location", secret}, {"X-TFS-ServiceError", secret}},
                 .body = R"({"message":")" + std::string(290, 'x') + secret + R"("})"});
            CHECK(error.message.find(secret.substr(0, 8)) == std::string::npos);
        }
    }
}
