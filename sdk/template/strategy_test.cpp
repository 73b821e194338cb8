// A plain program, so that it needs no test framework; use the one you like.
#include <promotiond/testing.hpp>

#include <cstdio>

using promotiond::sdk::testing::FakeHost;

namespace {

int failures = 0;

void expect(bool holds, const char* promise) {
    if (!holds) ++failures;
    std::printf("%s: %s\n", holds ? "ok" : "FAILED", promise);
}

}  // namespace

int main() {
    FakeHost host;
    auto strategy = host.make(promotiond_plugin_v1);
    expect(strategy.promote({}).outcome == PROMOTIOND_RETRY,
           "until its secret is there it is tried again");

    host.add_secret("deploy-service", "token", "t0ken");
    host.answer_http({.code = 202, .headers = {{"Location", "https://deploy.example.com/r/1"}}});
    const auto pending = strategy.promote({.environment = "prod", .revision = "1.2.3"});
    expect(pending.outcome == PROMOTIOND_PENDING, "an accepted run is pending");
    expect(pending.location == "https://deploy.example.com/r/1", "people are told where to look");
    expect(host.requests().back().url == "https://deploy.example.com/runs/prod-1.2.3",
           "the run's name is made of environment and revision");

    host.answer_http({.code = 200});
    expect(strategy.observe({}, pending.external_id).outcome == PROMOTIOND_DONE,
           "a run that runs is done");
    host.answer_http({.code = 503});
    expect(strategy.promote({}).outcome == PROMOTIOND_RETRY, "a busy service is tried again");
    host.answer_http({.code = 403});
    expect(strategy.promote({}).outcome == PROMOTIOND_REJECTED, "a refusal is final");
    expect(host.breaches().empty(), "the contract is kept");
    return failures == 0 ? 0 : 1;
}
