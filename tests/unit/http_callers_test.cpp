// Callers whom only the platform knows: who they are, and what they may.
#include <set>

#include "http/routes.hpp"
#include "tests/unit/http_fixture.hpp"

using namespace http_test;
using platform::Caller;
using platform::Verb;

namespace {

class FakeCallers final : public platform::Callers {
public:
    bool remembers(std::string_view token) const override { return remembered == token; }
    Result<std::optional<Caller>> who(std::string_view token, const std::stop_token&) override {
        ++asked;
        if (down) return Error{ErrorKind::Transient, "10.0.0.1:443 does not answer"};
        if (!token.starts_with("token-of-")) return std::optional<Caller>();
        const std::string name(token.substr(9));
        return std::optional<Caller>(Caller{name, name});
    }
    Result<bool> may(const Caller& caller, Verb verb, const model::PipelineName& pipelines,
                     const std::stop_token&) override {
        if (forgetful) return Error{ErrorKind::Transient, "10.0.0.1:443 does not answer"};
        const std::string word = verb == Verb::Get    ? "get "
                                 : verb == Verb::List ? "list "
                                                      : "approve ";
        return rights.contains(caller.name + " " + word + pipelines.text());
    }
    std::set<std::string> rights;
    std::string remembered;
    std::atomic<int> asked{0};
    bool down = false;
    bool forgetful = false;
};

std::string bearer(const std::string& name) {
    return "Authorization: Bearer token-of-" + name + "\r\n";
}

std::string request_for(const http::Route& route, const std::string& headers) {
    std::string path(route.pattern);
    const std::vector<std::pair<std::string, std::string>> values{{"{ns}", "default"},
                                                                  {"{name}", "app"},
                                                                  {"{environment}", "prod"},
                                                                  {"{revision...}", "5.0.0"},
                                                                  {"{id}", "p-1"}};
    for (const auto& [name, value] : values) {
        const auto at = path.find(name);
        if (at != std::string::npos) path.replace(at, name.size(), value);
    }
    if (route.action == http::Action::ListEvents) path += "?pipeline=default/app";
    if (route.method == "GET") return get(path, headers);
    if (route.action == http::Action::Release)
        return post(path, R"({"group":"shop","app":"web","tag":"v1"})", headers);
    return post(path, route.body == http::Body::Json ? R"({"revision":"5.0.0"})" : "", headers);
}

// The fixture's promotion is of default/app.
void settle(Running& daemon) { daemon.core.settled->scope.pipeline = {"default", "app"}; }

}  // namespace

TEST_CASE("http: RBAC decides over every route of the API, and over nothing else") {
    FakeCallers callers;
    callers.rights = {"reader get default/app",
                      "reader list /",
                      "keeper get default/app",
                      "keeper list /",
                      "keeper approve default/app",
                      "keeper approve /"};  // releases: which Pipeline is in the body
    Running daemon({}, "app", &callers);
    settle(daemon);
    for (const http::Route& route : http::routes()) {
        INFO(route.method << ' ' << route.pattern);
        const auto status = [&](const std::string& headers) {
            return daemon.ask(request_for(route, headers)).status;
        };
        const bool command =
            route.access == http::Access::Operate || route.action == http::Action::ReceiveApproval;
        if (route.access == http::Access::Public || (!command && route.method == "POST")) continue;
        const bool by_id = route.pattern.find("{id}") != std::string_view::npos;
        CHECK(status("Authorization: Bearer nobodys\r\n") == 401);
        CHECK(status("") == 401);
        if (route.action != http::Action::ShowVersion)
            CHECK(status(bearer("stranger")) == (by_id ? 404 : 403));
        CHECK((command ? status(bearer("reader")) == 403 : status(bearer("reader")) == 200));
        if (route.action == http::Action::Release)
            CHECK(status(bearer("keeper")) == 404);  // may, but no Pipeline here takes it
        else CHECK(status(bearer("keeper")) < 300);
    }
}

TEST_CASE("http: the platform's name for a caller is the actor of what it commands") {
    FakeCallers callers;
    callers.rights = {"ann get default/app", "ann approve default/app"};
    Running daemon({}, "app", &callers);
    settle(daemon);
    CHECK(daemon.ask(post("/api/v1/promotions/p-1/retry", "", bearer("ann"))).status == 200);
    CHECK(daemon.core.last_actor == "operator:ann");
    CHECK(daemon.ask(post("/approval/default/app/prod/5.0.0", "", bearer("ann"))).status == 202);
    REQUIRE(daemon.core.approvals.size() == 1);
    CHECK(daemon.core.approvals[0].second.actor == "operator:ann");
}

TEST_CASE("http: a platform that cannot be asked is 503, for the token as for the right") {
    FakeCallers callers;
    callers.rights = {"ann get default/app", "ann approve default/app", "ann list /"};
    Running daemon({}, "app", &callers);
    settle(daemon);
    for (const bool down : {true, false}) {
        callers.down = down;
        callers.forgetful = !down;
        for (const auto& request : {get("/api/v1/pipelines", bearer("ann")),
                                    get("/api/v1/pipelines/default/app", bearer("ann")),
                                    get("/api/v1/promotions/p-1", bearer("ann")),
                                    post("/api/v1/promotions/p-1/cancel", "", bearer("ann")),
                                    post("/approval/default/app/prod/5.0.0", "", bearer("ann"))}) {
            const Answer answer = daemon.ask(request);
            CHECK(answer.status == 503);
            CHECK_FALSE(answer.header("Retry-After").empty());
            CHECK(answer.body.find("10.0.0.1") == std::string::npos);
        }
    }
    CHECK(daemon.core.approvals.empty());
    CHECK(daemon.core.last_actor.empty());
}

TEST_CASE("http: a list of Pipelines shows the namespaces that the caller may list") {
    FakeCallers callers;
    callers.rights = {"ann list /", "bob list default/", "eve get default/app"};
    Running daemon({}, "app", &callers);
    auto snapshot = std::make_shared<engine::Snapshot>(*daemon.core.state);
    auto other = pipeline("app");
    other.id = {"payments", "till"};
    snapshot->pipelines[other.id] = {
        std::make_shared<model::Pipeline>(other), std::make_shared<model::History>(), {}};
    snapshot->problems.push_back({{"payments/odd in Kubernetes", 0, 0}, "spec: is missing"});
    {
        const std::lock_guard lock(daemon.core.mutex);
        daemon.core.state = snapshot;
    }
    const auto all = daemon.ask(get("/api/v1/pipelines", bearer("ann"))).body;
    CHECK(all.find("till") != std::string::npos);
    CHECK(all.find("odd") != std::string::npos);
    const auto some = daemon.ask(get("/api/v1/pipelines", bearer("bob")));
    CHECK(some.status == 200);
    CHECK(some.body.find("\"app\"") != std::string::npos);
    CHECK(some.body.find("payments") == std::string::npos);
    CHECK(daemon.ask(get("/api/v1/pipelines", bearer("eve"))).status == 403);
}

TEST_CASE("http: a list of promotions wants the right to list, or one Pipeline that may be got") {
    FakeCallers callers;
    callers.rights = {"bob get default/app"};
    Running daemon({}, "app", &callers);
    CHECK(daemon.ask(get("/api/v1/promotions", bearer("bob"))).status == 403);
    CHECK(daemon.ask(get("/api/v1/promotions?pipeline=default/app", bearer("bob"))).status == 200);
    CHECK(daemon.ask(get("/api/v1/promotions?pipeline=other/app", bearer("bob"))).status == 403);
    CHECK(daemon.ask(get("/api/v1/promotions?limit=0", bearer("bob"))).status == 400);
}

TEST_CASE("http: who may not get a Pipeline is told the same of promotions that are and are not") {
    FakeCallers callers;
    callers.rights = {"eve get other/app", "eve approve default/app"};
    Running daemon({}, "app", &callers);
    settle(daemon);
    const auto told = [&](const std::string& id) {
        const auto answer =
            daemon.ask(post("/api/v1/promotions/" + id + "/cancel", "", bearer("eve")));
        const auto detail = answer.body.find("\"detail\"");
        return std::to_string(answer.status) +
               answer.body.substr(detail, answer.body.find("\",", detail) - detail);
    };
    CHECK(told("p-1") == told("p-9"));
    CHECK(told("p-1").starts_with("404"));
}

TEST_CASE("http: the configuration's own tokens are never asked about") {
    Folder folder;
    FakeCallers callers;
    callers.down = true;
    http::Options options;
    options.tokens = {{"ci", http::AccessScope::Read, folder.write("ci", "0123456789abcdef-ci")}};
    Running daemon(options, "app", &callers);
    CHECK(daemon.ask(get("/api/v1/pipelines", "Authorization: Bearer 0123456789abcdef-ci\r\n"))
              .status == 200);
    CHECK(callers.asked == 0);
}

TEST_CASE("http: guessing tokens counts against the rate limit, a remembered one does not") {
    FakeCallers callers;
    callers.rights = {"ann list /"};
    callers.remembered = "token-of-ann";
    http::Options options;
    options.rate_requests = 3;
    Running daemon(options, "app", &callers);
    for (int i = 0; i < 3; ++i)
        CHECK(daemon.ask(get("/api/v1/pipelines", bearer("x"))).status == 403);
    CHECK(daemon.ask(get("/api/v1/pipelines", bearer("x"))).status == 429);
    CHECK(callers.asked == 3);
    CHECK(daemon.ask(get("/api/v1/pipelines", bearer("ann"))).status == 200);
}
