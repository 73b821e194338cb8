#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/masking.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "catch.hpp"

using namespace promotiond;
using namespace std::chrono_literals;

TEST_CASE("result: an error says its kind and keeps what was being done") {
    const Result<int> failed =
        context(Error{ErrorKind::Throttled, "slow down", 5s}, "cannot open a pull request");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().message == "cannot open a pull request: slow down");
    CHECK(failed.error().kind == ErrorKind::Throttled);
    CHECK(failed.error().retry_after == std::chrono::milliseconds(5000));
}

TEST_CASE("secret: moving leaves nothing behind") {
    Secret first("correct horse");
    Secret second = std::move(first);
    CHECK(second.reveal() == "correct horse");
    CHECK(first.empty());  // NOLINT(bugprone-use-after-move): that it is empty is the promise
}

TEST_CASE("log: a registered secret is masked wherever it stands") {
    log::redact("s3cr3t-value");
    CHECK(log::redacted("token=s3cr3t-value, again s3cr3t-value") == "token=***, again ***");
}

TEST_CASE("log: a short value is not masked, since that would eat ordinary words") {
    log::redact("prod");
    CHECK(log::redacted("promote to prod") == "promote to prod");
}

TEST_CASE("masking: values that overlap are hidden together, the longest wins") {
    Masking values(10);
    for (const char* each : {"abcdefgh", "abcdef", "ghijklmn"}) CHECK(values.add(each));
    CHECK(values.masked("<abcdefghijklmn>") == "<***>");
    CHECK(values.masked("abcdef abcdefgh") == "*** ***");
    CHECK(values.masked("abcdefabcdef") == "******");
    CHECK(values.masked("abcde") == "abcde");
    CHECK(values.masked("") == "");
}

TEST_CASE("masking: the oldest value is given up for one too many, and that is told") {
    Masking values(2);
    CHECK(values.add("first-value"));
    CHECK(values.add("second-value"));
    CHECK(values.add("first-value"));
    CHECK(values.masked("first-value") == "***");
    CHECK_FALSE(values.add("third-value"));
    CHECK(values.masked("first-value second-value third-value") == "first-value *** ***");
    CHECK_FALSE(values.add("first-value"));
    CHECK(values.masked("first-value second-value third-value") == "*** second-value ***");
}

TEST_CASE("masking: values may come while texts are searched") {
    Masking values(1000);
    std::jthread adding([&values] {
        for (int i = 0; i < 500; ++i) (void)values.add("value-" + std::to_string(i));
    });
    for (int i = 0; i < 500; ++i) (void)values.masked("a text with value-7 in it");
    adding.join();
    CHECK(values.masked("a text with value-7 in it") == "a text with *** in it");
}

TEST_CASE("metrics: text form has help, type, labels and cumulative buckets") {
    Metrics metrics;
    metrics.counter("promotiond_events_total", "Events.", {{"verdict", "a\"b\n"}}).add(3);
    auto& seconds = metrics.histogram("promotiond_wait_seconds", "Waits.", {0.1, 1});
    seconds.observe(0.05);
    seconds.observe(0.5);
    seconds.observe(7);
    const std::string text = metrics.render();
    CHECK(text.find("# TYPE promotiond_events_total counter") != std::string::npos);
    CHECK(text.find("promotiond_events_total{verdict=\"a\\\"b\\n\"} 3\n") != std::string::npos);
    CHECK(text.find("promotiond_wait_seconds_bucket{le=\"0.1\"} 1\n") != std::string::npos);
    CHECK(text.find("promotiond_wait_seconds_bucket{le=\"1\"} 2\n") != std::string::npos);
    CHECK(text.find("promotiond_wait_seconds_bucket{le=\"+Inf\"} 3\n") != std::string::npos);
    CHECK(text.find("promotiond_wait_seconds_count 3\n") != std::string::npos);
}

TEST_CASE("clock: a manual clock moves both of its hands") {
    ManualClock clock;
    const auto wall = clock.now();
    const auto steady = clock.steady_now();
    clock.advance(1500ms);
    CHECK(clock.now() - wall == 1500ms);
    CHECK(clock.steady_now() - steady == 1500ms);
}
