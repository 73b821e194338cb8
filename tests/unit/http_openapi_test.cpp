// openapi.yaml against the table of routes and against what the server answers.
#include <algorithm>
#include <set>

#include "http/routes.hpp"
#include "model/release.hpp"
#include "model/yaml_document.hpp"
#include "tests/unit/http_fixture.hpp"

using namespace http_test;

namespace {

// "POST /promotion/{}/{}/{}": parameters are called differently in the two.
std::string operation_of(std::string method, std::string_view path) {
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    std::string out = method + " ";
    bool inside = false;
    for (const char c : path) {
        if (c == '{') out += "{}";
        inside = c == '{' || (inside && c != '}');
        if (!inside && c != '}') out.push_back(c);
    }
    return out;
}

// Operation -> the statuses it is documented with; 4XX and 5XX stand for every problem.
using Documented = std::map<std::string, std::set<std::string>>;

Documented documented() {
    Running daemon;
    const Answer answer = daemon.ask(get("/openapi.yaml"));
    REQUIRE(answer.status == 200);
    const auto documents = model::yaml_documents(answer.body, "openapi.yaml");
    REQUIRE(documents);
    Documented found;
    for (const auto& [path, methods] : documents->front().member("paths")->members) {
        for (const auto& [method, operation] : methods.members) {
            auto& statuses = found[operation_of(method, path)];
            for (const auto& [status, answered] : operation.member("responses")->members) {
                statuses.insert(status);
            }
        }
    }
    return found;
}

const std::set<std::string> kHealth{"/livez", "/readyz", "/healthz", "/metrics"};

struct Asked {
    std::string method;
    std::string path;
    unsigned status;
    std::string bytes;
};

// One request for each way in which each route answers well, and one that it refuses.
std::vector<Asked> good_and_refused() {
    const std::string event_sign = "X-Signature: " + kEventSignature + "\r\n";
    const std::string empty_sign = "X-Signature: " + kEmptySignature + "\r\n";
    std::vector<Asked> asked;
    const auto add_signed = [&](const std::string& path, const std::string& pattern,
                                const std::string& body, const std::string& sign) {
        asked.push_back({"POST", pattern, 202, post(path, body, sign)});
        asked.push_back({"POST", pattern, 201, post(path + "?wait=1s", body, sign)});
        asked.push_back({"POST", pattern, 204, post(path + "?wait=2s", body, sign)});
        asked.push_back({"POST", pattern, 401, post(path, body)});
    };
    for (const std::string prefix : {"/promotion", "/pipelines/promotions", ""}) {
        add_signed(prefix + "/default/app/dev", prefix + "/{}/{}/{}", kEvent, event_sign);
    }
    add_signed("/approval/default/app/prod/5.0.0", "/approval/{}/{}/{}/{}", "", empty_sign);

    // "hooks:hook-key-0123456789", and the HMAC of {} under that key.
    asked.push_back({"POST", "/hooks/azure", 202,
                     post("/hooks/azure", "{}",
                          "Authorization: Basic aG9va3M6aG9vay1rZXktMDEyMzQ1Njc4OQ==\r\n")});
    asked.push_back({"POST", "/hooks/azure", 401, post("/hooks/azure", "{}")});
    asked.push_back({"POST", "/hooks/github", 202,
                     post("/hooks/github", "{}",
                          "X-Hub-Signature-256: sha256="
                          "6c90787d92f181d17c3e1fa3e269f52856547032df445333c2514bc2eacbfab8\r\n")});
    asked.push_back({"POST", "/hooks/github", 401, post("/hooks/github", "{}")});

    asked.push_back({"POST", "/hooks/registry", 202,
                     post("/hooks/registry", R"({"events":[]})",
                          "Authorization: Bearer hook-key-0123456789\r\n")});
    asked.push_back({"POST", "/hooks/registry", 401, post("/hooks/registry", "{}")});

    const std::string one = "/api/v1/pipelines/default/app";
    const std::string any = "/api/v1/pipelines/{}/{}";
    const auto add_read = [&](const std::string& path, const std::string& pattern) {
        asked.push_back({"GET", pattern, 200, get(path)});
        asked.push_back({"GET", pattern, 304, get(path, "If-None-Match: *\r\n")});
        asked.push_back({"GET", pattern, 403, get(path, "Origin: https://example.com\r\n")});
    };
    add_read("/api/v1/pipelines", "/api/v1/pipelines");
    add_read(one, any);
    add_read(one + "/why", any + "/why");
    add_read("/api/v1/promotions", "/api/v1/promotions");
    add_read("/api/v1/promotions/p-1", "/api/v1/promotions/{}");
    add_read("/api/v1/strategies", "/api/v1/strategies");
    add_read("/api/v1/events?pipeline=default/app", "/api/v1/events");
    add_read("/api/v1/version", "/api/v1/version");
    for (const std::string path : {"/openapi.yaml", "/api/v1/openapi.yaml"}) {
        asked.push_back({"GET", path, 200, get(path)});
    }

    for (const std::string& path : kHealth) asked.push_back({"GET", path, 200, get(path)});
    for (const std::string path : {"/readyz", "/healthz"}) {
        asked.push_back({"GET", path, 503, get(path)});
    }

    const std::string wish = R"({"revision":"5.0.0"})";
    const std::string into = "/environments/prod";
    asked.push_back(
        {"POST", any + "/environments/{}/approve", 202, post(one + into + "/approve", wish)});
    asked.push_back(
        {"POST", any + "/environments/{}/approve", 400, post(one + into + "/approve", "{}")});
    asked.push_back({"POST", any + "/environments/{}/plan", 200, post(one + into + "/plan", wish)});
    asked.push_back({"POST", any + "/environments/{}/plan", 415,
                     post(one + into + "/plan", wish, "Content-Type: text/plain\r\n")});
    asked.push_back({"POST", "/api/v1/releases", 202,
                     post("/api/v1/releases", R"({"group":"shop","app":"web","tag":"v1"})")});
    asked.push_back({"POST", "/api/v1/releases", 404,
                     post("/api/v1/releases", R"({"group":"shop","app":"api","tag":"v1"})")});
    asked.push_back({"POST", "/api/v1/releases", 400,
                     post("/api/v1/releases", R"({"group":"shop","app":"web"})")});
    for (const std::string verb : {"/retry", "/cancel"}) {
        asked.push_back({"POST", "/api/v1/promotions/{}" + verb, 200,
                         post("/api/v1/promotions/p-1" + verb, "")});
    }
    return asked;
}

// An application that releases are taken of.
void list_application(FakeCore& core) {
    auto web = std::make_shared<model::Pipeline>();
    web->id = {"gitops", "shop.web"};
    web->app = {std::string(model::kReleaseApiVersion), std::string(model::kReleaseKind), "web"};
    web->environments.resize(1);
    web->environments.front().name = model::kReleaseEnvironment;
    web->environments.front().targets.push_back({"shop", std::nullopt});
    auto more = std::make_shared<engine::Snapshot>(*core.state);
    more->pipelines[web->id] = {web, std::make_shared<const model::History>(),
                                std::make_shared<const model::Observations>()};
    core.state = more;
}

// What the core says for a status that depends on it.
void prepare(FakeCore& core, unsigned status) {
    core.is_ready = status != 503;
    core.settled->phase = model::Phase::Succeeded;
    core.settled->location = status == 201 ? "https://forge.example.com/pull/1" : "";
}

}  // namespace

TEST_CASE("http: the OpenAPI document has every route, and none that there is not") {
    std::set<std::string> served;
    for (const auto& route : http::routes()) {
        served.insert(operation_of(std::string(route.method), route.pattern));
    }
    Running daemon;
    for (const std::string& path : kHealth) {
        CHECK(daemon.health(path).status == 200);
        served.insert("GET " + path);
    }
    std::set<std::string> written;
    for (const auto& [operation, statuses] : documented()) written.insert(operation);
    CHECK(served == written);
}

TEST_CASE("http: every status is in the OpenAPI document, and every one of the document comes") {
    Documented answered;
    const Folder folder;
    http::Options options;
    options.hooks.github = options.hooks.azure = options.hooks.registry =
        folder.write("key", "hook-key-0123456789");
    Running daemon(options);
    list_application(daemon.core);
    for (const Asked& asked : good_and_refused()) {
        prepare(daemon.core, asked.status);
        const std::string operation = operation_of(asked.method, asked.path);
        INFO(operation);
        const auto& server = *daemon.server;
        const Answer answer =
            Client(kHealth.contains(asked.path) ? server.health_address() : server.listen_address())
                .ask(asked.bytes);
        CHECK(answer.status == asked.status);
        // Problems are documented as 4XX and 5XX, anything else by its own status.
        if (answer.header("Content-Type") != "application/problem+json") {
            answered[operation].insert(std::to_string(answer.status));
        }
    }
    Documented expected = documented();
    for (auto& [operation, statuses] : expected) {
        INFO(operation);
        CHECK(statuses.erase("4XX") == 1);
        const bool health = kHealth.contains(operation.substr(operation.find(' ') + 1));
        CHECK(statuses.erase("5XX") == (health ? 0 : 1));
        CHECK(statuses == answered[operation]);
    }
    CHECK(answered.size() == expected.size());
}
