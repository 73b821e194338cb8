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

TEST_CASE("net: a whole answer is delivered with code, headers and body") {
    const HttpServer server({whole(201, "made", "X-Answer: yes\r\n")});
    Client client;
    auto request = get(server.url("/a?b=c"));
    request.method = "POST";
    request.body = "payload";
    const auto response = client.good(request);
    CHECK(response.code == 201);
    CHECK(response.body == "made");
    CHECK(net::header(response.headers, "x-answer") == "yes");
    const auto sent = server.requests().at(0);
    CHECK(sent.starts_with("POST /a?b=c HTTP/1.1\r\n"));
    CHECK(sent.ends_with("\r\n\r\npayload"));
    CHECK(client.metrics.render().find("code=\"2xx\"") != std::string::npos);
}

TEST_CASE("net: what may not be sent any more when the connection stands is not sent") {
    const HttpServer server({whole(200, "done")});
    Client client;
    auto request = get(server.url());
    request.method = "POST";
    bool may = false;
    int asked = 0;
    request.may_send = [&] { return ++asked > 0 && may; };
    CHECK(client.bad(request).failure == Failure::Cancelled);
    CHECK(asked == 1);
    CHECK(server.requests().empty());
    may = true;
    CHECK(client.good(request).body == "done");
    // A kept connection is no way around it.
    may = false;
    CHECK(client.bad(request).failure == Failure::Cancelled);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("net: half a body is a bad answer") {
    const HttpServer server({{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", After::Close}});
    CHECK(Client().bad(get(server.url())).failure == Failure::BadAnswer);
}

TEST_CASE("net: answers that are not sound HTTP are bad answers") {
    for (const char* bytes :
         {"hello\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"}) {
        INFO(bytes);
        const HttpServer server({{bytes, After::Close}});
        CHECK(Client().bad(get(server.url())).failure == Failure::BadAnswer);
    }
}

TEST_CASE("net: a chunked body is put together") {
    const HttpServer server(
        {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
          After::KeepOpen}});
    CHECK(Client().good(get(server.url())).body == "abcde");
}

TEST_CASE("net: a body over the limit is a bad answer") {
    const HttpServer server({whole(200, std::string(2000, 'x'))});
    auto request = get(server.url());
    request.max_response_bytes = 1000;
    CHECK(Client().bad(request).failure == Failure::BadAnswer);
}

TEST_CASE("net: the deadline holds against a silent and against a dripping peer") {
    auto drip = whole(200, std::string(100'000, 'x'));
    drip.per_byte = 20ms;
    for (const auto& answer : {ScriptedAnswer{"", After::StaySilent}, drip}) {
        const HttpServer server({answer});
        auto request = get(server.url());
        request.timeout = 300ms;
        CHECK(Client({.timeout = 1h}).bad(request).failure == Failure::Timeout);
        auto bounded = get(server.url());
        bounded.deadline = std::chrono::steady_clock::now() + 300ms;
        CHECK(Client({.timeout = 1h}).bad(bounded).failure == Failure::Timeout);
    }
}

TEST_CASE("net: a waiting exchange ends when it is asked to stop") {
    const HttpServer server({{"", After::StaySilent}});
    Client client;
    std::stop_source stop;
    const std::jthread stopper([&] {
        while (server.requests().empty()) std::this_thread::yield();
        stop.request_stop();
    });
    CHECK(client.bad(get(server.url()), stop.get_token()).failure == Failure::Cancelled);
}

TEST_CASE("net: redirects are answers, not followed") {
    const HttpServer server({whole(302, "", "Location: http://169.254.169.254/\r\n")});
    CHECK(Client().good(get(server.url())).code == 302);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("net: connections are kept and reused") {
    const HttpServer server({whole(200, "a")});
    Client client;
    client.good(get(server.url()));
    client.good(get(server.url()));
    CHECK(server.connections() == 1);
}

TEST_CASE("net: a stale connection is replaced for what may be sent twice only") {
    auto dies = ScriptedAnswer{"", After::Close};
    const HttpServer server({whole(200, "a"), dies, whole(200, "b"), dies, whole(200, "c")});
    Client client;
    client.good(get(server.url()));
    CHECK(client.good(get(server.url())).body == "b");
    auto post = get(server.url());
    post.method = "POST";
    CHECK(client.bad(post).failure == Failure::Connect);
    CHECK(server.requests().size() == 4);
}

TEST_CASE("net: what may be sent once only never goes out on a connection that was closed") {
    auto answer_and_close = whole(200, "a");
    answer_and_close.after = After::Close;
    const auto identity = simulators::make_identity("IP:127.0.0.1");
    const HttpServer server({answer_and_close, answer_and_close, answer_and_close}, identity);
    Client client;
    auto post = get(server.url());
    post.method = "POST";
    post.ca_pem = identity.certificate;
    for (int sent = 1; sent <= 3; ++sent) {
        client.good(post);
        while (server.open_connections() > 0) std::this_thread::yield();
        CHECK(server.connections() == sent);
    }
}

TEST_CASE("net: requests that would break their frame are refused") {
    Client client;
    auto request = get("http://127.0.0.1:9/");
    request.headers = {{"X-A", "b\r\nX-C: d"}};
    CHECK(client.bad(request).failure == Failure::Invalid);
    request.headers = {{"X A", "b"}};
    CHECK(client.bad(request).failure == Failure::Invalid);
    request.headers = {{"Transfer-Encoding", "chunked"}};
    CHECK(client.bad(request).failure == Failure::Invalid);
    for (const char* url : {"http://user:pass@127.0.0.1/", "ftp://127.0.0.1/", "http:///x",
                            "http://127.0.0.1:0/", "http://127.0.0.1:70000/", "http://a b/"}) {
        INFO(url);
        const auto error = client.bad(get(url));
        CHECK(error.failure == Failure::Invalid);
        CHECK(error.message.find("pass@") == std::string::npos);
    }
}

TEST_CASE("net: TLS is checked against the CA that is given, the name and the time") {
    const auto good = simulators::make_identity("IP:127.0.0.1");
    const auto other = simulators::make_identity("DNS:other.example");
    const auto expired = simulators::make_identity("IP:127.0.0.1", simulators::Validity::Expired);
    const auto asked = [](const HttpServer& server, const std::string& ca) {
        auto request = get(server.url());
        request.ca_pem = ca;
        return request;
    };
    const HttpServer server({whole(200, "secret")}, good);
    CHECK(Client().good(asked(server, good.certificate)).body == "secret");
    CHECK(Client().bad(asked(server, "")).failure == Failure::Tls);
    CHECK(Client().bad(asked(server, "no pem")).failure == Failure::Invalid);
    const HttpServer misnamed({whole(200, "")}, other);
    const auto name = Client().bad(asked(misnamed, other.certificate));
    CHECK(name.failure == Failure::Tls);
    CHECK(name.message.find("mismatch") != std::string::npos);
    auto renamed = asked(misnamed, other.certificate);
    renamed.tls_server_name = "Other.Example";
    CHECK(Client().good(renamed).code == 200);
    const HttpServer late({whole(200, "")}, expired);
    CHECK(Client().bad(asked(late, expired.certificate)).message.find("expired") !=
          std::string::npos);
}

TEST_CASE("net: a proxy gets the absolute form and its credentials, and no_proxy goes past it") {
    const HttpServer proxy({whole(200, "by proxy")});
    const HttpServer direct({whole(200, "direct")});
    Client client({.proxy = "http://user:p%40ss@127.0.0.1:" + std::to_string(proxy.port()),
                   .no_proxy = {"127.0.0.0/8"}});
    CHECK(client.good(get("http://forge.test/x")).body == "by proxy");
    const auto sent = proxy.requests().at(0);
    CHECK(sent.starts_with("GET http://forge.test/x HTTP/1.1\r\n"));
    CHECK(sent.find("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n") != std::string::npos);
    CHECK(client.good(get(direct.url())).body == "direct");
}

TEST_CASE("net: a proxy that refuses a tunnel is named with its code, not its password") {
    const HttpServer proxy({whole(407, "")});
    Client client({.proxy = "http://user:hidden@127.0.0.1:" + std::to_string(proxy.port())});
    const auto error = client.bad(get("https://forge.test/x?token=hidden"));
    CHECK(error.failure == Failure::Connect);
    CHECK(error.message.find("407") != std::string::npos);
    CHECK(error.message.find("hidden") == std::string::npos);
}
