// The promotion endpoints: signatures, statuses, waiting, rate limit.
#include "http/auth.hpp"
#include "http/peer.hpp"
#include "http/rate_limit.hpp"
#include "http/target.hpp"
#include "tests/unit/http_fixture.hpp"

using namespace http_test;
using std::chrono::milliseconds;

namespace {

std::string event_with(const std::string& headers) {
    return post("/promotion/default/app/dev", kEvent, headers);
}

}  // namespace

TEST_CASE("http: a signed event is answered with its promotion once it is durable") {
    Running daemon;
    const Answer answer = daemon.ask(signed_event());
    CHECK(answer.status == 202);
    CHECK(answer.header("Location") == "/api/v1/promotions/p-1");
    CHECK(
        answer.body ==
        R"({"verdict":"Promote","awaitingApproval":false,"reasons":[{"code":"runs-successfully","text":"dev runs it"}],"promotions":["p-1"]})");
    REQUIRE(daemon.core.events_seen.size() == 1);
    const auto& event = daemon.core.events_seen[0];
    CHECK(event.pipeline.text() == "default/app");
    CHECK(event.environment == "dev");
    CHECK(event.event.revision == "5.0.0");
    CHECK(event.body == kEvent);
    CHECK(event.digest == http::sha256_hex(kEvent));
    CHECK(event.peer == "127.0.0.1");
}

TEST_CASE("http: signatures of Flux and pipeline-controller are taken, all four algorithms") {
    const std::string flux =
        R"({"involvedObject":{"kind":"GitRepository","namespace":"gitops-system","name":"webapp"},"severity":"info","timestamp":"2022-09-30T06:40:29Z","message":"message","reason":"reason","metadata":{"test":"metadata"},"reportingController":"source-controller","reportingInstance":"source-controller-xyz"})";
    const auto sent = http::parse_signature(
        "sha256=65b018549b1254e7226d1c08f9567ee45bc9de0fc4e7b1a40253f9a018b08be7");
    REQUIRE(sent);
    CHECK(http::signed_with("7152fed34dd6149a7c75a276c510da27cb6f82b0", *sent, flux));
    for (
        const char* header :
        {"sha224=e66bf62f87d8f30ef85f3fa071635672fb0151497ca6a7d2484c7269",
         "sha256=4dbd2292025f21bd07ca900059e19286df5ad14c05c4f00f19a2959f2d1ac56b",
         "sha256=4DBD2292025F21BD07CA900059E19286DF5AD14C05C4F00F19A2959F2D1AC56B",
         "sha384=9244df5a8b48c3c59e97ae440f194ad0fb70a9704262c8f15066b7f0589daac59962115dab83ee525d"
         "f203f608402567",
         "sha512=cdac88e1892e0f32e35e198b9cf4c88593c06ea85a7592c611ae3ffa1e501e848779017761aedb9f98"
         "483e10406784638d1344f87eeafce186c54b108c55c60f"}) {
        const auto signature = http::parse_signature(header);
        REQUIRE(signature);
        CHECK(http::signed_with("hmac-secret", *signature, ""));
        CHECK_FALSE(http::signed_with("hmac-secret", *signature, "x"));
        CHECK_FALSE(http::signed_with("other", *signature, ""));
    }
}

TEST_CASE("http: whatever is wrong with a signature, the answer is the same 401") {
    Running daemon;
    const std::string hex = kEventSignature.substr(7);
    std::vector<std::string> requests{
        event_with(""),
        event_with("X-Signature: \r\n"),
        event_with("X-Signature: sha256=invalid\r\n"),
        event_with("X-Signature: sha256=" + std::string(64, '0') + "\r\n"),
        event_with("X-Signature: sha256=" + hex.substr(0, 62) + "\r\n"),
        event_with("X-Signature: sha256=" + hex + "00\r\n"),
        event_with("X-Signature: sha1=" + hex + "\r\n"),
        event_with("X-Signature: SHA256=" + hex + "\r\n"),
        event_with("X-Signature: " + hex + "\r\n"),
        event_with("X-Signature: sha256=" + std::string(10'000, 'a') + "\r\n"),
        event_with("X-Signature: sha256=" + hex + "\r\nX-Signature: sha256=" + hex + "\r\n"),
        post("/promotion/ns/app/env", kEvent, "X-Signature: sha256=" + hex + "\r\n"),
        post("/promotion/ns/app/env", "no json"),
        post("/promotion/default/app/dev", kEvent + " ", "X-Signature: sha256=" + hex + "\r\n")};
    std::string detail;
    for (const std::string& request : requests) {
        const Answer answer = daemon.ask(request);
        CHECK(answer.status == 401);
        const std::string now = answer.body.substr(0, answer.body.find("request_id"));
        if (detail.empty()) detail = now;
        CHECK(now == detail);
    }
    daemon.secrets.all.clear();
    CHECK(daemon.ask(signed_event()).status == 401);
    CHECK(daemon.core.seen() == 0);
    CHECK(daemon.health("/metrics")
              .body.find(R"(promotiond_events_rejected_total{reason="signature"} 15)") !=
          std::string::npos);
    daemon.secrets.all["default/app/token"] = "hmac-secret";
    daemon.good_event_works();
}

TEST_CASE("http: upper-case hex signs as well") {
    Running daemon;
    std::string hex = kEventSignature.substr(7);
    for (char& c : hex) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    CHECK(daemon.ask(event_with("X-Signature: sha256=" + hex + "\r\n")).status == 202);
}

TEST_CASE(
    "http: while the key cannot be read a sender is told to come again, not that it is wrong") {
    for (const auto kind : {ErrorKind::Transient, ErrorKind::Throttled, ErrorKind::Unauthorized}) {
        Running daemon;
        daemon.secrets.failing = Error{kind, "the store says nothing"};
        const Answer answer = daemon.ask(event_with("X-Signature: " + kEventSignature + "\r\n"));
        CHECK(answer.status == 503);
        CHECK_FALSE(answer.header("Retry-After").empty());
        CHECK(answer.body.find("the store") == std::string::npos);
        CHECK(daemon.ask(event_with("")).status == 401);
        CHECK(daemon.core.seen() == 0);
    }
}

TEST_CASE("http: unsigned events are taken only where allowed, and only if nothing signs") {
    Running strict({}, std::nullopt);
    const Answer refused = strict.ask(event_with(""));
    CHECK(refused.status == 401);
    CHECK(refused.body.find("unsigned events") != std::string::npos);

    http::Options options;
    options.allow_unsigned_events = true;
    Running open(options, std::nullopt);
    CHECK(open.ask(event_with("")).status == 202);
    CHECK(open.ask(post("/promotion/ns/app/env", kEvent)).status == 404);
    open.use(pipeline("app"));
    CHECK(open.ask(event_with("")).status == 401);
    // A secret of the next environment's policy counts as well, under any environment's name.
    auto changed = pipeline(std::nullopt);
    changed.promotion.reset();
    changed.environments[1].promotion.emplace();
    changed.environments[1].promotion->hmac_secret = "app";
    open.use(changed);
    CHECK(open.ask(event_with("")).status == 401);
    CHECK(open.ask(post("/promotion/default/app/prod", kEvent)).status == 401);
    CHECK(open.ask(post("/promotion/default/app/foo", kEvent)).status == 401);
    open.good_event_works();
}

TEST_CASE("http: bodies that are no event, and events that cannot promote, say so") {
    http::Options options;
    options.allow_unsigned_events = true;
    Running daemon(options, std::nullopt);
    const auto send = [&](const std::string& body) {
        return daemon.ask(post("/promotion/default/app/dev", body));
    };
    CHECK(send("").status == 400);
    CHECK(send("incompatible").status == 400);
    CHECK(send("[]").status == 400);
    CHECK(send(kEvent + "x").status == 400);
    const Answer without = send(R"({"involvedObject":{},"metadata":{}})");
    CHECK(without.status == 422);
    CHECK(without.body.find(R"("detail":"event has no 'revision' in the metadata field.")") !=
          std::string::npos);
    daemon.core.accepted = Error{ErrorKind::Invalid, "environment no-targets has no targets"};
    const Answer invalid = send(kEvent);
    CHECK(invalid.status == 422);
    CHECK(invalid.body.find(R"("detail":"environment no-targets has no targets")") !=
          std::string::npos);
}

TEST_CASE("http: what the core cannot do now is never answered as done") {
    Running daemon;
    const auto status_for = [&](ErrorKind kind) {
        daemon.core.accepted = Error{kind, "a reason with /a/path"};
        const Answer answer = daemon.ask(signed_event());
        CHECK(answer.body.find("/a/path") == std::string::npos);
        if (answer.status == 503) CHECK_FALSE(answer.header("Retry-After").empty());
        return answer.status;
    };
    CHECK(status_for(ErrorKind::Transient) == 503);
    CHECK(status_for(ErrorKind::Throttled) == 503);
    CHECK(status_for(ErrorKind::Conflict) == 500);
    CHECK(status_for(ErrorKind::Internal) == 500);
}

TEST_CASE("http: held and ignored events are 202 without a location, never 204") {
    http::Options options;
    options.wait = milliseconds{1000};
    for (const bool compatible : {false, true}) {
        Running daemon(compatible ? options : http::Options{});
        daemon.core.accepted =
            engine::Accepted{decision::Verdict::Hold, {{"waiting", "more targets"}}, {}, false};
        const Answer answer = daemon.ask(signed_event());
        CHECK(answer.status == 202);
        CHECK(answer.header("Location").empty());
    }
}

TEST_CASE("http: who waits for several promotions of one event waits for all of them") {
    Running daemon;
    daemon.core.accepted->promotions = {"p-1", "p-2"};
    auto& first = *daemon.core.settled;
    auto& second = daemon.core.second;
    second.id = "p-2";
    first.phase = model::Phase::Succeeded;
    second.phase = model::Phase::Running;
    CHECK(daemon.ask(signed_event("?wait=20s")).status == 202);
    second.phase = model::Phase::Pending;
    CHECK(daemon.ask(signed_event("?wait=20s")).status == 204);
    second.location = "https://forge/pull/8";
    CHECK(daemon.ask(signed_event("?wait=20s")).header("Location") == "https://forge/pull/8");
    first.location = "https://forge/pull/7";
    CHECK(daemon.ask(signed_event("?wait=20s")).header("Location") == "https://forge/pull/7");
    second.location.clear();
    second.phase = model::Phase::Failed;
    CHECK(daemon.ask(signed_event("?wait=20s")).status == 500);
}

TEST_CASE("http: who waits gets the location, as pipeline-controller gave it") {
    Running daemon;
    daemon.core.settled->location = "https://forge/pull/7";
    daemon.core.settled->phase = model::Phase::Pending;
    const Answer created = daemon.ask(signed_event("?wait=20s"));
    CHECK(created.status == 201);
    CHECK(created.header("Location") == "https://forge/pull/7");
    CHECK(created.body.empty());
    CHECK(daemon.core.settle_deadline == daemon.clock.steady_now() + milliseconds{20'000});

    daemon.core.settled->location.clear();
    CHECK(daemon.ask(signed_event("?wait=20s")).status == 204);
    daemon.core.settled->phase = model::Phase::Failed;
    const Answer failed = daemon.ask(signed_event("?wait=500ms"));
    CHECK(failed.status == 500);
    CHECK(failed.body.find("error promoting application, please consult the promotion server's "
                           "logs") != std::string::npos);
    daemon.core.settled->phase = model::Phase::Running;
    CHECK(daemon.ask(signed_event("?wait=1h")).status == 400);
    const Answer late = daemon.ask(signed_event("?wait=5m"));
    CHECK(late.status == 202);
    CHECK(late.header("Location") == "/api/v1/promotions/p-1");
    CHECK(daemon.core.settle_deadline == daemon.clock.steady_now() + milliseconds{60'000});
    daemon.core.settled = Error{ErrorKind::Invalid, "nothing serves it"};
    CHECK(daemon.ask(signed_event("?wait=5m")).status == 500);
}

TEST_CASE("http: a manual gate is 202, and 204 in compatibility mode") {
    Running daemon;
    daemon.core.accepted->awaiting_approval = true;
    CHECK(daemon.ask(signed_event()).status == 202);
    http::Options options;
    options.wait = milliseconds{1000};
    Running compatible(options);
    compatible.core.accepted->awaiting_approval = true;
    CHECK(compatible.ask(signed_event()).status == 204);
}

TEST_CASE("http: a location with a line break cannot split the answer") {
    Running daemon;
    daemon.core.settled->location = "https://forge/\r\nX-Evil: 1";
    const Answer answer = daemon.ask(signed_event("?wait=1s"));
    CHECK(answer.status == 201);
    CHECK(answer.head.find("X-Evil") == std::string::npos);
}

TEST_CASE("http: approvals are signed over nothing and name revisions with slashes") {
    Running daemon;
    const std::string sign = "X-Signature: " + kEmptySignature + "\r\n";
    CHECK(daemon.ask(post("/approval/default/app/prod/5.0.0", "", sign)).status == 202);
    CHECK(daemon
              .ask("POST /approval/default/app/prod/main/abc%2Fd HTTP/1.1\r\nHost: a\r\n" + sign +
                   "\r\n")
              .status == 202);
    REQUIRE(daemon.core.approvals.size() == 2);
    CHECK(daemon.core.approvals[0].second.environment == "prod");
    CHECK(daemon.core.approvals[0].second.revision == "5.0.0");
    CHECK(daemon.core.approvals[0].second.actor == "approval:127.0.0.1");
    CHECK(daemon.core.approvals[1].second.revision == "main/abc/d");
    CHECK(
        daemon.ask(post("/approval/default/app/prod/5.0.0", "", "X-Signature: sha256=invalid\r\n"))
            .status == 401);
    CHECK(daemon.ask(post("/approval/default/app/prod/5.0.0", "")).status == 401);
    CHECK(daemon.ask(post("/approval/ns/app/env", "", sign)).status == 404);
    daemon.core.accepted = Error{ErrorKind::Invalid, "failed approving promotion"};
    const Answer wrong = daemon.ask(post("/approval/default/app/prod/4.0.0", "", sign));
    CHECK(wrong.status == 422);
    CHECK(wrong.body.find("failed approving promotion") != std::string::npos);
}

TEST_CASE("http: the rate limit counts per peer, says until when, and forgets") {
    http::Options options;
    options.rate_requests = 3;
    options.rate_interval = milliseconds{500};
    Running daemon(options);
    for (int i = 0; i < 3; ++i) CHECK(daemon.ask(signed_event()).status == 202);
    const Answer fourth = daemon.ask(signed_event());
    CHECK(fourth.status == 429);
    CHECK(fourth.header("Retry-After") == "Tue, 14 Nov 2023 22:13:21 GMT");
    // A claim to be someone else changes nothing without trusted proxies.
    CHECK(daemon.ask(event_with("X-Forwarded-For: 192.0.2.1\r\n")).status == 429);
    Client other(daemon.server->listen_address(), "127.0.0.2");
    CHECK(other.ask(signed_event()).status == 202);
    CHECK(daemon.ask(get("/api/v1/version")).status == 200);
    daemon.clock.advance(milliseconds{1000});
    CHECK(daemon.ask(signed_event()).status == 202);
    CHECK(daemon.core.seen() == 5);
}

TEST_CASE("http: forwarded addresses are believed from trusted proxies, rightmost first") {
    const auto trusted = http::AddressRanges::parse({"10.0.0.0/8", "fd00::/8", "192.0.2.7"});
    REQUIRE(trusted);
    const auto client = [&](const std::string& peer, const http::Headers& headers) {
        return http::client_of(*http::Address::parse(peer), headers, *trusted).text();
    };
    CHECK(client("203.0.113.1", {{"x-forwarded-for", "1.2.3.4"}}) == "203.0.113.1");
    CHECK(client("10.1.1.1", {{"x-forwarded-for", "9.9.9.9, 1.2.3.4, 10.2.2.2"}}) == "1.2.3.4");
    CHECK(client("10.1.1.1", {{"x-forwarded-for", "9.9.9.9"}, {"x-forwarded-for", "1.2.3.4:80"}}) ==
          "1.2.3.4");
    CHECK(client("10.1.1.1", {{"x-forwarded-for", "1.2.3.4, garbage"}}) == "10.1.1.1");
    CHECK(client("192.0.2.7", {{"x-real-ip", "2001:db8::1"}}) == "2001:db8::1");
    CHECK(client("fd00::1", {{"x-forwarded-for", "[2001:db8::2]:443"}}) == "2001:db8::2");
    CHECK(http::Address::parse("2001:db8::1")->limit_key() ==
          http::Address::parse("2001:db8::ffff")->limit_key());
    CHECK(http::Address::parse("2001:db8::1")->limit_key() !=
          http::Address::parse("2001:db8:0:1::1")->limit_key());
    for (const char* bad : {"10.0.0.0/33", "10.0.0.0/", "nonsense", "fd00::/129", ""}) {
        CHECK_FALSE(http::AddressRanges::parse({bad}));
    }
}

TEST_CASE("http: a window begins with the first request and counts the refused ones") {
    http::RateLimit limit(3, milliseconds{500});
    const SteadyTime start{};
    for (int i = 0; i < 3; ++i) CHECK_FALSE(limit.hit("A", start));
    CHECK(limit.hit("A", start + milliseconds{100}) == milliseconds{400});
    CHECK_FALSE(limit.hit("B", start));
    CHECK_FALSE(limit.hit("A", start + milliseconds{1000}));
    CHECK(limit.clients() == 1);
}

TEST_CASE("http: times are a number and a unit") {
    CHECK(*http::parse_duration("500ms") == milliseconds{500});
    CHECK(*http::parse_duration("20s") == milliseconds{20'000});
    CHECK(*http::parse_duration("1m") == milliseconds{60'000});
    for (const char* bad : {"", "20", "s", "-1s", "1.5s", "1h", "9999999999s", "4294967295m"}) {
        CHECK_FALSE(http::parse_duration(bad));
    }
}
