// What a strategy author may rely on: the C++ layer, driven through its C functions by FakeHost.
#include <promotiond/testing.hpp>

#include <filesystem>

#include "catch.hpp"

namespace sdk = promotiond::sdk;
using sdk::testing::FakeHost;
using sdk::testing::Verdict;

namespace {

// Does what the revision says.
class Actor : public sdk::Strategy, public sdk::Observes, public sdk::Plans, public sdk::HasLane {
public:
    explicit Actor(const sdk::Settings& settings) : settings_(settings.json) {
        if (settings_ == "bad") throw std::invalid_argument("settings: expected an object");
    }

    sdk::Outcome promote(const sdk::Promotion& promotion, sdk::Call& call) override {
        const auto& act = promotion.revision;
        if (act == "done") return sdk::Outcome::done("https://x.test/1").with_summary("ok");
        if (act == "pending") return sdk::Outcome::pending("https://x.test/2", "2");
        if (act == "retry") return sdk::Outcome::retry_after(std::chrono::seconds{30}, "busy");
        if (act == "throw rejected") throw sdk::Rejected("no such repository");
        if (act == "throw retry") throw sdk::Retry("later", std::chrono::seconds{5});
        if (act == "throw other") throw std::out_of_range("index 7");
        if (act == "throw int") throw 7;
        if (act == "secret") return use_secret(call);
        if (act == "http") return use_http(call);
        if (act == "scratch") return use_scratch(call);
        if (act == "waits")
            return call.cancelled() ? sdk::Outcome::cancelled() : sdk::Outcome::done();
        return sdk::Outcome::rejected("unknown act");
    }
    sdk::Outcome observe(const sdk::Promotion&, std::string_view external_id,
                         std::string_view details, sdk::Call&) override {
        return sdk::Outcome::done("https://x.test/" + std::string(external_id))
            .with_details(std::string(details));
    }
    sdk::Outcome plan(const sdk::Promotion&, sdk::Call&) override {
        return sdk::Outcome::done().with_details(R"({"diff":"-a\n+b"})");
    }
    std::string lane(const sdk::Promotion& promotion) const override {
        return "lane of " + std::string(promotion.environment);
    }

private:
    static sdk::Outcome use_secret(const sdk::Call& call) {
        const auto secret = call.secret("forge", "token");
        if (!secret) return sdk::Outcome::from(secret.error());
        return sdk::Outcome::done().with_summary(std::string(secret.value().reveal()));
    }
    static sdk::Outcome use_http(const sdk::Call& call) {
        const auto answer = call.http({.method = "POST",
                                       .url = "https://forge.test/pulls",
                                       .headers = {{"X-One", "1"}},
                                       .body = "{}"});
        if (!answer) return sdk::Outcome::from(answer.error());
        return sdk::Outcome::done().with_summary(std::to_string(answer->code) +
                                                 std::string(answer->header("content-type")));
    }
    static sdk::Outcome use_scratch(const sdk::Call& call) {
        const auto path = call.scratch_directory();
        if (!path) return sdk::Outcome::from(path.error());
        return sdk::Outcome::done().with_summary(*path);
    }

    std::string settings_;
};

class Plain : public sdk::Strategy {
public:
    sdk::Outcome promote(const sdk::Promotion&, sdk::Call&) override {
        return sdk::Outcome::done();
    }
};

Verdict act(FakeHost& host, const std::string& what) {
    return host.make<Actor>().promote({.revision = what});
}

}  // namespace

TEST_CASE("sdk: an outcome reaches the host with its answer") {
    FakeHost host;
    const auto done = act(host, "done");
    CHECK(done.outcome == PROMOTIOND_DONE);
    CHECK(done.summary == "ok");
    CHECK(done.location == "https://x.test/1");

    const auto pending = act(host, "pending");
    CHECK(pending.outcome == PROMOTIOND_PENDING);
    CHECK(pending.external_id == "2");

    const auto retry = act(host, "retry");
    CHECK(retry.outcome == PROMOTIOND_RETRY);
    CHECK(retry.message == "busy");
    CHECK(retry.retry_after == std::chrono::seconds{30});
    CHECK(host.breaches().empty());
}

TEST_CASE("sdk: no exception crosses, and each kind has its outcome") {
    FakeHost host;
    CHECK(act(host, "throw rejected").outcome == PROMOTIOND_REJECTED);
    CHECK(act(host, "throw rejected").message == "no such repository");
    CHECK(act(host, "throw retry").outcome == PROMOTIOND_RETRY);
    CHECK(act(host, "throw retry").retry_after == std::chrono::seconds{5});
    CHECK(act(host, "throw other").outcome == PROMOTIOND_RETRY);
    CHECK(act(host, "throw other").message == "unexpected exception: index 7");
    CHECK(act(host, "throw int").outcome == PROMOTIOND_RETRY);
}

TEST_CASE("sdk: a constructor that throws refuses the settings") {
    FakeHost host;
    CHECK_THROWS_WITH(host.make<Actor>("bad"), Catch::Contains("settings: expected an object"));
}

TEST_CASE("sdk: a secret arrives byte for byte, and what is missing is named") {
    FakeHost host;
    // Often mounted seconds after the Pipeline came.
    CHECK(act(host, "secret").outcome == PROMOTIOND_RETRY);
    CHECK_THAT(act(host, "secret").message, Catch::Contains("secret 'forge': there is none"));

    host.add_secret("forge", "other", "x");
    CHECK(act(host, "secret").outcome == PROMOTIOND_REJECTED);
    CHECK_THAT(act(host, "secret").message, Catch::Contains("no key 'token'"));

    host.add_secret("forge", "token", std::string("a\0b\n", 4));
    CHECK(act(host, "secret").summary == std::string("a\0b\n", 4));

    host.break_secrets();
    CHECK(act(host, "secret").outcome == PROMOTIOND_RETRY);
}

TEST_CASE("sdk: an HTTP answer is a value whatever its code, and only no answer is an error") {
    FakeHost host;
    host.answer_http({.code = 503, .headers = {{"Content-Type", "text/plain"}}, .body = "no"});
    CHECK(act(host, "http").summary == "503text/plain");
    REQUIRE(host.requests().size() == 1);
    CHECK(host.requests()[0].method == "POST");
    CHECK(host.requests()[0].header("x-one") == "1");

    host.answer_http({.status = PROMOTIOND_HTTP_BAD_ANSWER, .error = "cut off"});
    CHECK(act(host, "http").outcome == PROMOTIOND_RETRY);
    host.answer_http({.status = PROMOTIOND_HTTP_REFUSED, .error = "not allowed"});
    CHECK(act(host, "http").outcome == PROMOTIOND_REJECTED);
    host.cancel();
    CHECK(act(host, "http").outcome == PROMOTIOND_CANCELLED);
}

TEST_CASE("sdk: a header with a line break never leaves the strategy") {
    FakeHost host;
    const auto verdict = host.run([&](const promotiond_call* call) {
        const auto answer = sdk::Call(host.c_host(), *call)
                                .http({.url = "https://x.test", .headers = {{"A", "1\r\nB: 2"}}});
        return sdk::Outcome::from(answer.error()).code;
    });
    CHECK(verdict.outcome == PROMOTIOND_REJECTED);
    CHECK(host.requests().empty());
}

TEST_CASE("sdk: a host without a service is an error, not a crash") {
    FakeHost host;
    host.remove_service(PROMOTIOND_EXT_HTTP);
    CHECK_THAT(act(host, "http").message, Catch::Contains("promotiond.http/1"));
}

TEST_CASE("sdk: the scratch directory is private to the call and gone after it") {
    FakeHost host;
    const auto verdict = act(host, "scratch");
    REQUIRE(verdict.outcome == PROMOTIOND_DONE);
    CHECK_FALSE(std::filesystem::exists(verdict.summary));
}

TEST_CASE("sdk: a verb learns of the deadline and of cancellation by one question") {
    FakeHost host;
    CHECK(act(host, "waits").outcome == PROMOTIOND_DONE);
    host.set_deadline(std::chrono::milliseconds{0});
    CHECK(act(host, "waits").outcome == PROMOTIOND_CANCELLED);
    host.set_deadline(std::chrono::seconds{1});
    host.cancel();
    CHECK(act(host, "waits").outcome == PROMOTIOND_CANCELLED);
}

TEST_CASE("sdk: optional abilities are found by inheritance alone") {
    FakeHost host;
    auto actor = host.make<Actor>();
    CHECK(actor.observe({}, "9", "{}").location == "https://x.test/9");
    CHECK(actor.plan({}).details == R"({"diff":"-a\n+b"})");
    CHECK(actor.lane({.environment = "qa"}) == "lane of qa");

    auto plain = host.make<Plain>();
    CHECK_FALSE(plain.offers(PROMOTIOND_EXT_OBSERVE));
    CHECK_FALSE(plain.offers(PROMOTIOND_EXT_PLAN));
    CHECK_FALSE(plain.offers(PROMOTIOND_EXT_LANE));
    CHECK(plain.promote({}).outcome == PROMOTIOND_DONE);
}

TEST_CASE("sdk: a request from an older host is read no further than its size") {
    FakeHost host;
    auto strategy = host.make<Actor>();
    promotiond_request request{};
    request.size = offsetof(promotiond_request, environment);
    request.environment = {reinterpret_cast<const char*>(1), 100};  // must not be touched
    CHECK(sdk::detail::promotion_of(request).environment.empty());
}

TEST_CASE("sdk: FakeHost reports a second answer and an unknown outcome") {
    FakeHost host;
    const auto verdict = host.run([](const promotiond_call* call) {
        promotiond_result result{};
        result.size = sizeof result;
        call->answer(call, &result);
        call->answer(call, &result);
        return promotiond_outcome{42};
    });
    CHECK(verdict.outcome == 42);
    CHECK(host.breaches().size() == 2);
}
