// How connections end: resets, readers that do not read, stops, and questions that nobody answers.
#include <sys/resource.h>

#include <condition_variable>
#include <filesystem>

#include "http/listener.hpp"
#include "tests/unit/http_fixture.hpp"

using namespace http_test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

std::size_t open_files() {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

// Answers everything but /small with a body of so many bytes, and knows how many are connected.
class Answering final : public http::Service {
public:
    explicit Answering(std::size_t bytes) : body_(bytes, 'x') {}
    std::optional<http::Response> head(http::Request&) override { return std::nullopt; }
    void serve(http::Request request, http::Send send) override {
        http::Response response;
        response.body = request.target == "/small" ? "small" : body_;
        send(std::move(response));
    }
    void answered(std::string_view, const http::Response&) override {
        const std::lock_guard lock(mutex_);
        ++answers_;
        changed_.notify_all();
    }
    void load(std::size_t connections, std::size_t) override {
        const std::lock_guard lock(mutex_);
        connections_ = connections;
        changed_.notify_all();
    }
    bool comes_to(std::size_t connections) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return connections_ == connections; });
    }

    bool answers(std::size_t number) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return answers_ == number; });
    }

private:
    std::string body_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t connections_ = 0;
    std::size_t answers_ = 0;
};

struct Listening {
    Listening(http::ListenOptions options, std::size_t bytes) : service(bytes) {
        options.name = "test";
        options.address = "127.0.0.1:0";
        auto opened = http::Listener::open(options);
        REQUIRE(opened);
        listener = std::move(*opened);
        listener->start(service);
    }
    ~Listening() { listener->stop(milliseconds{0}); }
    Answering service;
    std::unique_ptr<http::Listener> listener;
};

void connect_and_reset(const std::string& address) {
    const Client client(address);
    const linger hard{1, 0};
    ::setsockopt(client.socket(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

// Both ends of every connection are in this process.
void allow_open_files(rlim_t wanted) {
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < wanted) limit.rlim_cur = wanted;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) limit.rlim_max = wanted;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

// The count is told just before the last descriptor is closed.
bool comes_back_to(std::size_t files) {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (open_files() != files && std::chrono::steady_clock::now() < limit) {
        std::this_thread::yield();
    }
    return open_files() == files;
}

}  // namespace

TEST_CASE("http: ten thousand connections that are reset leave no descriptor behind") {
    Listening server({}, 2);
    const std::size_t before = open_files();
    for (int i = 0; i < 10'000; ++i) connect_and_reset(server.listener->address());
    {
        Client last(server.listener->address());
        // Connections are taken in order: with this one answered all before it were.
        CHECK(last.ask(get("/")).status == 200);
    }
    REQUIRE(server.service.comes_to(0));
    CHECK(comes_back_to(before));
}

TEST_CASE("http: 1000 idle connections keep nobody waiting, and leave no descriptor behind") {
    allow_open_files(4'096);
    http::Options options;
    options.connections_per_peer = 2'000;
    options.header_timeout = kTooLate;
    Running daemon(options);
    const std::size_t before = open_files();
    {
        std::vector<std::unique_ptr<Client>> idle;
        for (int i = 0; i < 1'000; ++i) {
            idle.push_back(std::make_unique<Client>(daemon.server->listen_address()));
        }
        CHECK(daemon.health("/livez").status == 200);
        CHECK(daemon.health("/readyz").status == 200);
        daemon.good_event_works();
        // None of them was closed to make room.
        CHECK(idle.front()->ask(get("/nothing")).status == 404);
        CHECK(idle.back()->ask(get("/nothing")).status == 404);
    }
    CHECK(comes_back_to(before));
}

TEST_CASE("http: a question that the core drops is answered with 503") {
    Running daemon;
    daemon.core.holds = true;
    Client sender(daemon.server->listen_address());
    sender.send(signed_event());
    { const auto dropped = daemon.core.next_held(); }
    CHECK(sender.receive().status == 503);
}

TEST_CASE("http: who does not read a large answer is cut off at the deadline, others never wait") {
    constexpr std::size_t kLarge = 16u << 20;
    {
        const Listening patient({}, kLarge);
        Client reader(patient.listener->address());
        CHECK(reader.ask(get("/")).body.size() == kLarge);
    }
    http::ListenOptions options;
    options.write_timeout = milliseconds{500};
    Listening server(options, kLarge);
    Running daemon;
    const Client deaf(server.listener->address(), nullptr, 4096);
    deaf.send(get("/"));
    REQUIRE(server.service.answers(1));
    {
        Client reader(server.listener->address());
        CHECK(reader.ask(get("/small")).body == "small");
    }
    CHECK(daemon.health("/livez").status == 200);
    REQUIRE(server.service.comes_to(0));
    // What had been sent ends in a reset: the kernel keeps nothing for it either.
    std::vector<char> chunk(1u << 20);
    std::size_t received = 0;
    ssize_t n = 0;
    while ((n = ::recv(deaf.socket(), chunk.data(), chunk.size(), 0)) > 0)
        received += static_cast<std::size_t>(n);
    CHECK(n < 0);
    CHECK(errno == ECONNRESET);
    CHECK(received < kLarge);
}

TEST_CASE("http: a request in hand at the stop is answered, and the stop waits for nothing else") {
    Running daemon;
    daemon.core.holds = true;
    Client sender(daemon.server->listen_address());
    sender.send(signed_event());
    const auto answer = daemon.core.next_held();
    Client idle(daemon.server->listen_address());
    std::jthread stopper([&] { daemon.server->stop(kTooLate); });
    REQUIRE(idle.closed());
    CHECK(daemon.health("/readyz").status == 503);
    CHECK(daemon.health("/livez").status == 200);
    answer(daemon.core.accepted);
    const auto received = sender.receive();
    CHECK(received.status == 202);
    CHECK(received.header("Connection") == "close");
    CHECK(sender.closed());
    stopper.join();  // with the sender's side still open
}

TEST_CASE("http: a stop gives up at its grace on what the core does not answer") {
    Running daemon;
    daemon.core.holds = true;
    Client sender(daemon.server->listen_address());
    sender.send(signed_event());
    const auto answer = daemon.core.next_held();
    std::jthread stopper([&] { daemon.server->stop(milliseconds{50}); });
    CHECK(sender.closed());
    stopper.join();
}

TEST_CASE("http: answers that come after the stop, or after the server, go nowhere") {
    std::vector<engine::Engine::OnAccepted> late;
    auto daemon = std::make_unique<Running>();
    daemon->core.holds = true;
    std::vector<std::unique_ptr<Client>> senders;
    for (int i = 0; i < 3; ++i) {
        senders.push_back(std::make_unique<Client>(daemon->server->listen_address()));
        senders.back()->send(signed_event());
        late.push_back(daemon->core.next_held());
    }
    const auto accepted = daemon->core.accepted;
    daemon->server->stop(milliseconds{0});
    late[0](accepted);
    daemon->server.reset();
    late[1](accepted);
    late.pop_back();  // never answered: dropped with the question
    CHECK(senders[0]->closed());
    daemon.reset();
    late.clear();
}
