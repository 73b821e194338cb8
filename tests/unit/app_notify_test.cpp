// What the service manager is told, by the real program over a socket of the test's.
#include <optional>

#include "app/notify_socket.hpp"
#include "app_program.hpp"
#include "catch.hpp"

using namespace promotiond;

TEST_CASE("notify: ready, reload and stop are told to a socket with a path or an abstract name") {
    const Directory directory;
    const bool abstract = GENERATE(false, true);
    const std::string name = abstract ? abstract_of(directory) : path_in(directory);
    const ServiceEnd service(name);
    const auto config = configured(directory.path());
    Program program(config, {"NOTIFY_SOCKET=" + name});
    CHECK(service.told("READY=1").find("\nSTATUS=serving on 127.0.0.1:") != std::string::npos);

    program.signal(SIGHUP);
    const auto reloading = service.told("RELOADING=1\nMONOTONIC_USEC=");
    CHECK(reloading.size() > std::strlen("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(service.told("READY=1").find("failed") == std::string::npos);

    program.signal(SIGTERM);
    CHECK(service.told("STOPPING=1").find("STATUS=") != std::string::npos);
    CHECK(program.exit_code() == 0);
}

TEST_CASE("notify: a stop asks for the time that requests and then work may take, and a minute") {
    const Directory directory;
    const ServiceEnd service(path_in(directory));
    Program program(configured(directory.path(), "promotions: {shutdownGrace: 10m}\n"),
                    {"NOTIFY_SOCKET=" + path_in(directory)});
    REQUIRE_FALSE(service.told("READY=1").empty());
    program.signal(SIGTERM);
    CHECK(service.told("STOPPING=1").find("\nEXTEND_TIMEOUT_USEC=1260000000\n") !=
          std::string::npos);
    CHECK(program.exit_code() == 0);
}

TEST_CASE("notify: a reload that fails says so and why, and the daemon serves on") {
    const Directory directory;
    const ServiceEnd service(path_in(directory));
    const auto config = configured(directory.path());
    Program program(config, {"NOTIFY_SOCKET=" + path_in(directory)});
    REQUIRE_FALSE(service.told("READY=1").empty());
    (void)configured(directory.path(), "nonsense: 1\n");
    program.signal(SIGHUP);
    REQUIRE_FALSE(service.told("RELOADING=1").empty());
    const auto status = service.told("READY=1");
    CHECK(status.find("the old configuration stays in force") != std::string::npos);
    CHECK(status.find("promotiond.yaml:5:1: unknown key") != std::string::npos);
    program.signal(SIGTERM);
    CHECK(program.exit_code() == 0);
}

TEST_CASE("notify: the watchdog hears of a daemon that moves, again and again") {
    const Directory directory;
    std::optional<ServiceEnd> service(path_in(directory));
    Program program(configured(directory.path()),
                    {"NOTIFY_SOCKET=" + path_in(directory), "WATCHDOG_USEC=200000"});
    for (int i = 0; i < 5; ++i) CHECK_FALSE(service->told("WATCHDOG=1").empty());
    service.reset();  // unread it would fill up, and who tells it more would wait
    program.signal(SIGTERM);
    CHECK(program.exit_code() == 0);
}

TEST_CASE("notify: a second daemon on one journal ends with 69") {
    const Directory directory;
    const ServiceEnd service(path_in(directory));
    const auto config = configured(directory.path());
    Program first(config, {"NOTIFY_SOCKET=" + path_in(directory)});
    REQUIRE_FALSE(service.told("READY=1").empty());
    Program second(config, {});
    CHECK(second.exit_code() == 69);
    first.signal(SIGTERM);
    CHECK(first.exit_code() == 0);
}

TEST_CASE("notify: the socket and the watchdog are taken out of the environment") {
    ::setenv("NOTIFY_SOCKET", "/run/notify", 1);
    ::setenv("WATCHDOG_USEC", "60000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    const auto taken = app::NotifySocket::from_environment();
    REQUIRE(taken);
    CHECK(taken->watchdog() == std::chrono::seconds{60});
    for (const char* each : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
        CHECK(::getenv(each) == nullptr);
}

TEST_CASE("notify: a watchdog of another process is not ours") {
    ::setenv("NOTIFY_SOCKET", "@name", 1);
    ::setenv("WATCHDOG_USEC", "60000000", 1);
    ::setenv("WATCHDOG_PID", "1", 1);
    const auto taken = app::NotifySocket::from_environment();
    REQUIRE(taken);
    CHECK_FALSE(taken->watchdog());
}

TEST_CASE("notify: an address that is no socket's is refused by name") {
    ::setenv("NOTIFY_SOCKET", "relative/path", 1);
    const auto taken = app::NotifySocket::from_environment();
    REQUIRE_FALSE(taken);
    CHECK(taken.error().message.find("relative/path") != std::string::npos);
}
