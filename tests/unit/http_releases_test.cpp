// Releases told by webhooks: of registries, and of GitHub's repository_dispatch.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "http/registry_payloads.hpp"
#include "http/releases.hpp"
#include "model/codec.hpp"
#include "tests/unit/http_fixture.hpp"

using namespace http_test;

namespace {

const std::string kKey = "hook-key-0123456789";
const std::string kAuthorized = "Authorization: Bearer " + kKey + "\r\n";
const std::string kHarbor =
    R"({"type":"PUSH_ARTIFACT","occur_at":1767225600,"operator":"ci","event_data":{"resources":[)"
    R"({"digest":"sha256:0a","tag":"v2","resource_url":"hub.example.com/shop/web:v2"}],)"
    R"("repository":{"name":"web","namespace":"shop","repo_full_name":"shop/web"}}})";

std::string hub_signature(const std::string& body) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned size = 0;
    HMAC(EVP_sha256(), kKey.data(), static_cast<int>(kKey.size()),
         reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(), &size);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex += "0123456789abcdef"[mac[i] >> 4];
        hex += "0123456789abcdef"[mac[i] & 15];
    }
    return "sha256=" + hex;
}

std::string from_github(const std::string& event, const std::string& body) {
    return post(
        "/hooks/github", body,
        "X-GitHub-Event: " + event + "\r\nX-Hub-Signature-256: " + hub_signature(body) + "\r\n");
}

std::string dispatch(const std::string& client_payload) {
    return R"({"action":"image-push","branch":"main","client_payload":)" + client_payload +
           R"(,"repository":{"full_name":"acme/fleet"}})";
}

// Two applications that releases are taken of: web and api of the group shop.
struct Listening {
    Folder folder;
    http::Options options;
    std::unique_ptr<Running> daemon;

    Listening() {
        options.hooks.github = options.hooks.registry = folder.write("key", kKey + "\n");
        options.images = {{"hub.example.com/shop/web", "v*", "shop", "web", ""},
                          {"hub.example.com/shop/both", "*", "shop", "web", ""},
                          {"hub.example.com/shop/both", "*", "shop", "api", "gitops"},
                          {"hub.example.com/shop/gone", "*", "shop", "gone", ""}};
        daemon = std::make_unique<Running>(options);
        auto state = std::make_shared<engine::Snapshot>(*daemon->core.state);
        for (const std::string app : {"web", "api"}) {
            auto made = std::make_shared<model::Pipeline>();
            made->id = {"gitops", "shop." + app};
            made->app = {std::string(model::kReleaseApiVersion), std::string(model::kReleaseKind),
                         app};
            made->environments.resize(1);
            made->environments.front().name = model::kReleaseEnvironment;
            made->environments.front().targets.push_back({"shop", std::nullopt});
            state->pipelines[made->id] = {made, std::make_shared<const model::History>(),
                                          std::make_shared<const model::Observations>()};
        }
        daemon->core.state = state;
    }
    Answer push(const std::string& body, const std::string& headers = kAuthorized,
                const std::string& query = "") {
        return daemon->ask(post("/hooks/registry" + query, body, headers));
    }
    // "pipeline revision" of each event that came to the core.
    std::vector<std::string> events() {
        const std::lock_guard lock(daemon->core.mutex);
        std::vector<std::string> out;
        for (const auto& each : daemon->core.events_seen)
            out.push_back(each.pipeline.text() + " " + each.event.revision);
        return out;
    }
};

std::string harbor(const std::string& image, const std::string& tag) {
    return R"({"type":"PUSH_ARTIFACT","occur_at":1767225600,"event_data":{"resources":[{"tag":")" +
           tag + R"(","resource_url":")" + image + ":" + tag + R"("}]}})";
}

using Pushed = std::vector<std::string>;

// "image tag time" of each.
Pushed read(const std::string& body) {
    const auto tags = http::read_registry_hook(body);
    if (!tags) return {tags.error().message};
    Pushed out;
    for (const auto& each : *tags) {
        out.push_back(each.image + " " + each.tag +
                      (each.at ? " " + model::time_to_text(*each.at) : ""));
    }
    return out;
}

}  // namespace

TEST_CASE("registry: Distribution's envelope tells of tags, not of layers, pulls and digests") {
    const auto event = [](const std::string& action, const std::string& target) {
        return R"({"id":"1","timestamp":"2026-01-01T00:00:00.123456789Z","action":")" + action +
               R"(","target":{"mediaType":"application/vnd.oci.image.manifest.v1+json",)" + target +
               R"(},"request":{"host":"reg.example.com:5000","method":"PUT"}})";
    };
    const std::string tagged = R"("repository":"shop/web","tag":"v2")";
    CHECK(read(R"({"events":[)" + event("push", tagged) + "," + event("pull", tagged) + "," +
               event("push", R"("repository":"shop/web","digest":"sha256:0a")") + "," +
               event("push", R"("repository":"shop/api","tag":"1")") + R"(,7,null]})") ==
          Pushed{"reg.example.com:5000/shop/web v2 2026-01-01T00:00:00.123Z",
                 "reg.example.com:5000/shop/api 1 2026-01-01T00:00:00.123Z"});
    CHECK(read(R"({"events":[]})").empty());
}

TEST_CASE("registry: Azure's push is one such event, and its ping is nothing") {
    CHECK(read(R"({"id":"cb8c3971","timestamp":"2026-01-01T00:00:00.5Z","action":"push",)"
               R"("target":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json",)"
               R"("size":524,"digest":"sha256:80f0","repository":"hello-world","tag":"v1"},)"
               R"("request":{"id":"3cbb","host":"acme.azurecr.io","method":"PUT"}})") ==
          Pushed{"acme.azurecr.io/hello-world v1 2026-01-01T00:00:00.500Z"});
    CHECK(read(R"({"id":"1","timestamp":"2026-01-01T00:00:00Z","action":"ping"})").empty());
    CHECK(
        read(R"({"action":"delete","target":{"repository":"a","tag":"v1"},"request":{"host":"h"}})")
            .empty());
    CHECK(
        read(
            R"({"action":"chart_push","target":{"repository":"a","tag":"v1"},"request":{"host":"h"}})")
            .empty());
}

TEST_CASE("registry: Docker Hub's image is of docker.io, whatever form its time has") {
    for (const std::string at : {"1767225600", "1.7672256e+09"}) {
        CHECK(read(R"({"callback_url":"https://registry.hub.docker.com/u/acme/web/hook/1/",)"
                   R"("push_data":{"pushed_at":)" +
                   at +
                   R"(,"pusher":"ci","tag":"v1"},"repository":{"name":"web",)"
                   R"("namespace":"acme","repo_name":"acme/web","status":"Active"}})") ==
              Pushed{"docker.io/acme/web v1 2026-01-01T00:00:00.000Z"});
    }
    CHECK(read(R"({"push_data":{"tag":"v1"},"repository":{"repo_name":"acme/web"}})") ==
          Pushed{"docker.io/acme/web v1"});
}

TEST_CASE("registry: Harbor is understood in both of its formats, other types are nothing") {
    CHECK(read(kHarbor) == Pushed{"hub.example.com/shop/web v2 2026-01-01T00:00:00.000Z"});
    CHECK(
        read(R"({"specversion":"1.0","type":"harbor.artifact.pushed",)"
             R"("time":"2026-01-01T00:00:00Z","data":{"resources":[{"digest":"sha256:0a",)"
             R"("tag":"v2","resource_url":"hub.example.com:8443/shop/web:v2"},{"tag":"sha256:0a",)"
             R"("resource_url":"hub.example.com/shop/web@sha256:0a"}]}})") ==
        Pushed{"hub.example.com:8443/shop/web v2 2026-01-01T00:00:00.000Z"});
    CHECK(read(R"({"type":"DELETE_ARTIFACT","event_data":{"resources":[{"tag":"v2",)"
               R"("resource_url":"hub.example.com/shop/web:v2"}]}})")
              .empty());
}

TEST_CASE("registry: Quay tells of several tags at once") {
    CHECK(read(R"({"name":"web","repository":"acme/web","namespace":"acme",)"
               R"("docker_url":"quay.io/acme/web","updated_tags":["v1","latest",7]})") ==
          Pushed{"quay.io/acme/web v1", "quay.io/acme/web latest"});
}

TEST_CASE(
    "registry: GitHub's package is named in small letters, one platform's manifest is nothing") {
    const auto package = [](const std::string& member, const std::string& action,
                            const std::string& tag) {
        return R"({"action":")" + action + R"(",")" + member +
               R"(":{"name":"web","namespace":"Acme","package_type":"CONTAINER",)"
               R"("updated_at":"2019-05-09T23:28:29Z","package_version":{"container_metadata":{)"
               R"("tag":{"name":")" +
               tag + R"(","digest":"sha256:0a"}},"package_url":"ghcr.io/Acme/Web:)" + tag +
               R"("}}})";
    };
    for (const std::string member : {"package", "registry_package"}) {
        for (const std::string action : {"published", "updated"})
            CHECK(read(package(member, action, "v1")) == Pushed{"ghcr.io/acme/web v1"});
        CHECK(read(package(member, "published", "")).empty());
        CHECK(read(package(member, "deleted", "v1")).empty());
    }
    CHECK(read(R"({"action":"published","package":{"package_type":"npm","package_version":{}}})")
              .empty());
}

TEST_CASE("registry: what is of no known shape says which shapes are known") {
    for (const std::string body : {"{}", R"({"zen":"Keep it logically awesome."})",
                                   R"({"events":7})", R"({"data":{}})", R"({"action":"opened"})"}) {
        INFO(body);
        CHECK_THAT(read(body).at(0), Catch::Contains("of no registry that is known"));
    }
    for (const std::string body : {"", "[]", "{", "7"})
        CHECK_THAT(read(body).at(0), Catch::Contains("no JSON object"));
}

TEST_CASE("registry: a push becomes a release of the application that the configuration names") {
    Listening to;
    const Answer answer = to.push(kHarbor);
    CHECK(answer.status == 202);
    CHECK_THAT(answer.body, Catch::Contains(R"("image":"hub.example.com/shop/web","tag":"v2")") &&
                                Catch::Contains(R"("group":"shop","app":"web")") &&
                                Catch::Contains(R"("promotions":["p-1"])"));
    REQUIRE(to.events() == std::vector<std::string>{"gitops/shop.web v2"});
    const auto& event = to.daemon->core.events_seen.front();
    CHECK(event.environment == "release");
    CHECK(event.event.timestamp == WallTime{std::chrono::seconds{1'767'225'600}});
    CHECK(event.body == kHarbor);
}

TEST_CASE("registry: an image that is two applications is released to both, answered once") {
    Listening to;
    const Answer answer = to.push(harbor("hub.example.com/shop/both", "7"));
    CHECK(answer.status == 202);
    CHECK(to.events() == std::vector<std::string>{"gitops/shop.web 7", "gitops/shop.api 7"});
}

TEST_CASE("registry: several tags of one body are events of their own, the same ones each time") {
    Listening to;
    const std::string body =
        R"({"docker_url":"hub.example.com/shop/web","updated_tags":["v1","v2"]})";
    for (int i = 0; i < 2; ++i) CHECK(to.push(body).status == 202);
    const auto& seen = to.daemon->core.events_seen;
    REQUIRE(seen.size() == 4);
    CHECK(seen[0].digest != seen[1].digest);
    CHECK(seen[0].digest == seen[2].digest);
    CHECK(seen[1].digest == seen[3].digest);
}

TEST_CASE("registry: images and tags that are no release are thanked for, and told as ignored") {
    Listening to;
    for (const auto& [body, why] :
         {std::pair{harbor("hub.example.com/shop/other", "v1"), "gitops.images names no"},
          {harbor("hub.example.com/shop/web", "latest"), "gitops.images names no"},
          {harbor("hub.example.com/shop/gone", "v1"), "no GitOps repository has the application"},
          {std::string(R"({"events":[]})"), R"({"tags":[]})"}}) {
        const Answer answer = to.push(body);
        CHECK(answer.status == 202);
        CHECK_THAT(answer.body, Catch::Contains(why));
    }
    CHECK(to.events().empty());
    const Answer foreign = to.push(R"({"hello":"world"})");
    CHECK(foreign.status == 400);
    CHECK_THAT(foreign.body, Catch::Contains("of no registry that is known"));
}

TEST_CASE("registry: what could not be written down is to be sent again") {
    Listening to;
    to.daemon->core.accepted = Error{ErrorKind::Transient, "the journal takes no writes"};
    const Answer answer = to.push(kHarbor);
    CHECK(answer.status == 503);
    CHECK(answer.header("Retry-After") == "5");
}

TEST_CASE("registry: before all Pipelines are known a release is to be sent again") {
    Listening to;
    to.daemon->readiness.not_ready("pipelines", "being read");
    CHECK(to.push(harbor("hub.example.com/shop/gone", "v1")).status == 503);
    CHECK(to.push(kHarbor).status == 202);
}

TEST_CASE("releases: while a repository has never been read, what nobody knows is to come again") {
    Listening to;
    auto& readiness = to.daemon->readiness;
    readiness.ready("gitops https://host/acme/fleet");
    CHECK(to.push(harbor("hub.example.com/shop/gone", "v1")).status == 202);
    readiness.degraded("gitops https://host/acme/other", "the forge is away");
    const Answer hook = to.push(harbor("hub.example.com/shop/gone", "v1"));
    CHECK(hook.status == 503);
    CHECK(to.push(kHarbor).status == 202);
    const Answer told = to.daemon->ask(from_github(
        "repository_dispatch", dispatch(R"({"group":"shop","app":"gone","tag":"v1"})")));
    CHECK(told.status == 503);
    CHECK(told.header("Retry-After") == "5");
    CHECK_THAT(told.body, Catch::Contains("https://host/acme/other has never been read: the forge "
                                          "is away") &&
                              !Catch::Contains("acme/fleet"));
    readiness.ready("gitops https://host/acme/other");
    CHECK(to.daemon
              ->ask(from_github("repository_dispatch",
                                dispatch(R"({"group":"shop","app":"gone","tag":"v1"})")))
              .status == 404);
}

TEST_CASE("registry: the key is taken in each form that registries have, and no other key is") {
    Listening to;
    const std::string basic = "Authorization: Basic aG9va3M6aG9vay1rZXktMDEyMzQ1Njc4OQ==\r\n";
    CHECK(to.push(kHarbor, kAuthorized).status == 202);
    CHECK(to.push(kHarbor, basic).status == 202);
    CHECK(to.push(kHarbor, "Authorization: " + kKey + "\r\n").status == 202);
    CHECK(to.push(kHarbor, "", "?key=" + kKey).status == 202);
    const auto taken = to.events().size();
    for (const auto& [headers, query] :
         {std::pair<std::string, std::string>{"", ""},
          {"", "?key="},
          {"", "?key=" + kKey + "x"},
          {"Authorization: Bearer another-key-0123456789\r\n", ""},
          {"Authorization: Bearer another-key-0123456789\r\n", "?key=" + kKey},
          {"Authorization: \r\n", ""},
          {kAuthorized + kAuthorized, ""}}) {
        INFO(headers << query);
        const Answer answer = to.push(kHarbor, headers, query);
        CHECK(answer.status == 401);
        CHECK_THAT(answer.body, !Catch::Contains(kKey));
    }
    CHECK(to.events().size() == taken);
    Running closed;
    CHECK(closed.ask(post("/hooks/registry?key=", kHarbor)).status == 401);
}

TEST_CASE("registry: a body of a JSON type of its own is read") {
    Listening to;
    const auto with = [&](const std::string& type) {
        return to.push(kHarbor, kAuthorized + "Content-Type: " + type + "\r\n").status;
    };
    CHECK(with("application/vnd.docker.distribution.events.v1+json") == 202);
    CHECK(with("application/cloudevents+json; charset=UTF-8") == 202);
    CHECK(with("application/+json") == 415);
    CHECK(with("text/plain+json") == 415);
    CHECK(with("application/json+zip") == 415);
}

TEST_CASE("releases: GitHub's repository_dispatch is a release of what its client_payload names") {
    Listening to;
    const std::string body = dispatch(R"({"group":"shop","app":"web","tag":"v3","sha":"0a1b"})");
    const Answer answer = to.daemon->ask(from_github("repository_dispatch", body));
    CHECK(answer.status == 202);
    CHECK(answer.header("Location") == "/api/v1/promotions/p-1");
    CHECK(to.events() == std::vector<std::string>{"gitops/shop.web v3"});
    // With a time, so that the very same delivery leads nowhere when it comes again.
    CHECK(to.daemon->core.events_seen.front().event.timestamp == to.daemon->clock.now());
    CHECK(to.daemon->ask(post("/hooks/github", body, "X-GitHub-Event: repository_dispatch\r\n"))
              .status == 401);
    CHECK(to.events().size() == 1);
}

TEST_CASE("releases: a dispatch about something else is nothing, a wrong one says what is wrong") {
    Listening to;
    const auto ask = [&](const std::string& payload) {
        return to.daemon->ask(from_github("repository_dispatch", dispatch(payload)));
    };
    for (const std::string payload : {"null", "{}", R"({"ref":"main"})", "[]"}) {
        const Answer answer = ask(payload);
        CHECK(answer.status == 202);
        CHECK_THAT(answer.body, Catch::Contains("no release"));
    }
    CHECK_THAT(ask(R"({"app":"web","tag":"v1"})").body,
               Catch::Contains("client_payload: a release needs group, app and tag"));
    CHECK(ask(R"({"group":"shop","app":"web"})").status == 400);
    const Answer doubled = ask(R"({"group":"shop","app":"web","tag":"v1","tag":"v2"})");
    CHECK(doubled.status == 400);
    CHECK_THAT(doubled.body, Catch::Contains("is here twice; send it once"));
    CHECK(ask(R"({"group":"shop","app":"other","tag":"v1"})").status == 404);
    CHECK(to.events().empty());
}

TEST_CASE("releases: GitHub's package is a push, signed as all hooks of GitHub") {
    Listening to;
    const std::string body =
        R"({"action":"published","registry_package":{"package_version":{"container_metadata":{)"
        R"("tag":{"name":"v4"}},"package_url":"hub.example.com/shop/web:v4"}}})";
    CHECK(to.daemon->ask(from_github("registry_package", body)).status == 202);
    CHECK(to.events() == std::vector<std::string>{"gitops/shop.web v4"});
}

TEST_CASE("releases: the API takes a body that was written for GitHub's dispatches as well") {
    CHECK(http::release_from(R"({"event_type":"image-push","client_payload":)"
                             R"({"group":"shop","app":"web","tag":"v1","by":"ci"}})")
              ->tag == "v1");
    const auto refused = [](const std::string& body) {
        const auto release = http::release_from(body);
        return release ? std::string("(taken)") : release.error().message;
    };
    CHECK_THAT(refused(R"({"event_type":"x","client_payload":{}})"),
               Catch::Contains("a release needs group, app and tag"));
    CHECK_THAT(refused(R"({"event_type":"x"})"), Catch::Contains("'event_type' is not known"));
    CHECK_THAT(refused(R"({"group":"shop","app":"web","tag":"v1","namespace":7})"),
               Catch::Contains("the body must be"));
    CHECK_THAT(refused("no"), Catch::Contains("the body must be"));
    CHECK_THAT(refused(R"({"group":"shop","app":"web","tag":"v1","tag":"v2"})"),
               Catch::Contains("key \"tag\" is here twice; send it once; the body must be"));
    CHECK_THAT(refused(R"({"client_payload":{"group":"shop","app":"web","tag":"v1","tag":"v2"}})"),
               Catch::Contains("key \"tag\" is here twice"));
}

TEST_CASE("releases: an image's tags are matched as a shell does") {
    const std::vector<model::ReleasedImage> images{{"r/web", "v[0-9]*", "shop", "web", "ns"}};
    const auto count = [&](const std::string& image, const std::string& tag) {
        return model::releases_of({image, tag}, images).size();
    };
    CHECK(count("r/web", "v1.2.3") == 1);
    CHECK(count("r/web", "vx") == 0);
    CHECK(count("r/web", "latest") == 0);
    CHECK(count("r/web2", "v1") == 0);
    const auto at = WallTime{std::chrono::seconds{7}};
    const auto made = model::releases_of({"r/web", "v1", at}, images).front();
    CHECK(made.ns == "ns");
    CHECK(model::release_event(made).timestamp == at);
    CHECK_FALSE(model::release_event({"shop", "web", "v1", ""}).timestamp);
}
