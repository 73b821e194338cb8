#include "catch.hpp"
#include "plugin_github_fixture.hpp"

using namespace hub;

namespace {

void check_headers(const HttpAsked& asked) {
    CHECK(asked.header("Accept") == "application/vnd.github+json");
    CHECK(asked.header("X-GitHub-Api-Version") == "2022-11-28");
    CHECK(asked.header("Authorization") == "Bearer " + kToken);
    CHECK(asked.url.find(kToken) == std::string::npos);
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
    CHECK(found.error().message.find("cannot list pull requests of acme/fleet") == 0);
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

std::string validation(const std::string& errors) {
    return R"({"message":"Validation Failed","errors":)" + errors +
           R"(,"documentation_url":"https://docs.github.com/rest","status":"422"})";
}

}  // namespace

TEST_CASE("github: a listing asks for the one open pull request of the branch") {
    Desk desk;
    desk.host.answer_http({.body = "[" + Pull().json() + "]"});
    const auto found = desk.find();
    REQUIRE(found);
    REQUIRE(*found);
    CHECK((*found)->number == 7);
    CHECK((*found)->node_id == "PR_7");
    CHECK((*found)->head_sha == "0a1b");
    const auto asked = desk.host.requests().at(0);
    CHECK(asked.method == "GET");
    CHECK(asked.url == "https://api.github.com/repos/acme/fleet/pulls?state=open&head=acme%3A" +
                           kHead + "&per_page=100");
    CHECK(asked.body.empty());
    CHECK(asked.header("Content-Type").empty());
    check_headers(asked);
}

TEST_CASE("github: creating sends title, branches, text and draft as JSON") {
    Desk desk;
    desk.host.answer_http({.code = 201, .headers = {{"ETag", "W/\"e1\""}}, .body = Pull().json()});
    const auto made = desk.create(true);
    REQUIRE(made);
    CHECK(made->number == 7);
    CHECK(made->url == "https://github.com/acme/fleet/pull/7");
    CHECK(made->etag == "W/\"e1\"");
    const auto asked = desk.host.requests().at(0);
    CHECK(asked.method == "POST");
    CHECK(asked.url == "https://api.github.com/repos/acme/fleet/pulls");
    CHECK(asked.header("Content-Type") == "application/json");
    CHECK(asked.body == R"({"base":"main","body":"Body \"quoted\"","draft":true,"head":")" + kHead +
                            R"(","title":"Title"})");
    check_headers(asked);
}

TEST_CASE("github: updating changes title and text of that number only") {
    Desk desk;
    desk.host.answer_http({.body = Pull().json()});
    PullRequest existing;
    existing.number = 7;
    const auto update = [&] {
        return desk.ask<PullRequest>([&](auto& forge) {
            return forge.update(existing, {"New", "Text"});
        });
    };
    REQUIRE(update());
    const auto asked = desk.host.requests().at(0);
    CHECK(asked.method == "PATCH");
    CHECK(asked.url == "https://api.github.com/repos/acme/fleet/pulls/7");
    CHECK(asked.body == R"({"body":"Text","title":"New"})");
    check_headers(asked);
    desk.host.answer_http({.body = Pull{.number = "8"}.json()});
    CHECK(update().error().kind == ErrorKind::Transient);
}

TEST_CASE("github: a look is conditional, and 304 is nothing new") {
    Desk desk;
    desk.host.answer_http({.headers = {{"ETag", "\"e2\""}}, .body = Pull().json()});
    const auto first = desk.look(7);
    REQUIRE(first);
    CHECK((*first)->etag == "\"e2\"");
    CHECK(desk.host.requests().at(0).header("If-None-Match").empty());
    desk.host.answer_http({.code = 304});
    const auto second = desk.look(7, (*first)->etag);
    REQUIRE(second);
    CHECK_FALSE(*second);
    const auto asked = desk.host.requests().at(1);
    CHECK(asked.url == "https://api.github.com/repos/acme/fleet/pulls/7");
    CHECK(asked.header("If-None-Match") == "\"e2\"");
    check_headers(asked);
}

TEST_CASE("github: a look tells open, merged and closed apart") {
    const auto state = [](const Pull& pull) {
        Desk desk;
        desk.host.answer_http({.body = pull.json()});
        const auto found = desk.look(7);
        REQUIRE(found);
        return (*found)->state;
    };
    CHECK(state({}) == PullRequestState::Open);
    CHECK(state({.state = R"("closed")"}) == PullRequestState::Closed);
    CHECK(state({.state = R"("closed")", .merged_at = R"("2026-11-21T05:00:00Z")"}) ==
          PullRequestState::Merged);
    CHECK(state({.state = R"("closed")", .more = R"(,"merged":true)"}) == PullRequestState::Merged);
}

TEST_CASE("github: each refusal has the kind that says what to do") {
    const std::string json = R"({"message":"Some words","documentation_url":"https://d"})";
    const std::pair<int, ErrorKind> table[] = {
        {301, ErrorKind::Invalid},      {307, ErrorKind::Invalid},      {400, ErrorKind::Invalid},
        {401, ErrorKind::Unauthorized}, {403, ErrorKind::Unauthorized}, {404, ErrorKind::NotFound},
        {409, ErrorKind::Conflict},     {410, ErrorKind::NotFound},     {422, ErrorKind::Invalid},
        {429, ErrorKind::Throttled},    {500, ErrorKind::Transient},    {502, ErrorKind::Transient},
        {503, ErrorKind::Transient}};
    for (const auto& [code, kind] : table) {
        INFO(code);
        const auto error = problem({.code = code, .body = json});
        CHECK(error.kind == kind);
        CHECK(error.message.find("HTTP " + std::to_string(code) + ", Some words") !=
              std::string::npos);
    }
}

TEST_CASE("github: what has no answer is tried again, unless we were told to stop") {
    for (const auto status : {PROMOTIOND_HTTP_TIMEOUT, PROMOTIOND_HTTP_BAD_ANSWER,
                              PROMOTIOND_HTTP_CONNECT, PROMOTIOND_HTTP_TLS}) {
        CHECK(problem({.status = status, .error = "cut"}).kind == ErrorKind::Transient);
    }
    CHECK(problem({.status = PROMOTIOND_HTTP_REFUSED, .error = "no"}).kind ==
          ErrorKind::Unauthorized);
    CHECK(problem({.status = PROMOTIOND_HTTP_CANCELLED, .error = "stop"}).kind ==
          ErrorKind::Cancelled);
}

TEST_CASE("github: a missing permission is told by name, a new place with its address") {
    const auto denied =
        problem({.code = 403,
                 .headers = {{"X-Accepted-GitHub-Permissions", "pull_requests=write"},
                             {"X-RateLimit-Remaining", "4999"}},
                 .body = R"({"message":"Resource not accessible by integration"})"});
    CHECK(denied.kind == ErrorKind::Unauthorized);
    CHECK_THAT(denied.message, Catch::Contains("pull_requests=write"));
    const auto moved = problem(
        {.code = 301, .headers = {{"Location", "https://api.github.com/repositories/1/pulls"}}});
    CHECK_THAT(moved.message, Catch::Contains("https://api.github.com/repositories/1/pulls") &&
                                  Catch::Contains("change the Pipeline's url"));
}

TEST_CASE("github: a limit is waited for as long as GitHub says, within a second and an hour") {
    const std::string secondary =
        R"({"message":"You have exceeded a secondary rate limit. Please wait."})";
    const auto pause = [&](int code, std::vector<std::pair<std::string, std::string>> headers) {
        const auto error =
            problem({.code = code, .headers = std::move(headers), .body = secondary});
        CHECK(error.kind == ErrorKind::Throttled);
        return seconds_of(error);
    };
    CHECK(pause(403, {}) == 60);
    CHECK(pause(403, {{"Retry-After", "17"}}) == 17);
    CHECK(pause(429, {{"Retry-After", "17"}}) == 17);
    CHECK(pause(429, {}) == 60);
    CHECK(pause(429, {{"Retry-After", "1000000000000"}}) == 3600);
    CHECK(pause(429, {{"Retry-After", "99999999999999999999999"}}) == 60);
    CHECK(pause(429, {{"Retry-After", "-1"}}) == 1);
    CHECK(pause(429, {{"Retry-After", "0"}}) == 1);
    CHECK(pause(429, {{"Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"}}) == 60);
    CHECK(pause(429, {{"Retry-After", "soon"}}) == 60);
    // FakeHost's clock stands at 1700000000.
    const auto reset = [&](const std::string& at) {
        return pause(403, {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", at}});
    };
    CHECK(reset("1700000090") == 90);
    CHECK(reset("1699999999") == 1);
    CHECK(reset("9223372036854775807") == 3600);
    CHECK(reset("-9223372036854775808") == 1);
    CHECK(reset("never") == 60);
    const auto busy = problem({.code = 503, .headers = {{"Retry-After", "5"}}, .body = "{}"});
    CHECK(busy.kind == ErrorKind::Transient);
    CHECK(seconds_of(busy) == 5);
}

TEST_CASE("github: a limit by its older name is a limit too") {
    CHECK(problem({.code = 403,
                   .body = R"({"message":"You have triggered an abuse detection mechanism."})"})
              .kind == ErrorKind::Throttled);
}

TEST_CASE("github: what is wrong with a new pull request decides whether to look again") {
    const auto create = [](const std::string& errors) {
        return refused_create({.code = 422, .body = validation(errors)});
    };
    const auto exists = create(
        R"([{"resource":"PullRequest","code":"custom","message":"A pull request already exists for acme:x."}])");
    CHECK(exists.kind == ErrorKind::Conflict);
    const auto nothing = create(
        R"([{"resource":"PullRequest","code":"custom","message":"No commits between main and x"}])");
    CHECK(nothing.kind == ErrorKind::Invalid);
    CHECK_THAT(nothing.message, Catch::Contains("No commits between main and x"));
    const auto field = create(R"([{"resource":"PullRequest","field":"base","code":"invalid"}])");
    CHECK_THAT(field.message, Catch::Contains("base invalid"));
    CHECK(field.kind == ErrorKind::Invalid);
    const auto gone = create(R"([{"resource":"PullRequest","field":"head","code":"invalid"}])");
    CHECK(gone.kind == ErrorKind::Conflict);
    CHECK_THAT(create(R"(["Could not resolve to a node"])").message,
               Catch::Contains("Could not resolve to a node"));
    CHECK_THAT(create(R"("Reviews may only be requested from collaborators")").message,
               Catch::Contains("Reviews may only be requested from collaborators"));
}

TEST_CASE("github: an answer with 2xx that is no pull request is never taken for one") {
    const std::string whole = Pull().json();
    for (const std::string& body :
         {std::string(), std::string("<html>signed in elsewhere</html>"),
          whole.substr(0, whole.size() / 2), whole.substr(0, whole.size() - 1), std::string("null"),
          std::string("7"), std::string("[]"), std::string("{}"), std::string(200, '['),
          std::string("\xff\xfe")}) {
        INFO(body);
        const auto error = refused_create({.code = 201, .body = body});
        CHECK(error.kind == ErrorKind::Transient);
        CHECK_THAT(error.message, Catch::Contains("bad answer"));
    }
    CHECK(problem({.body = "<html></html>"}).kind == ErrorKind::Transient);
    CHECK(problem({.body = "{}"}).kind == ErrorKind::Transient);
    CHECK(problem({.body = "[" + whole}).kind == ErrorKind::Transient);
    CHECK(problem({.body = "[null]"}).kind == ErrorKind::Transient);
    CHECK(problem({.code = 304}).kind == ErrorKind::Transient);
}

TEST_CASE("github: a pull request without a sound number, address or state is a bad answer") {
    const auto refused = [](const Pull& pull) {
        const auto error = refused_create({.code = 201, .body = pull.json()});
        return error.kind == ErrorKind::Transient &&
               error.message.find("bad answer") != std::string::npos;
    };
    for (const char* number : {"null", "\"7\"", "-7", "0", "true", "7.5", "1e400", "{}",
                               "18446744073709551615", "99999999999999999999999999"}) {
        INFO(number);
        CHECK(refused({.number = number}));
    }
    for (const char* url :
         {"null", "7", "\"\"", "\"javascript:alert(1)\"", "\"http://github.com/acme/fleet/pull/7\"",
          "\"https://github.com.evil.test/p\"", "\"https://evil.test/github.com/\"",
          "\"https://github.com:x@evil.test/p\"", "\"https://github.com@evil.test/p\"",
          "\"https://github.com/\\n\"", "\"https://github.com\\\\@evil.test/\"",
          "\"//github.com/p\""}) {
        INFO(url);
        CHECK(refused({.html_url = url}));
    }
    for (const char* state : {"null", "\"\"", "\"OPEN\"", "true"}) {
        INFO(state);
        CHECK(refused({.state = state}));
    }
    CHECK(refused({.base_repo = R"({"full_name":"acme/other"})"}));
    CHECK(refused({.base_repo = "null"}));
    CHECK(refused({.head_ref = R"("other")"}));
    CHECK(refused({.head_repo = R"({"full_name":"mallory/fleet"})"}));
}

TEST_CASE("github: a look at one number never answers for another") {
    Desk desk;
    desk.host.answer_http({.body = Pull{.number = "8"}.json()});
    CHECK(desk.look(7).error().kind == ErrorKind::Transient);
}

TEST_CASE("github: a fork's pull request with our branch name is not adopted") {
    for (const char* repo : {R"({"full_name":"mallory/fleet"})", "null", "{}"}) {
        Desk desk;
        desk.host.answer_http({.body = "[" + Pull{.head_repo = repo}.json() + "]"});
        const auto found = desk.find();
        REQUIRE(found);
        CHECK_FALSE(*found);
    }
    Desk desk;
    desk.host.answer_http(
        {.body = "[" + Pull{.number = "6", .head_repo = R"({"full_name":"mallory/fleet"})"}.json() +
                 "," + Pull{.number = "5", .head_ref = R"("else")"}.json() + "," +
                 Pull{.number = "4", .state = R"("closed")"}.json() + "," + Pull().json() + "]"});
    const auto found = desk.find();
    REQUIRE(found);
    REQUIRE(*found);
    CHECK((*found)->number == 7);
}

TEST_CASE("github: a listing is one page, whatever the answer says of more") {
    Desk desk;
    std::string page = "[";
    for (int i = 0; i < 100; ++i) page += Pull{.head_ref = R"("else")"}.json() + ",";
    page.back() = ']';
    desk.host.on_http([&](const HttpAsked& asked) {
        return HttpScripted{.headers = {{"Link", "<" + asked.url + "&page=2>; rel=\"next\""}},
                            .body = page};
    });
    const auto found = desk.find();
    REQUIRE(found);
    CHECK_FALSE(*found);
    CHECK(desk.host.requests().size() == 1);
}

TEST_CASE("github: the token is in no message, though the other side repeats it") {
    for (const std::string& body :
         {R"({"message":"bad token )" + kToken + R"(!"})",
          R"({"message":"x","errors":[{"message":")" + kToken + R"("},")" + kToken + R"("]})",
          R"({"message":")" + std::string(295, 'x') + kToken + R"("})"}) {
        for (const int code : {401, 403, 422, 500}) {
            const auto error = refused_create(
                {.code = code,
                 .headers = {{"X-Accepted-GitHub-Permissions", kToken}, {"Location", kToken}},
                 .body = body});
            CHECK(error.message.find(kToken.substr(0, 8)) == std::string::npos);
        }
    }
    // Nor a part of it where a long text is cut.
    std::string many;
    for (int i = 0; i < 100; ++i) many += kToken + " ";
    for (std::size_t pad = 0; pad < kToken.size(); ++pad) {
        const auto error = refused_create(
            {.code = 422, .body = R"({"message":")" + std::string(pad, '.') + many + R"("})"});
        CHECK(error.message.find(kToken.substr(0, 4)) == std::string::npos);
    }
}

TEST_CASE("github: a token of one star ends no worse than another") {
    Desk desk;
    desk.token = "*";
    desk.host.answer_http({.code = 401, .body = R"({"message":"no *"})"});
    CHECK(desk.find().error().kind == ErrorKind::Unauthorized);
}

TEST_CASE("github: words of the other side are one short line without control characters") {
    const auto error = refused_create(
        {.code = 500, .body = "{\"message\":\"a\\u001b[2Jb\\nc" + std::string(5000, 'd') + "\"}"});
    CHECK(error.message.size() < 500);
    for (const unsigned char c : error.message) CHECK((c >= 0x20 && c < 0x7F));
}
