#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "unit/net_fixture.hpp"

using namespace promotiond;
using namespace std::chrono_literals;
using net::Failure;
using simulators::HttpServer;
using simulators::ScriptedAnswer;
using simulators::whole;
using test::Client;
using test::get;
using After = ScriptedAnswer::After;

namespace {

const std::string kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kind: watch\r\n\r\n";

// Keeps what a stream hands on; `until` bytes are enough.
struct Taken {
    explicit Taken(std::size_t enough = SIZE_MAX) : until(enough) {}

    net::StreamHandler handler() {
        return {[this](const net::Response& answer) {
                    ++heads;
                    head = answer;
                    return true;
                },
                [this](std::string_view piece) {
                    REQUIRE(heads == 1);
                    longest = std::max(longest, piece.size());
                    body.append(piece);
                    return body.size() < until;
                }};
    }

    std::size_t until;
    int heads = 0;
    net::Response head;
    std::string body;
    std::size_t longest = 0;
};

// Takes one connection, and says what it is told to without having been asked.
class EagerPeer {
public:
    EagerPeer() {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener_, generic, size) == 0);
        REQUIRE(::listen(listener_, 1) == 0);
        REQUIRE(::getsockname(listener_, generic, &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    EagerPeer(const EagerPeer&) = delete;
    EagerPeer& operator=(const EagerPeer&) = delete;
    ~EagerPeer() {
        ::close(peer_);
        ::close(listener_);
    }
    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(port_) + "/";
    }
    // Returns when the other side can read all of it.
    void say(const std::string& bytes) {
        peer_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        REQUIRE(::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(bytes.size()));
    }

private:
    int listener_ = -1;
    int peer_ = -1;
    std::uint16_t port_ = 0;
};

Failure failure_of(const std::optional<net::HttpError>& error) {
    REQUIRE(error.has_value());
    return error->failure;
}

}  // namespace

TEST_CASE("net: a stream hands on the head once and the body without its chunks") {
    const HttpServer server({{"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + kChunked +
                                  "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
                              After::KeepOpen}});
    Client client;
    Taken taken;
    CHECK_FALSE(client.http.stream(get(server.url()), taken.handler()));
    CHECK(taken.heads == 1);
    CHECK(taken.head.code == 200);
    CHECK(net::header(taken.head.headers, "x-kind") == "watch");
    CHECK(taken.head.body.empty());
    CHECK(taken.body == "abcde");
    CHECK(client.metrics.render().find("code=\"2xx\"") != std::string::npos);
}

TEST_CASE("net: pieces of a stream come before its end, and a stop ends it") {
    const HttpServer server({{kChunked + "3\r\nabc\r\n", After::StaySilent}});
    Client client;
    std::stop_source stop;
    Taken taken;
    auto handler = taken.handler();
    std::jthread stopper;
    handler.piece = [&](std::string_view piece) {
        taken.body.append(piece);
        stopper = std::jthread([&] { stop.request_stop(); });
        return true;
    };
    const auto error = client.http.stream(get(server.url()), handler, stop.get_token());
    CHECK(failure_of(error) == Failure::Cancelled);
    CHECK(taken.body == "abc");
}

TEST_CASE("net: a stream whose peer falls silent ends at the idle timeout and says so") {
    EagerPeer peer;
    auto request = get(peer.url());
    request.idle_timeout = 150ms;
    // Before the request goes out its answer has begun, so that what it waits for is the rest.
    request.may_send = [&] {
        peer.say(kChunked + "3\r\nabc\r\n");
        return true;
    };
    Taken taken;
    const auto error = Client().http.stream(request, taken.handler());
    CHECK(failure_of(error) == Failure::Timeout);
    CHECK(error->message.find("nothing came from 127.0.0.1") != std::string::npos);
    CHECK(error->message.find("150 ms") != std::string::npos);
    CHECK(taken.body == "abc");
}

TEST_CASE(
    "net: a stream that never stays silent for long has no end but its own or one it is set") {
    auto drip = whole(200, std::string(60, 'x'));
    drip.per_byte = 5ms;
    const HttpServer server({drip});
    Client client({.timeout = 100ms});  // the default of send() does not bind a stream
    auto request = get(server.url());
    request.idle_timeout = 60s;
    Taken taken;
    CHECK_FALSE(client.http.stream(request, taken.handler()));
    CHECK(taken.body.size() == 60);
    auto ocean = whole(200, std::string(100'000, 'x'));
    ocean.per_byte = 5ms;
    const HttpServer endless({ocean});
    request.url = endless.url();
    request.timeout = 100ms;
    Taken cut;
    CHECK(failure_of(client.http.stream(request, cut.handler())) == Failure::Timeout);
    request.timeout.reset();
    request.deadline = std::chrono::steady_clock::now() + 100ms;
    Taken late;
    CHECK(failure_of(client.http.stream(request, late.handler())) == Failure::Timeout);
}

TEST_CASE("net: a stream that is cut short is an error, whatever was taken before") {
    for (const auto& bytes : {kChunked + "3\r\nabc\r\n", kChunked + "9\r\nabc",
                              std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")}) {
        INFO(bytes);
        const HttpServer server({{bytes, After::Close}});
        Taken taken;
        CHECK(failure_of(Client().http.stream(get(server.url()), taken.handler())) ==
              Failure::BadAnswer);
        CHECK(taken.body == "abc");
        CHECK(server.requests().size() == 1);  // never sent again once an answer began
    }
    const HttpServer mute({{"", After::Close}});
    Taken nothing;
    CHECK(failure_of(Client().http.stream(get(mute.url()), nothing.handler())) == Failure::Connect);
    CHECK(nothing.heads == 0);
}

TEST_CASE("net: a handler that has enough ends the stream without an error") {
    const HttpServer server({{kChunked + "3\r\nabc\r\n", After::StaySilent}});
    Client client;
    Taken taken(1);
    CHECK_FALSE(client.http.stream(get(server.url()), taken.handler()));
    CHECK(taken.body == "abc");
    auto at_head = taken.handler();
    at_head.head = [](const net::Response& head) { return head.code != 200; };
    at_head.piece = [](std::string_view) -> bool { throw std::logic_error("after the end"); };
    CHECK_FALSE(client.http.stream(get(server.url()), at_head));
    CHECK(server.connections() == 2);  // half an answer is left on the first
}

TEST_CASE("net: a connection is kept after a stream that ended properly") {
    const HttpServer server({{kChunked + "1\r\na\r\n0\r\n\r\n", After::KeepOpen}});
    Client client;
    for (int i = 0; i < 3; ++i) {
        Taken taken;
        CHECK_FALSE(client.http.stream(get(server.url()), taken.handler()));
        CHECK(taken.body == "a");
    }
    CHECK(server.connections() == 1);
}

TEST_CASE("net: a stream of any length passes through without being gathered") {
    constexpr std::size_t kBytes = 24u << 20;
    const HttpServer server({whole(200, std::string(kBytes, 'x'))});
    Client client;  // whose send() takes 8 MiB
    std::size_t total = 0;
    std::size_t longest = 0;
    const net::StreamHandler count{[](const net::Response&) { return true; },
                                   [&](std::string_view piece) {
                                       total += piece.size();
                                       longest = std::max(longest, piece.size());
                                       return true;
                                   }};
    CHECK_FALSE(client.http.stream(get(server.url()), count));
    CHECK(total == kBytes);
    CHECK(longest <= 64u << 10);
    auto bounded = get(server.url());
    bounded.max_response_bytes = 1000;
    CHECK(failure_of(client.http.stream(bounded, count)) == Failure::BadAnswer);
}

TEST_CASE("net: an announced length takes no memory ahead of the bytes") {
    const HttpServer server(
        {{"HTTP/1.1 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\nabc", After::StaySilent}});
    Taken taken(3);
    CHECK_FALSE(Client().http.stream(get(server.url()), taken.handler()));
    CHECK(taken.body == "abc");
}

TEST_CASE("net: a stream keeps the rules of TLS and egress") {
    const auto identity = simulators::make_identity("IP:127.0.0.1");
    const HttpServer server({{kChunked + "3\r\nabc\r\n", After::Close}}, identity);
    auto request = get(server.url());
    Taken untrusted;
    CHECK(failure_of(Client().http.stream(request, untrusted.handler())) == Failure::Tls);
    request.ca_pem = identity.certificate;
    Taken taken;
    CHECK(failure_of(Client().http.stream(request, taken.handler())) == Failure::BadAnswer);
    CHECK(taken.body == "abc");
    Client closed({.egress = {.deny = {"127.0.0.0/8"}}});
    Taken refused;
    CHECK(failure_of(closed.http.stream(request, refused.handler())) == Failure::Refused);
    CHECK(refused.heads == 0);
}
