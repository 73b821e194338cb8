// The ways to a destination: tunnels through proxies, dialled sockets, and who both sides are.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/simulators/connect_proxy.hpp"
#include "unit/net_fixture.hpp"

using namespace promotiond;
using namespace std::chrono_literals;
using net::Failure;
using simulators::ConnectProxy;
using simulators::HttpServer;
using simulators::whole;
using test::Client;
using test::get;

namespace {

net::Request trusting(const std::string& url, const simulators::Identity& identity) {
    auto request = get(url);
    request.ca_pem = identity.certificate;
    return request;
}

SteadyTime soon() { return std::chrono::steady_clock::now() + 60s; }

}  // namespace

TEST_CASE("net: https goes through a proxy's tunnel, which sees the host and nothing else") {
    const auto identity = simulators::make_identity("DNS:forge.test");
    const HttpServer server({whole(200, "through")}, identity);
    const ConnectProxy proxy(server.port());
    Client client({.proxy = proxy.url("user:p%40ss")});
    auto request = trusting("https://forge.test/secret?token=hidden", identity);
    CHECK(client.good(request).body == "through");
    const auto head = proxy.heads().at(0);
    CHECK(head.starts_with("CONNECT forge.test:443 HTTP/1.1\r\nHost: forge.test:443\r\n"));
    CHECK(head.find("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n") != std::string::npos);
    CHECK(head.find("hidden") == std::string::npos);
    const auto inside = server.requests().at(0);
    CHECK(inside.starts_with("GET /secret?token=hidden HTTP/1.1\r\n"));
    CHECK(inside.find("Proxy-Authorization") == std::string::npos);
    CHECK(client.good(request).body == "through");
    CHECK(proxy.heads().size() == 1);  // the tunnel is kept like any connection
}

TEST_CASE("net: behind a tunnel the certificate must still be the destination's") {
    const auto identity = simulators::make_identity("IP:127.0.0.1");
    const HttpServer server({whole(200, "")}, identity);
    const ConnectProxy proxy(server.port());
    Client client({.proxy = proxy.url()});
    CHECK(client.bad(trusting("https://forge.test/", identity)).failure == Failure::Tls);
    CHECK(server.requests().empty());
}

TEST_CASE("net: a proxy that dies in the middle of a tunnel is an error, never half an answer") {
    const auto identity = simulators::make_identity("DNS:forge.test");
    const HttpServer server({whole(200, std::string(100'000, 'x'))}, identity);
    const ConnectProxy in_body(server.port(), 20'000);
    auto request = trusting("https://forge.test/", identity);
    request.proxy = in_body.url();
    CHECK(Client().bad(request).failure == Failure::BadAnswer);
    const ConnectProxy in_handshake(server.port(), 100);
    request.proxy = in_handshake.url();
    CHECK(Client().bad(request).failure == Failure::Tls);
    const ConnectProxy to_nowhere(1);
    request.proxy = to_nowhere.url();
    const auto refused = Client().bad(request);
    CHECK(refused.failure == Failure::Connect);
    CHECK(refused.message.find("502") != std::string::npos);
}

TEST_CASE("net: a client certificate opens what asks for one") {
    const auto identity = simulators::make_identity("IP:127.0.0.1");
    const auto own = simulators::make_identity("DNS:promotiond.test");
    const auto other = simulators::make_identity("DNS:other.test");
    const HttpServer server({whole(200, "known")}, identity, own.certificate);
    auto request = trusting(server.url(), identity);
    // TLS 1.3 refuses after the handshake: a reset may overtake the alert that says why.
    const auto anonymous = Client().bad(request);
    if (anonymous.failure == Failure::Tls) {
        CHECK(anonymous.message.find("certificate required") != std::string::npos);
    } else {
        CHECK((anonymous.failure == Failure::Connect || anonymous.failure == Failure::BadAnswer));
    }
    request.client_certificate_pem = other.certificate;
    request.client_key_pem = Secret(other.key);
    Client stranger;
    (void)stranger.bad(request);
    CHECK(server.requests().empty());
    request.client_certificate_pem = own.certificate;
    request.client_key_pem = Secret(own.key);
    Client client;
    CHECK(client.good(request).body == "known");
    // Another identity never rides on this one's connection.
    request.client_certificate_pem.clear();
    request.client_key_pem = Secret();
    (void)client.bad(request);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("net: a client certificate and a key that do not belong together are told at once") {
    const auto own = simulators::make_identity("DNS:promotiond.test");
    const auto other = simulators::make_identity("DNS:other.test");
    auto request = get("https://127.0.0.1:9/");
    request.client_certificate_pem = own.certificate;
    CHECK(Client().bad(request).failure == Failure::Invalid);
    request.client_key_pem = Secret(other.key);
    CHECK(Client().bad(request).failure == Failure::Invalid);
    request.client_certificate_pem = "no pem";
    CHECK(Client().bad(request).failure == Failure::Invalid);
}

TEST_CASE("net: a host's own CA is trusted for that host, unless the request brings another") {
    const auto identity = simulators::make_identity("IP:127.0.0.1");
    const auto other = simulators::make_identity("IP:127.0.0.1");
    const HttpServer server({whole(200, "private")}, identity);
    Client client(
        {.ca_by_host = {{"127.0.0.1", identity.certificate}, {"Forge.Test.", other.certificate}}});
    CHECK(client.good(get(server.url())).body == "private");
    CHECK(client.bad(trusting(server.url(), other)).failure == Failure::Tls);
    REQUIRE(client.http.ca_for("forge.test") != nullptr);
    CHECK(*client.http.ca_for("forge.test") == other.certificate);
    CHECK(client.http.ca_for("sub.forge.test") == nullptr);
}

TEST_CASE("net: a dialled socket is connected, blocking and not inherited") {
    const HttpServer server({whole(200, "")});
    Client client;
    const auto dialled = client.http.dial("127.0.0.1", server.port(), {}, soon());
    REQUIRE(std::holds_alternative<int>(dialled));
    const int fd = std::get<int>(dialled);
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    REQUIRE(::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0);
    CHECK(ntohs(peer.sin_port) == server.port());
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    ::close(fd);
}

TEST_CASE("net: dialling keeps the rules for addresses, behind a proxy as well") {
    const HttpServer server({whole(200, "")});
    const ConnectProxy proxy(server.port());
    const auto dial = [](net::HttpClient::Options options, const std::string& host,
                         const std::string& asked) -> std::optional<Failure> {
        Client client(std::move(options));
        const auto result = client.http.dial(host, 22, asked, soon());
        if (const auto* error = std::get_if<net::HttpError>(&result)) return error->failure;
        ::close(std::get<int>(result));
        return std::nullopt;
    };
    const net::EgressRules closed{.deny = {"127.0.0.0/8"}};
    // The operator's own proxy is not judged, the one a caller asks for is.
    CHECK_FALSE(dial({.egress = closed, .proxy = proxy.url()}, "forge.test", {}));
    CHECK(proxy.heads().at(0).starts_with("CONNECT forge.test:22 "));
    CHECK(dial({.egress = closed}, "forge.test", proxy.url()) == Failure::Refused);
    CHECK_FALSE(dial({}, "forge.test", proxy.url()));
    for (const char* host : {"169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal"}) {
        INFO(host);
        CHECK(dial({.proxy = proxy.url()}, host, {}) == Failure::Refused);
    }
    CHECK(dial({.proxy = "socks5://127.0.0.1:9"}, "forge.test", {}) == Failure::Invalid);
    for (const char* host : {"", "a b", "a/b", "a\r\nb"})
        CHECK(dial({}, host, {}) == Failure::Invalid);
    CHECK(proxy.heads().size() == 2);
}
