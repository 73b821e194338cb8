// Sockets that the service manager has bound: which are taken, and that the program serves on them.
#include <fcntl.h>
#include <netinet/in.h>

#include "app/application.hpp"
#include "app/passed_sockets.hpp"
#include "app_program.hpp"
#include "catch.hpp"

using namespace promotiond;

namespace {

constexpr int kFirst = 700;  // far from what the test program itself has open

// On loopback, at any free port; as descriptor `number` if one is named.
class Socket {
public:
    explicit Socket(int number = -1, int type = SOCK_STREAM, bool listening = true) {
        fd_ = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        if (number >= 0) {
            const int low = fd_;
            fd_ = ::dup3(low, number, O_CLOEXEC);
            ::close(low);
        }
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        if (listening && type == SOCK_STREAM) REQUIRE(::listen(fd_, 16) == 0);
        socklen_t size = sizeof address;
        REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    ~Socket() { ::close(fd_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

    // The first line of the answer to a request that comes through it.
    [[nodiscard]] std::string answer(const std::string& path) const;

private:
    friend class Asked;
    int fd_ = -1;
    std::uint16_t port_ = 0;
};

// A request that has come to a socket, whether anybody serves on it yet or not.
class Asked {
public:
    Asked(const Socket& socket, const std::string& path)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port = htons(socket.port_);
        REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
        const timeval most{60, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
        const std::string request = "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n";
        REQUIRE(::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(request.size()));
    }
    ~Asked() { ::close(fd_); }
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;

    // The first line of it.
    [[nodiscard]] std::string answer() const {
        std::string text;
        char byte = 0;
        while (::recv(fd_, &byte, 1, 0) == 1 && byte != '\r') text += byte;
        return text;
    }

private:
    int fd_;
};

std::string Socket::answer(const std::string& path) const { return Asked(*this, path).answer(); }

void pass(const std::string& names, int count, pid_t to = ::getpid()) {
    ::setenv("LISTEN_PID", std::to_string(to).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(count).c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
}

std::string refusal_of(const std::string& names, int count) {
    pass(names, count);
    const auto taken = app::PassedSockets::from_environment(kFirst);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().kind == ErrorKind::Invalid);
    return taken.error().message;
}

bool says(const std::string& message, const std::string& what) {
    return message.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("sockets: each is taken by its name, and the variables are gone afterwards") {
    const Socket health(kFirst);
    const Socket http(kFirst + 1);
    pass("health:http", 2);
    const auto taken = app::PassedSockets::from_environment(kFirst);
    REQUIRE(taken);
    CHECK(taken->health == health.fd());
    CHECK(taken->http == http.fd());
    CHECK((::fcntl(http.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    for (const char* each : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        CHECK(::getenv(each) == nullptr);
}

TEST_CASE("sockets: what is passed to another process, or not at all, is left alone") {
    pass("http", 1, 1);
    const auto others = app::PassedSockets::from_environment(kFirst);
    REQUIRE(others);
    CHECK_FALSE(others->http);
    const auto none = app::PassedSockets::from_environment(kFirst);
    REQUIRE(none);
    CHECK_FALSE(none->http);
}

TEST_CASE("sockets: what cannot be served on is refused with the setting to change") {
    const Socket one(kFirst);
    const Socket other(kFirst + 1);
    CHECK(says(refusal_of("promotiond.socket", 1), "'promotiond.socket'"));
    CHECK(says(refusal_of("promotiond.socket", 1), "FileDescriptorName="));
    CHECK(says(refusal_of("http:http", 2), "two sockets named 'http'"));
    CHECK(says(refusal_of("http", 2), "named ''"));
}

TEST_CASE("sockets: a datagram socket, a connection or a closed descriptor is refused") {
    {
        const Socket datagrams(kFirst, SOCK_DGRAM);
        CHECK(says(refusal_of("http", 1), "ListenStream="));
    }
    {
        const Socket idle(kFirst, SOCK_STREAM, false);
        CHECK(says(refusal_of("http", 1), "Accept= no"));
    }
    CHECK(says(refusal_of("http", 1), "no listening TCP socket"));
}

TEST_CASE("sockets: the program serves on what was passed, and not on its configured addresses") {
    const Directory directory;
    const ServiceEnd service(path_in(directory));
    const Socket http;
    const Socket health;
    // The configured addresses are taken by others: the program would not get them.
    Program program(configured(directory.path()),
                    {"NOTIFY_SOCKET=" + path_in(directory), "LISTEN_FDS=2",
                     "LISTEN_FDNAMES=http:health", "PROMOTIOND_SERVER_LISTEN=" + http.address(),
                     "PROMOTIOND_SERVER_HEALTH=" + health.address()},
                    {http.fd(), health.fd()});
    CHECK(says(service.told("READY=1"), "serving on " + http.address()));
    CHECK(health.answer("/livez") == "HTTP/1.1 200 OK");
    CHECK(http.answer("/promotion/no/such/place") == "HTTP/1.1 405 Method Not Allowed");
    program.signal(SIGTERM);
    CHECK(program.exit_code() == 0);
}

TEST_CASE("sockets: a request that comes while the program is away is answered by the next one") {
    const Directory directory;
    const ServiceEnd service(path_in(directory));
    const Socket http;
    const Socket health;
    const auto config = configured(directory.path());
    const std::vector<std::string> environment = {"NOTIFY_SOCKET=" + path_in(directory),
                                                  "LISTEN_FDS=2", "LISTEN_FDNAMES=http:health"};
    {
        Program first(config, environment, {http.fd(), health.fd()});
        REQUIRE_FALSE(service.told("READY=1").empty());
        first.signal(SIGTERM);
        REQUIRE(first.exit_code() == 0);
    }
    const Asked asked(health, "/livez");
    Program second(config, environment, {http.fd(), health.fd()});
    CHECK(asked.answer() == "HTTP/1.1 200 OK");
    second.signal(SIGTERM);
    CHECK(second.exit_code() == 0);
}

TEST_CASE("sockets: a name that the unit got wrong ends the start with 78") {
    const Directory directory;
    const Socket http;
    Program program(configured(directory.path()), {"LISTEN_FDS=1", "LISTEN_FDNAMES=web"},
                    {http.fd()});
    CHECK(program.exit_code() == 78);
}

TEST_CASE("options: Poco's --daemon, --pidfile and --umask are refused with a word why") {
    for (std::string word : {"--daemon", "--pidfile=/run/promotiond.pid", "--umask=022"}) {
        std::string program = "promotiond";
        char* words[] = {program.data(), word.data(), nullptr};
        const auto reason = app::Application::refused(2, words);
        REQUIRE(reason);
        CHECK(says(*reason, word.substr(0, word.find('=')) + " is not offered"));
        CHECK(says(*reason, "systemd"));
    }
}
