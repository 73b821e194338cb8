// /api/v1, who may use it, and health.
#include <filesystem>
#include <fstream>

#include "http/auth.hpp"
#include "http/routes.hpp"
#include "tests/unit/http_fixture.hpp"

using namespace http_test;
namespace fs = std::filesystem;

namespace {

const std::string kReader = "reader-token-0123456789";
const std::string kOperator = "operator-token-0123456789";

http::Options with_tokens(const Folder& folder) {
    http::Options options;
    options.tokens = {{"ann", http::AccessScope::Read, folder.write("read", kReader + "\r\n")},
                      {"bob", http::AccessScope::Operate, folder.write("operate", kOperator)}};
    return options;
}

std::string bearer(const std::string& token) { return "Authorization: Bearer " + token + "\r\n"; }

// A path that a route's pattern matches.
std::string sample_of(std::string_view pattern) {
    std::string path;
    bool inside = false;
    for (const char c : pattern) {
        if (c == '{') path += "x";
        inside = c == '{' || (inside && c != '}');
        if (!inside && c != '}') path.push_back(c);
    }
    return path;
}

std::string request_for(const http::Route& route, const std::string& headers) {
    const std::string path = sample_of(route.pattern);
    return route.method == "GET" ? get(path, headers) : post(path, R"({"revision":"1"})", headers);
}

}  // namespace

TEST_CASE("http: every route asks for what the table says, of everybody") {
    Folder folder;
    Running daemon(with_tokens(folder));
    for (const http::Route& route : http::routes()) {
        INFO(route.method << " " << route.pattern);
        const auto status = [&](const std::string& headers) {
            return daemon.ask(request_for(route, headers)).status;
        };
        const auto passes = [&](const std::string& headers) {
            const unsigned got = status(headers);
            return got != 401 && got != 403;
        };
        switch (route.access) {
            case http::Access::Public: CHECK(passes("")); break;
            case http::Access::Signature: CHECK(status("") == 401); break;
            case http::Access::Hook: CHECK_FALSE(passes("")); break;
            case http::Access::Read:
                CHECK(status("") == 401);
                CHECK(status(bearer("another-token-0123456789")) == 401);
                CHECK(status("Authorization: Basic " + kReader + "\r\n") == 401);
                CHECK(status(bearer(kReader) + bearer(kReader)) == 401);
                CHECK(passes(bearer(kReader)));
                CHECK(passes(bearer(kOperator)));
                break;
            case http::Access::Operate:
                CHECK(status("") == 401);
                CHECK(status(bearer(kReader)) == 403);
                CHECK(passes(bearer(kOperator)));
                break;
        }
        const bool api = route.pattern.starts_with("/api/");
        const bool document = route.action == http::Action::ShowOpenApi;
        CHECK(api == (route.access == http::Access::Read || route.access == http::Access::Operate ||
                      (document && api)));
        if (route.method == "POST") {
            CHECK(route.access != http::Access::Read);
            CHECK(route.access != http::Access::Public);
        }
    }
    CHECK(http::routes().size() == 22);
}

TEST_CASE("http: without tokens the API answers this machine only, and nobody through it") {
    Running daemon;
    CHECK(daemon.ask(get("/api/v1/pipelines")).status == 200);
    CHECK(daemon.ask(get("/api/v1/pipelines", "X-Forwarded-For: 127.0.0.1\r\n")).status == 403);
    CHECK(daemon.ask(get("/api/v1/pipelines", "X-Real-IP: 127.0.0.1\r\n")).status == 403);
    CHECK(daemon.ask(get("/api/v1/pipelines", "Origin: https://evil.example\r\n")).status == 403);
    CHECK(daemon.ask("GET /api/v1/pipelines HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 403);
    CHECK(daemon.ask("GET /api/v1/pipelines HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n").status == 200);
}

TEST_CASE("http: the actor of a command is the token's name") {
    Folder folder;
    Running daemon(with_tokens(folder));
    CHECK(daemon.ask(post("/api/v1/promotions/p-1/retry", "", bearer(kOperator))).status == 200);
    CHECK(daemon.core.last_actor == "operator:bob");
    CHECK(daemon.ask(post("/approval/default/app/prod/5.0.0", "", bearer(kOperator))).status ==
          202);
    CHECK(daemon.ask(post("/approval/default/app/prod/5.0.0", "", bearer(kReader))).status == 403);
    REQUIRE(daemon.core.approvals.size() == 1);
    CHECK(daemon.core.approvals[0].second.actor == "operator:bob");
}

TEST_CASE("http: token files are checked, read anew, and the old stay on error") {
    Folder folder;
    const auto load = [](const fs::path& file) {
        return http::Tokens::load({{"x", http::AccessScope::Read, file}});
    };
    for (const auto& text : {std::string(), std::string("x"), std::string("\r\n"),
                             std::string("two words are not one token"), std::string(5000, 'a')}) {
        const auto loaded = load(folder.write("bad", text));
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().kind == ErrorKind::Invalid);
        CHECK(loaded.error().message.find("bad") != std::string::npos);
    }
    CHECK_FALSE(load(folder.path()));
    CHECK_FALSE(load(folder.path() / "absent"));
    fs::create_symlink(folder.write("good", kReader + "\r\n"), folder.path() / "link");
    CHECK(load(folder.path() / "link"));

    Running daemon(with_tokens(folder));
    folder.write("read", "");
    CHECK_FALSE(daemon.server->reload());
    CHECK(daemon.ask(get("/api/v1/version", bearer(kReader))).status == 200);
    folder.write("read", "another-reader-0123456789");
    CHECK(daemon.server->reload());
    CHECK(daemon.ask(get("/api/v1/version", bearer(kReader))).status == 401);
    CHECK(daemon.ask(get("/api/v1/version", bearer("another-reader-0123456789"))).status == 200);
}

TEST_CASE("http: the API shows pipelines, promotions and reasons") {
    Running daemon;
    const Answer list = daemon.ask(get("/api/v1/pipelines"));
    CHECK(list.status == 200);
    CHECK(list.header("Content-Type") == "application/json");
    CHECK(list.body.find(R"({"pipelines":[{"namespace":"default","name":"app","app":{)") == 0);
    const Answer one = daemon.ask(get("/api/v1/pipelines/default/app"));
    CHECK(one.body.find(R"("headline":"waits for dev")") != std::string::npos);
    CHECK(daemon.ask(get("/api/v1/pipelines/default/none")).status == 404);
    CHECK(daemon.ask(get("/api/v1/pipelines/default/app/why")).body.find("no-evidence") !=
          std::string::npos);
    const Answer shown = daemon.ask(get("/api/v1/promotions/p-1"));
    CHECK(shown.body.find(R"("history":[{"to":"Queued","reason":"due")") != std::string::npos);
    CHECK(daemon.ask(get("/api/v1/promotions/p-2")).status == 404);
    CHECK(daemon.ask(get("/api/v1/strategies")).body == R"({"strategies":[],"refused":[]})");
    CHECK(daemon.ask(get("/api/v1/events?pipeline=default/app")).body == R"({"events":[]})");
    CHECK(daemon.ask(get("/api/v1/events")).status == 400);
    CHECK(daemon.ask(get("/api/v1/version")).body.find("promotiond") != std::string::npos);
}

TEST_CASE("http: filters of promotions are read, and unknown ones refused") {
    Running daemon;
    CHECK(daemon
              .ask(get("/api/v1/promotions?pipeline=default%2Fapp&environment=prod&phase=Pending&"
                       "unfinished=true&limit=7&after=17"))
              .status == 200);
    const auto& filter = daemon.core.last_filter;
    CHECK(filter.pipeline->text() == "default/app");
    CHECK(filter.environment == "prod");
    CHECK(filter.phase == model::Phase::Pending);
    CHECK(filter.unfinished_only);
    CHECK(filter.limit == 7);
    CHECK(filter.after == "17");
}

TEST_CASE("http: a list tells which parameter it cannot take instead of giving an empty page") {
    Running daemon;
    const std::vector<std::pair<std::string, std::string>> rows{
        {"promotions?limit=0", "limit="},
        {"promotions?limit=1001", "limit="},
        {"promotions?limit=-1", "limit="},
        {"promotions?limit=x", "limit="},
        {"promotions?limit=", "limit="},
        {"promotions?limit=5&limit=6", "'limit'"},
        {"promotions?after=abc", "after="},
        {"promotions?after=", "after="},
        {"promotions?after=0", "after="},
        {"promotions?after=99999999999999999999", "after="},
        {"promotions?after=17x", "after="},
        {"promotions?phase=Done", "phase="},
        {"promotions?unfinished=maybe", "unfinished="},
        {"promotions?environment=", "environment="},
        {"promotions?colour=red", "'colour'"},
        {"promotions?pipeline=app", "pipeline="},
        {"promotions?pipeline=a/b/c", "pipeline="},
        {"events?pipeline=default/app&limit=0", "limit="},
        {"events?pipeline=default/app&after=17", "'after'"},
        {"events?pipeline=app", "pipeline="},
        {"events", "?pipeline="},
        {"pipelines?limit=5", "'limit'"},
        {"pipelines/default/app?x=1", "'x'"},
        {"strategies?x", "'x'"},
    };
    for (const auto& [address, named] : rows) {
        INFO(address);
        const Answer answer = daemon.ask(get("/api/v1/" + address));
        CHECK(answer.status == 400);
        CHECK(answer.header("Content-Type") == "application/problem+json");
        CHECK(answer.body.find(named) != std::string::npos);
    }
    CHECK(daemon.ask(get("/api/v1/promotions?unfinished=false")).status == 200);
}

TEST_CASE("http: addresses that lead nowhere are problems, and known ones say what they take") {
    Running daemon;
    for (const char* path : {"/nothing", "/api", "/api/v1", "/api/v2/pipelines", "/metrics",
                             "/api/v1/promotions/p-1/burn", "/favicon.ico"}) {
        INFO(path);
        const Answer answer = daemon.ask(get(path));
        CHECK(answer.status == 404);
        CHECK(answer.header("Content-Type") == "application/problem+json");
        CHECK(answer.body.find(R"("request_id")") != std::string::npos);
    }
    const std::vector<std::pair<std::string, std::string>> takes{
        {"/api/v1/promotions", "GET"},
        {"/api/v1/promotions/p-1/retry", "POST"},
        {"/api/v1/pipelines/default/app/environments/prod/approve", "POST"},
        {"/openapi.yaml", "GET"},
        {"/approval/default/app/prod/5.0.0", "POST"}};
    for (const auto& [path, allowed] : takes) {
        INFO(path);
        const Answer answer = daemon.ask("DELETE " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        CHECK(answer.status == 405);
        CHECK(answer.header("Allow").find(allowed) != std::string::npos);
        CHECK(answer.header("Content-Type") == "application/problem+json");
    }
}

TEST_CASE("http: approving and planning take a revision, strictly") {
    Running daemon;
    const std::string at = "/api/v1/pipelines/default/app/environments/prod/";
    const Answer approved = daemon.ask(post(at + "approve", R"({"revision":"1","target":"t"})"));
    CHECK(approved.status == 202);
    CHECK(approved.header("Location") == "/api/v1/promotions/p-1");
    REQUIRE(daemon.core.approvals.size() == 1);
    CHECK(daemon.core.approvals[0].second.target == "t");
    CHECK(daemon.core.approvals[0].second.actor == "operator:local");
    CHECK(daemon.ask(post(at + "plan", R"({"revision":"1"})")).body ==
          R"({"outcome":"done","summary":"would carry 1"})");
    for (const char* bad : {"", "{}", "[]", "no", R"({"revision":""})", R"({"revision":1})",
                            R"({"revision":"1","x":"2"})", R"({"revision":"a\u0000b"})"}) {
        INFO(bad);
        CHECK(daemon.ask(post(at + "approve", bad)).status == 400);
    }
    CHECK(daemon.core.approvals.size() == 1);
}

TEST_CASE("http: who has the newest state already is told so") {
    Running daemon;
    const Answer first = daemon.ask(get("/api/v1/pipelines"));
    const std::string tag = first.header("ETag");
    REQUIRE_FALSE(tag.empty());
    const Answer again = daemon.ask(get("/api/v1/pipelines", "If-None-Match: " + tag + "\r\n"));
    CHECK(again.status == 304);
    CHECK(again.body.empty());
    daemon.use(pipeline("other"));
    auto changed = pipeline("other");
    changed.environments.pop_back();
    daemon.use(changed);
    CHECK(daemon.ask(get("/api/v1/pipelines", "If-None-Match: " + tag + "\r\n")).status == 200);
}

TEST_CASE("http: health says alive, ready and why not, and nothing else") {
    Running daemon;
    CHECK(daemon.health("/livez").status == 200);
    CHECK(daemon.health("/readyz").status == 200);
    CHECK(daemon.health("/healthz").status == 200);
    CHECK(daemon.health("/api/v1/pipelines").status == 404);
    daemon.core.is_ready = false;
    CHECK(daemon.health("/livez").status == 200);
    CHECK(daemon.health("/readyz").status == 503);
    CHECK(daemon.health("/readyz?verbose").body ==
          "[+] not draining\n[-] core: the journal takes no writes\nnot ready\n");
    CHECK(Client(daemon.server->health_address()).ask(post("/livez", "x")).status != 200);
    const Answer metrics = daemon.health("/metrics");
    CHECK(metrics.status == 200);
    CHECK(metrics.body.find("promotiond_http_connections") != std::string::npos);
    CHECK(daemon.ask(get("/livez")).status == 404);
}

TEST_CASE("http: a part that is not ready is 503 on /readyz, one that is degraded is named") {
    Running daemon;
    daemon.readiness.ready("status");
    daemon.readiness.degraded("events", "cannot create events: grant it");
    const Answer degraded = daemon.health("/readyz?verbose");
    CHECK(degraded.status == 200);
    CHECK(degraded.body.find("[+] status\n") != std::string::npos);
    CHECK(degraded.body.find("[!] events: degraded: cannot create events") != std::string::npos);
    daemon.readiness.not_ready("pipelines", "they have not been read yet");
    const Answer unready = daemon.health("/readyz?verbose");
    CHECK(unready.status == 503);
    CHECK(unready.body.find("[-] pipelines: they have not been read yet") != std::string::npos);
    CHECK(daemon.health("/livez").status == 200);
    daemon.readiness.forget("pipelines");
    CHECK(daemon.health("/readyz").status == 200);
}

TEST_CASE("http: before all Pipelines are read an unknown one is 503, a known one is served") {
    Running daemon;
    daemon.readiness.not_ready("pipelines", "they have not been read yet");
    const Answer early = daemon.ask(post("/promotion/default/other/dev", kEvent));
    CHECK(early.status == 503);
    CHECK_FALSE(early.header("Retry-After").empty());
    CHECK(daemon.ask(post("/approval/default/other/prod/5.0.0", "")).status == 503);
    CHECK(daemon.ask(signed_event()).status == 202);
    daemon.readiness.ready("pipelines");
    CHECK(daemon.ask(post("/promotion/default/other/dev", kEvent)).status == 401);
}
