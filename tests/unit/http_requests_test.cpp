// What the HTTP reader refuses, by raw bytes; deadlines, limits and the end.
#include "tests/unit/http_fixture.hpp"

using namespace http_test;
using std::chrono::milliseconds;

namespace {

struct Row {
    const char* what;
    std::string bytes;
    unsigned status;
};

const std::string kHost = "Host: localhost\r\n";

std::vector<Row> refused_requests() {
    const std::string line = "POST /promotion/default/app/dev HTTP/1.1\r\n" + kHost;
    const std::string sign = "X-Signature: " + kEventSignature + "\r\n";
    std::vector<Row> rows{
        {"CL and TE", line + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"TE and CL", line + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
         400},
        {"two lengths", line + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
        {"the same length twice", line + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
         400},
        {"a list of lengths", line + "Content-Length: 5, 5\r\n\r\nhello", 400},
        {"negative length", line + "Content-Length: -5\r\n\r\nhello", 400},
        {"signed length", line + "Content-Length: +5\r\n\r\nhello", 400},
        {"hex length", line + "Content-Length: 0x5\r\n\r\nhello", 400},
        {"empty length", line + "Content-Length: \r\n\r\nhello", 400},
        {"overflowing length", line + "Content-Length: 99999999999999999999\r\n\r\nhello", 400},
        {"xchunked", line + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
        {"gzip, chunked", line + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        {"chunked twice", line + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"chunks in 1.0",
         "POST /promotion/default/app/dev HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"bad chunk size",
         line + sign + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", 400},
        {"overflowing chunk size",
         line + sign + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
         400},
        {"no host", "GET /openapi.yaml HTTP/1.1\r\n\r\n", 400},
        {"two hosts", "GET /openapi.yaml HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"LF only", "GET /openapi.yaml HTTP/1.1\nHost: a\n\n", 400},
        {"LF in the head", "GET /openapi.yaml HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
        {"folded line", "GET /openapi.yaml HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400},
        {"NUL",
         "GET /openapi.yaml HTTP/1.1\r\nHost: a\r\nX: b" + std::string(1, '\0') + "c\r\n\r\n", 400},
        {"space before the colon", "GET /openapi.yaml HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        {"version 9.9", "GET /openapi.yaml HTTP/9.9\r\n" + kHost + "\r\n", 505},
        {"version 2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400},
        {"asterisk form", "OPTIONS * HTTP/1.1\r\n" + kHost + "\r\n", 400},
        {"authority form", "CONNECT a:443 HTTP/1.1\r\n" + kHost + "\r\n", 405},
        {"long target", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n", 414},
        {"very long target", "GET /" + std::string(17'000, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n",
         414},
        {"long header",
         "GET / HTTP/1.1\r\n" + kHost + "X: " + std::string(17'000, 'a') + "\r\n\r\n", 431},
        {"announced over the limit", line + "Content-Length: 1073741824\r\n\r\n", 413},
        {"unknown expectation", line + "Expect: tea\r\nContent-Length: 5\r\n\r\nhello", 417},
        {"random bytes", "\x01\x02\xff\xfe\x80", 400},
    };
    std::string many = "GET / HTTP/1.1\r\n" + kHost;
    for (int i = 0; i < 100; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
    rows.push_back({"101 headers", many + "\r\n", 431});
    return rows;
}

}  // namespace

TEST_CASE(
    "http: ambiguous and malformed requests are refused, the connection ends, the next works") {
    Running daemon;
    for (const Row& row : refused_requests()) {
        INFO(row.what);
        Client client(daemon.server->listen_address());
        // A second request behind it must never run.
        const Answer answer = client.ask(row.bytes + signed_event());
        CHECK(answer.status == row.status);
        CHECK(answer.header("Content-Type") == "application/problem+json");
        CHECK(answer.header("Connection") == "close");
        CHECK(client.closed());
        CHECK(daemon.core.seen() == 0);
    }
    daemon.good_event_works();
}

TEST_CASE("http: paths are decoded once, and odd ones lead nowhere") {
    Running daemon;
    const std::vector<std::pair<std::string, unsigned>> rows{
        {"/promotion//app/dev", 404},
        {"/promotion/default/../dev", 404},
        {"/promotion/default/%2e%2e/dev", 404},
        {"/promotion/default/./dev", 404},
        {"/promotion/default/app%00/dev", 400},
        {"/promotion/default/app%0d/dev", 400},
        {"/promotion/default/app%zz/dev", 400},
        {"/promotion/default/app%2", 400},
        {"/PROMOTION/default/app/dev", 404},
        {"/promotion/default/app/dev/more", 404},
        {"/promotion/default/app", 404},
        {"/", 404},
        {"/promotion/default/%2561pp/dev", 401},
        {"/nothing", 404}};
    for (const auto& [path, status] : rows) {
        INFO(path);
        CHECK(daemon.ask(post(path, kEvent, "X-Signature: " + kEventSignature + "\r\n")).status ==
              status);
    }
    CHECK(daemon.core.seen() == 0);
    for (const char* path : {"/", "/promotion", "/promotion/", "/approval/default/app"}) {
        INFO(path);
        const Answer answer = daemon.ask(get(path));
        CHECK(answer.status == 405);
        CHECK(answer.header("Allow") == "POST");
    }
    CHECK(daemon.ask(get("/nothing")).status == 404);
    for (const char* path : {"/promotion/default/app/dev/", "/promotion/default/%61pp/dev",
                             "/pipelines/promotions/default/app/dev", "/default/app/dev",
                             "http://elsewhere/promotion/default/app/dev"}) {
        INFO(path);
        CHECK(daemon.ask(post(path, kEvent, "X-Signature: " + kEventSignature + "\r\n")).status ==
              202);
    }
    CHECK(daemon.core.seen() == 5);
}

TEST_CASE("http: a configured prefix may stand in front of every path") {
    http::Options options;
    options.path_prefix = "/gitops/hooks";
    Running daemon(options);
    const std::string sign = "X-Signature: " + kEventSignature + "\r\n";
    CHECK(daemon.ask(post("/gitops/hooks/promotion/default/app/dev", kEvent, sign)).status == 202);
    CHECK(daemon.ask(post("/promotion/default/app/dev", kEvent, sign)).status == 202);
}

TEST_CASE("http: other methods on the event path are told what it takes") {
    Running daemon;
    for (const char* method : {"GET", "PUT", "DELETE", "TRACE", "PATCH"}) {
        const Answer answer = daemon.ask(
            std::string(method) + " /promotion/default/app/dev HTTP/1.1\r\n" + kHost + "\r\n");
        CHECK(answer.status == 405);
        CHECK(answer.header("Allow") == "POST");
    }
}

TEST_CASE("http: an event without length is asked for one; other media and codings are refused") {
    Running daemon;
    CHECK(daemon.ask("POST /promotion/default/app/dev HTTP/1.1\r\n" + kHost + "\r\n").status ==
          411);
    const std::string sign = "X-Signature: " + kEventSignature + "\r\n";
    const auto with = [&](const std::string& headers) {
        return daemon.ask(post("/promotion/default/app/dev", kEvent, sign + headers)).status;
    };
    CHECK(with("Content-Type: text/plain\r\n") == 415);
    CHECK(with("Content-Type: application/json; charset=utf-16\r\n") == 415);
    CHECK(with("Content-Type: application/json\r\nContent-Type: text/html\r\n") == 415);
    CHECK(with("Content-Encoding: gzip\r\n") == 415);
    CHECK(with("Content-Type: application/json; charset=UTF-8\r\n") == 202);
    CHECK(with("Content-Type: application/json\r\n") == 202);
}

TEST_CASE("http: a chunked body is taken whole, and cut off at the limit") {
    http::Options options;
    options.body_limit = 1000;
    Running daemon(options);
    const std::string head = "POST /promotion/default/app/dev HTTP/1.1\r\n" + kHost +
                             "X-Signature: " + kEventSignature +
                             "\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string chunks;
    for (std::size_t i = 0; i < kEvent.size(); i += 100) {
        const std::string part = kEvent.substr(i, 100);
        std::array<char, 16> size{};
        std::snprintf(size.data(), size.size(), "%zx", part.size());
        chunks += std::string(size.data()) + "\r\n" + part + "\r\n";
    }
    CHECK(daemon.ask(head + chunks + "0\r\n\r\n").status == 202);
    REQUIRE(daemon.core.events_seen.size() == 1);
    CHECK(daemon.core.events_seen[0].body == kEvent);
    const std::string endless = "64\r\n" + std::string(100, 'a') + "\r\n";
    Client client(daemon.server->listen_address());
    client.send(head);
    for (int i = 0; i < 20; ++i) client.send(endless);
    CHECK(client.receive().status == 413);
}

TEST_CASE("http: a body that ends early is never taken for a whole one") {
    Running daemon;
    Client client(daemon.server->listen_address());
    client.send("POST /promotion/default/app/dev HTTP/1.1\r\n" + kHost +
                "X-Signature: " + kEventSignature +
                "\r\nContent-Length: " + std::to_string(kEvent.size() + 50) + "\r\n\r\n" + kEvent);
    client.end();
    CHECK(client.receive().status == 400);
    CHECK(daemon.core.seen() == 0);
}

TEST_CASE("http: a body that is longer or shorter than it says never becomes a second request") {
    Running daemon;
    {
        Client longer(daemon.server->listen_address());
        longer.send(signed_event() + "and more\r\n\r\n");
        CHECK(longer.receive().status == 202);
        CHECK(longer.receive().status == 400);
        CHECK(longer.closed());
    }
    const std::string inside = signed_event();
    Client shorter(daemon.server->listen_address());
    shorter.send("POST /promotion/default/app/dev HTTP/1.1\r\n" + kHost +
                 "X-Signature: " + kEventSignature + "\r\nContent-Length: " +
                 std::to_string(kEvent.size() + inside.size()) + "\r\n\r\n" + kEvent + inside);
    CHECK(shorter.receive().status == 401);
    CHECK(daemon.core.seen() == 1);
}

TEST_CASE("http: who waits for 100 Continue and then sends nothing ends at the body's deadline") {
    http::Options options;
    options.body_timeout = milliseconds{150};
    Running daemon(options);
    Client client(daemon.server->listen_address());
    client.send("POST /promotion/default/app/dev HTTP/1.1\r\n" + kHost +
                "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    CHECK(client.receive().head.starts_with("HTTP/1.1 100 Continue"));
    CHECK(client.closed());
    CHECK(daemon.core.seen() == 0);
}

TEST_CASE("http: pipelined requests are answered in order, each once") {
    Running daemon;
    Client client(daemon.server->listen_address());
    client.send(signed_event() + get("/openapi.yaml") + signed_event() + get("/nothing"));
    CHECK(client.receive().status == 202);
    CHECK(client.receive().body.starts_with("openapi: 3.1.0"));
    CHECK(client.receive().status == 202);
    CHECK(client.receive().status == 404);
    CHECK(daemon.core.seen() == 2);
}

TEST_CASE("http: who waits for 100 Continue gets it, or the refusal") {
    Running daemon;
    Client client(daemon.server->listen_address());
    client.send("POST /promotion/default/app/dev HTTP/1.1\r\n" + kHost +
                "X-Signature: " + kEventSignature + "\r\nExpect: 100-continue\r\nContent-Length: " +
                std::to_string(kEvent.size()) + "\r\n\r\n");
    CHECK(client.receive().head.starts_with("HTTP/1.1 100 Continue"));
    CHECK(client.ask(kEvent).status == 202);
    const std::string nowhere = "POST /nowhere HTTP/1.1\r\n" + kHost;
    CHECK(daemon.ask(nowhere + "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n").status == 404);
}

TEST_CASE("http: dripping senders end at their deadline, whatever they send") {
    http::Options options;
    options.header_timeout = milliseconds{150};
    options.body_timeout = milliseconds{150};
    Running daemon(options);
    const auto drip = [&](const std::string& begin) {
        Client client(daemon.server->listen_address());
        client.send(begin);
        const timeval pause{0, 10'000};  // between two bytes, unless the server closes
        ::setsockopt(client.socket(), SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
        const auto limit = std::chrono::steady_clock::now() + kPatience;
        while (std::chrono::steady_clock::now() < limit) {
            client.send("a");
            if (client.closed()) return true;
        }
        return false;
    };
    CHECK(drip("GET / HTTP/1.1\r\nX: "));
    CHECK(drip("POST /promotion/default/app/dev HTTP/1.1\r\n" + kHost +
               "Content-Length: 100000\r\n\r\n"));
    CHECK(drip(""));
    daemon.good_event_works();
}

TEST_CASE("http: 200 drippers keep neither health nor a good event waiting") {
    http::Options options;
    options.header_timeout = options.body_timeout = kTooLate;
    Running daemon(options);
    std::vector<std::unique_ptr<Client>> drippers;
    for (int i = 0; i < 200; ++i) {
        drippers.push_back(std::make_unique<Client>(daemon.server->listen_address()));
        drippers.back()->send(i % 2 == 0 ? "POST /promotion/default/app/dev HTT"
                                         : "POST /promotion/default/app/dev HTTP/1.1\r\nHost: "
                                           "a\r\nContent-Length: 100\r\n\r\n{");
    }
    CHECK(daemon.health("/livez").status == 200);
    CHECK(daemon.health("/readyz").status == 200);
    daemon.good_event_works();
}

TEST_CASE("http: one peer has so many connections, others have theirs") {
    http::Options options;
    options.connections_per_peer = 2;
    Running daemon(options);
    Client first(daemon.server->listen_address());
    Client second(daemon.server->listen_address());
    CHECK(first.ask(get("/nothing")).status == 404);
    CHECK(second.ask(get("/nothing")).status == 404);
    CHECK(Client(daemon.server->listen_address()).closed());
    Client other(daemon.server->listen_address(), "127.0.0.2");
    CHECK(other.ask(get("/nothing")).status == 404);
}

TEST_CASE("http: stopping says not ready, finishes what is in hand and closes the rest") {
    Running daemon;
    Client idle(daemon.server->listen_address());
    CHECK(idle.ask(get("/nothing")).status == 404);
    CHECK(daemon.health("/readyz").status == 200);
    std::jthread stopper([&] { daemon.server->stop(kTooLate); });
    CHECK(idle.closed());
    stopper.join();
}

TEST_CASE("http: a second server on the same address says that it is taken") {
    Running daemon;
    http::Options options;
    options.listen = daemon.server->listen_address();
    options.health = "127.0.0.1:0";
    const auto second = http::Server::open(
        options, http::Core{daemon.core, daemon.core, daemon.secrets, daemon.clock}, nullptr,
        daemon.metrics);
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == ErrorKind::Conflict);
    options.listen = "nonsense";
    const auto third = http::Server::open(
        options, http::Core{daemon.core, daemon.core, daemon.secrets, daemon.clock}, nullptr,
        daemon.metrics);
    REQUIRE_FALSE(third);
    CHECK(third.error().kind == ErrorKind::Invalid);
}
