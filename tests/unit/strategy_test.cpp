// What the daemon may rely on when it runs a strategy.
#include "strategy/strategy.hpp"

#include <promotiond/strategy.hpp>

#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "base/log.hpp"
#include "catch.hpp"
#include "unit/strategy_fake_http.hpp"
#include "unit/strategy_fixture.hpp"

using namespace std::chrono_literals;
using promotiond::strategy::Answer;
using promotiond::strategy::CallOptions;
using promotiond::strategy::LoadOptions;
using promotiond::strategy::Outcome;
using promotiond::strategy::Strategies;
using promotiond::test::request;
using promotiond::test::Services;
namespace net = promotiond::net;
namespace sdk = promotiond::sdk;

namespace {

// How many verbs run now, and the most that ever did.
std::atomic<int> running{0};
std::atomic<int> most{0};
std::latch* meeting = nullptr;

// Does what the revision says.
class Actor : public sdk::Strategy, public sdk::Observes, public sdk::HasLane {
public:
    explicit Actor(const sdk::Settings& settings) {
        if (settings.json.find("refuse") != std::string_view::npos) {
            throw std::invalid_argument("settings.refuse is set");
        }
    }
    sdk::Outcome promote(const sdk::Promotion& promotion, sdk::Call& call) override {
        const auto act = promotion.revision;
        if (act == "meet") return meet();
        if (act == "wait") return wait(call);
        if (act == "secret") return secret(call, "token");
        if (act == "other key") return secret(call, "absent");
        if (act == "path key") return secret(call, "../token");
        if (act == "needs token") return needs_token(call);
        if (act == "needs token beside user") {
            static_cast<void>(call.optional_secret("forge", "username"));
            return needs_token(call);
        }
        if (act == "needs token after http") {
            static_cast<void>(http(call));
            return needs_token(call);
        }
        if (act == "http") return http(call);
        if (act == "budget") return http(call, {{"Promotiond-Budget", "open write core"}});
        if (act == "scratch") return directory(call.scratch_directory());
        if (act == "cache") return directory(call.cache_directory("https://forge.test/a/b"));
        if (act == "remaining") {
            return sdk::Outcome::done().with_summary(std::to_string(call.remaining().count()));
        }
        call.progress("working");
        return sdk::Outcome::pending("https://forge.test/pulls/7", "7")
            .with_summary(std::string(promotion.environment));
    }
    sdk::Outcome observe(const sdk::Promotion&, std::string_view external_id, std::string_view,
                         sdk::Call&) override {
        return sdk::Outcome::done("https://forge.test/pulls/" + std::string(external_id));
    }
    std::string lane(const sdk::Promotion& promotion) const override {
        return "repo:" + std::string(promotion.pipeline_name);
    }

private:
    static sdk::Outcome meet() {
        const int now = ++running;
        int before = most;
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        meeting->arrive_and_wait();
        --running;
        return sdk::Outcome::done();
    }
    static sdk::Outcome wait(const sdk::Call& call) {
        if (meeting != nullptr) meeting->count_down();
        while (!call.cancelled()) std::this_thread::yield();
        return sdk::Outcome::cancelled();
    }
    static sdk::Outcome secret(const sdk::Call& call, std::string_view key) {
        const auto value = call.optional_secret("forge", key);
        if (!value) return sdk::Outcome::from(value.error());
        if (!value->has_value()) return sdk::Outcome::done().with_summary("absent");
        return sdk::Outcome::done().with_summary("is " + std::string((*value)->reveal()));
    }
    static sdk::Outcome needs_token(const sdk::Call& call) {
        const auto token = call.optional_secret("forge", "token");
        if (token && token->has_value()) return sdk::Outcome::done();
        return sdk::Outcome::retry_after({}, "no token");
    }
    static sdk::Outcome http(const sdk::Call& call,
                             decltype(sdk::HttpRequest::headers) headers = {{"X-A", "1"}}) {
        const auto answer = call.http({.method = "PUT",
                                       .url = "https://forge.test/x",
                                       .headers = std::move(headers),
                                       .body = "b",
                                       .timeout = 5s});
        if (!answer) return sdk::Outcome::from(answer.error());
        return sdk::Outcome::done().with_summary(std::to_string(answer->code) +
                                                 std::string(answer->header("etag")));
    }
    static sdk::Outcome directory(const promotiond::Result<std::string>& path) {
        if (!path) return sdk::Outcome::from(path.error());
        return sdk::Outcome::done().with_summary(*path);
    }
};

class Plain : public sdk::Strategy {
public:
    sdk::Outcome promote(const sdk::Promotion&, sdk::Call&) override {
        return sdk::Outcome::done();
    }
};

constexpr std::string_view kSchema = R"({
  "type": "object", "required": ["url"], "additionalProperties": false,
  "properties": {"url": {"type": "string"}, "labels": {"type": "array", "items": {"type": "string"}}}
})";

constexpr auto kActor = sdk::detail::plugin_of<Actor>({.name = "actor",
                                                       .key = "pullRequest",
                                                       .provider = "github",
                                                       .hosts = "github.com ghe.test",
                                                       .version = "1.0.0",
                                                       .summary = "acts",
                                                       .schema = kSchema});
constexpr auto kOther = sdk::detail::plugin_of<Plain>({.name = "other",
                                                       .key = "pullRequest",
                                                       .provider = "azure",
                                                       .hosts = "dev.azure.com .VisualStudio.com",
                                                       .version = "1.0.0",
                                                       .summary = "other"});
constexpr auto kHook = sdk::detail::plugin_of<Plain>(
    {.name = "hook", .key = "webhook", .version = "1.0.0", .summary = "hook"});

std::unique_ptr<Strategies> load(Services& services,
                                 std::vector<const promotiond_plugin*> plugins = {&kActor}) {
    LoadOptions options;
    options.instances = 2;
    options.grace = 20ms;
    options.in_memory = std::move(plugins);
    auto loaded = Strategies::load(options, services.host());
    REQUIRE(loaded);
    REQUIRE(loaded.value()->refusals().empty());
    return std::move(*loaded);
}

Answer promote(Strategies& strategies, const std::string& revision, CallOptions options = {}) {
    return strategies.promote(strategies.descriptions().front(), request(revision), options);
}

}  // namespace

TEST_CASE("strategy: promote hands over the answer") {
    Services services;
    const auto strategies = load(services);
    std::string progress;
    const auto answer = promote(*strategies, "1.2.3",
                                {.progress = [&](std::string_view text) { progress = text; }});
    CHECK(answer.outcome == Outcome::Pending);
    CHECK(answer.location == "https://forge.test/pulls/7");
    CHECK(answer.external_id == "7");
    CHECK(answer.summary == "prod");
    CHECK(progress == "working");
    CHECK_FALSE(answer.misbehaved);
}

TEST_CASE("strategy: abilities are known from the load on, and absent ones are refused") {
    Services services;
    const auto strategies = load(services, {&kActor, &kHook});
    const auto& actor = strategies->descriptions()[0];
    const auto& hook = strategies->descriptions()[1];
    CHECK(actor.can_observe);
    CHECK_FALSE(actor.can_plan);
    CHECK(strategies->observe(actor, request(), "9", "{}", {}).location ==
          "https://forge.test/pulls/9");
    CHECK(strategies->observe(hook, request(), "9", "{}", {}).outcome == Outcome::Rejected);
    CHECK(strategies->plan(actor, request(), {}).outcome == Outcome::Rejected);
    CHECK(strategies->lane(actor, request()) == "repo:podinfo");
    CHECK(strategies->lane(hook, request()) == "team/podinfo/prod/");
}

TEST_CASE("strategy: as many verbs run at once as there are instances, and no more") {
    Services services;
    const auto strategies = load(services);
    std::latch both(2);
    meeting = &both;
    most = 0;
    auto one = std::async(std::launch::async, [&] { return promote(*strategies, "meet"); });
    auto two = std::async(std::launch::async, [&] { return promote(*strategies, "meet"); });
    CHECK(one.get().outcome == Outcome::Done);
    CHECK(two.get().outcome == Outcome::Done);
    CHECK(most == 2);
    meeting = nullptr;
}

TEST_CASE("strategy: a caller that finds no free instance hears of its own cancellation") {
    Services services;
    const auto strategies = load(services);
    std::latch busy(2);
    meeting = &busy;
    std::stop_source stop;
    const CallOptions options{.stop = stop.get_token()};
    auto one =
        std::async(std::launch::async, [&] { return promote(*strategies, "wait", options); });
    auto two =
        std::async(std::launch::async, [&] { return promote(*strategies, "wait", options); });
    busy.wait();
    meeting = nullptr;
    CHECK(promote(*strategies, "1", {.deadline = 1ms}).outcome == Outcome::Retry);
    std::stop_source own;
    own.request_stop();
    CHECK(promote(*strategies, "1", {.stop = own.get_token()}).outcome == Outcome::Cancelled);
    stop.request_stop();
    CHECK(one.get().outcome == Outcome::Cancelled);
    CHECK(two.get().outcome == Outcome::Cancelled);
}

TEST_CASE("strategy: the deadline is the clock's") {
    Services services;
    const auto strategies = load(services);
    CHECK(promote(*strategies, "remaining", {.deadline = 90s}).summary == "90000");
    std::latch begun(1);
    meeting = &begun;
    auto waiting = std::async(std::launch::async,
                              [&] { return promote(*strategies, "wait", {.deadline = 60s}); });
    begun.wait();
    meeting = nullptr;
    services.clock.advance(60s);
    CHECK(waiting.get().outcome == Outcome::Cancelled);
}

TEST_CASE("strategy: a secret comes from the pipeline's namespace only, and is masked afterwards") {
    Services services;
    services.secrets["team/forge/token"] = "s3cr3t-value";
    services.secrets["elsewhere/forge/absent"] = "not yours";
    const auto strategies = load(services);
    CHECK(promote(*strategies, "secret").summary == "is ***");
    CHECK(promotiond::log::redacted("the s3cr3t-value") == "the ***");
    CHECK(promote(*strategies, "other key").summary == "absent");
    CHECK(promote(*strategies, "path key").outcome == Outcome::Rejected);
    services.secrets.clear();
    // A secret that is not there may be on its way.
    CHECK(promote(*strategies, "other key").outcome == Outcome::Retry);
}

TEST_CASE(
    "strategy: an answer knows the secrets that its verb was given, and whether they changed") {
    Services services;
    services.secrets["team/forge/token"] = "one value";
    const auto strategies = load(services);
    const auto given = promote(*strategies, "secret").secrets;
    REQUIRE(given.size() == 1);
    CHECK(given[0].ns + "/" + given[0].name + "/" + given[0].key == "team/forge/token");
    CHECK_FALSE(strategies->renewed(given));
    services.secrets["team/forge/token"] = "another value";
    CHECK(strategies->renewed(given));
    services.secrets.clear();  // it is being replaced
    CHECK_FALSE(strategies->renewed(given));
}

TEST_CASE("strategy: a call that lacked a secret and asked for nothing else says what it lacked") {
    using Lack = promotiond::strategy::AbsentSecret::Lack;
    Services services;
    const auto strategies = load(services);
    auto lacked = promote(*strategies, "needs token").absent;
    REQUIRE(lacked.size() == 1);
    CHECK(lacked[0].name == "forge");
    CHECK(lacked[0].key == "token");
    CHECK(lacked[0].lack == Lack::Secret);
    CHECK_FALSE(strategies->has_come("team", lacked));
    services.secrets["elsewhere/forge/token"] = "not yours";
    CHECK_FALSE(strategies->has_come("team", lacked));
    // It may have what is needed by another name.
    services.secrets["team/forge/username"] = "bot";
    CHECK(strategies->has_come("team", lacked));

    lacked = promote(*strategies, "needs token").absent;
    REQUIRE(lacked.size() == 1);
    CHECK(lacked[0].lack == Lack::Key);
    CHECK_FALSE(strategies->has_come("team", lacked));
    services.secrets["team/forge/token"] = "t0ken-value";
    CHECK(strategies->has_come("team", lacked));
    CHECK(promote(*strategies, "needs token").absent.empty());
}

TEST_CASE("strategy: a try that had part of its secret, or asked others, failed for all we know") {
    Services services;
    promotiond::Metrics metrics;
    net::HttpClient client({}, metrics);
    services.http = &client;
    services.secrets["team/forge/username"] = "bot";
    const auto strategies = load(services);
    promotiond::test::http_script() = [](const net::Request&, const std::stop_token&) {
        return promotiond::test::HttpAnswer(net::Response{503, {}, ""});
    };
    for (const char* act : {"needs token beside user", "needs token after http"}) {
        const auto answer = promote(*strategies, act);
        CHECK(answer.outcome == Outcome::Retry);
        CHECK(answer.absent.empty());
    }
}

TEST_CASE("strategy: HTTP goes through the daemon's client, bounded by the call") {
    Services services;
    promotiond::Metrics metrics;
    net::HttpClient client({}, metrics);
    services.http = &client;
    const auto strategies = load(services);
    net::Request seen;
    promotiond::test::http_script() = [&](const net::Request& asked, const std::stop_token&) {
        seen.method = asked.method;
        seen.url = asked.url;
        seen.headers = asked.headers;
        seen.body = asked.body;
        seen.timeout = asked.timeout;
        seen.deadline = asked.deadline;
        return promotiond::test::HttpAnswer(net::Response{201, {{"ETag", "\"e\""}}, "{}"});
    };
    CHECK(promote(*strategies, "http").summary == "201\"e\"");
    CHECK(seen.method == "PUT");
    CHECK(seen.url == "https://forge.test/x");
    CHECK(seen.headers == net::Headers{{"X-A", "1"}});
    CHECK(seen.body == "b");
    CHECK(seen.timeout == 5s);

    CHECK(promote(*strategies, "http", {.deadline = 2s}).outcome == Outcome::Done);
    CHECK(seen.timeout == 5s);
    CHECK(seen.deadline == services.clock.steady_now() + 2s);

    promotiond::test::http_script() = [](const net::Request&, const std::stop_token&) {
        return promotiond::test::HttpAnswer(net::HttpError{net::Failure::Refused, "metadata"});
    };
    const auto refused = promote(*strategies, "http");
    CHECK(refused.outcome == Outcome::Rejected);
    CHECK(refused.message == "metadata");
}

TEST_CASE(
    "strategy: an API that asked to be left alone is not asked, whichever promotion it is for") {
    Services services;
    promotiond::Metrics metrics;
    net::HttpClient client({}, metrics);
    net::ApiBudgets budgets(services.clock, metrics, 1h);
    services.http = &client;
    services.budgets = &budgets;
    const auto strategies = load(services);
    int asked = 0;
    net::Headers seen;
    promotiond::test::http_script() = [&](const net::Request& request, const std::stop_token&) {
        ++asked;
        seen = request.headers;
        return promotiond::test::HttpAnswer(net::Response{403, {{"Retry-After", "60"}}, "{}"});
    };
    CHECK(promote(*strategies, "budget").summary == "403");
    CHECK(seen.empty());
    CHECK(promote(*strategies, "budget").summary == "429");
    CHECK(asked == 1);
    REQUIRE(strategies->budgets().size() == 1);
    CHECK(strategies->budgets()[0].held == "forge.test:443 asked to be left alone");
    CHECK(promote(*strategies, "http").summary == "403");  // one that keeps no budget
    services.clock.advance(60s);
    CHECK(promote(*strategies, "budget").summary == "403");
    CHECK(asked == 3);
}

TEST_CASE("strategy: without a client a strategy is told that there is no HTTP") {
    Services services;
    const auto strategies = load(services);
    CHECK_THAT(promote(*strategies, "http").message, Catch::Contains("promotiond.http/1"));
}

TEST_CASE("strategy: the scratch directory ends with the call, the cache does not") {
    Services services;
    const auto strategies = load(services);
    const auto scratch = promote(*strategies, "scratch").summary;
    CHECK(scratch.starts_with(services.directory.path().string()));
    CHECK_FALSE(std::filesystem::exists(scratch));

    const auto cache = promote(*strategies, "cache").summary;
    CHECK(std::filesystem::status(cache).permissions() == std::filesystem::perms::owner_all);
    CHECK(promote(*strategies, "cache").summary == cache);
}

TEST_CASE("strategy: a configuration is checked against the schema, with the place of the fault") {
    Services services;
    const auto strategies = load(services, {&kActor, &kHook});
    const auto& actor = strategies->descriptions()[0];
    CHECK(strategies->validate(actor, R"({"url":"https://github.com/a/b"})"));
    const auto missing = strategies->validate(actor, "{}");
    REQUIRE_FALSE(missing);
    CHECK_THAT(missing.error().message, Catch::Contains("url"));
    const auto wrong = strategies->validate(actor, R"({"url":"x","labels":["a",7]})");
    REQUIRE_FALSE(wrong);
    CHECK_THAT(wrong.error().message, Catch::Contains("/labels/1"));
    CHECK_FALSE(strategies->validate(actor, R"({"url":"x","ulr":"y"})"));
    CHECK_FALSE(strategies->validate(actor, "{"));
    CHECK(strategies->validate(strategies->descriptions()[1], R"({"any":1})"));
    CHECK_FALSE(strategies->validate(strategies->descriptions()[1], "[]"));
}

TEST_CASE("strategy: a route is found by key, then type, then host") {
    Services services;
    const auto strategies = load(services, {&kActor, &kOther, &kHook});
    const auto name = [&](std::string_view key, std::string_view type, std::string_view url) {
        const auto found = strategies->route(key, type, url);
        return found ? (*found)->name : found.error().message;
    };
    CHECK(name("pullRequest", "github", "https://git.corp.test/a/b") == "actor");
    CHECK(name("pullRequest", "azure", "") == "other");
    CHECK(name("pullRequest", "", "https://GitHub.com/a/b") == "actor");
    CHECK(name("pullRequest", "", "git@ghe.test:a/b.git") == "actor");
    CHECK(name("pullRequest", "", "https://user@dev.azure.com:443/a") == "other");
    CHECK(name("pullRequest", "", "https://acme.visualstudio.com/a") == "other");
    CHECK(name("webhook", "", "https://any.test") == "hook");
    for (const char* url : {"https://visualstudio.com/a", "https://notvisualstudio.com/a"}) {
        CHECK_THAT(name("pullRequest", "", url), Catch::Contains("add a type"));
    }
    CHECK_THAT(name("pullRequest", "", "https://git.corp.test/a"), Catch::Contains("add a type"));
    CHECK_THAT(name("pullRequest", "gitlab", ""), Catch::Contains("type github"));
    CHECK_THAT(name("notification", "", ""), Catch::Contains("pullRequest, webhook"));
}

TEST_CASE("strategy: two claims on one route stop the start") {
    Services services;
    static constexpr auto kTwin = sdk::detail::plugin_of<Plain>(
        {.name = "twin", .key = "webhook", .version = "1", .summary = "again"});
    LoadOptions options;
    options.in_memory = {&kHook, &kTwin};
    const auto loaded = Strategies::load(options, services.host());
    REQUIRE_FALSE(loaded);
    CHECK_THAT(loaded.error().message,
               Catch::Contains("hook") && Catch::Contains("twin") && Catch::Contains("'webhook'"));
}

TEST_CASE("strategy: settings that a strategy refuses cost that strategy alone") {
    Services services;
    LoadOptions options;
    options.in_memory = {&kActor, &kHook};
    options.settings["actor"] = R"({"refuse":true})";
    const auto loaded = Strategies::load(options, services.host());
    REQUIRE(loaded);
    REQUIRE(loaded.value()->refusals().size() == 1);
    CHECK_THAT(loaded.value()->refusals()[0].message, Catch::Contains("settings.refuse is set"));
    CHECK(loaded.value()->descriptions().size() == 1);
}
