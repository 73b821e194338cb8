// What the service manager is told, by the real program over a socket of the test's.
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "app/notify_socket.hpp"
#include "catch.hpp"

using namespace promotiond;
namespace fs = std::filesystem;

namespace {

class Directory {
public:
    Directory() {
        std::string pattern = (fs::temp_directory_path() / "promotiond-notify-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Directory() { fs::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

// The service manager's end. A name that begins with '@' is abstract.
class ServiceEnd {
public:
    explicit ServiceEnd(const std::string& name)
        : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        if (name.front() == '@') address.sun_path[0] = '\0';
        const auto size = offsetof(sockaddr_un, sun_path) + name.size();
        REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(size)) ==
                0);
        const timeval most{30, 0};
        REQUIRE(::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0);
    }
    ~ServiceEnd() { ::close(fd_); }
    ServiceEnd(const ServiceEnd&) = delete;
    ServiceEnd& operator=(const ServiceEnd&) = delete;

    // The next that begins so; what comes before is passed over. Empty if none comes.
    [[nodiscard]] std::string told(const std::string& begin) const {
        std::array<char, 4096> bytes{};
        for (;;) {
            const auto size = ::recv(fd_, bytes.data(), bytes.size(), 0);
            if (size <= 0) return {};
            const std::string text(bytes.data(), static_cast<std::size_t>(size));
            if (text.rfind(begin, 0) == 0) return text;
        }
    }

private:
    int fd_;
};

class Program {
public:
    Program(const fs::path& config, std::vector<std::string> environment) {
        std::string program = PROMOTIOND_PROGRAM;
        std::string option = "--config=" + config.string();
        std::array<char*, 3> words{program.data(), option.data(), nullptr};
        for (const char* each : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
            if (const char* value = std::getenv(each))
                environment.push_back(std::string(each) + "=" + value);
        }
        std::vector<char*> variables;
        for (auto& each : environment) variables.push_back(each.data());
        variables.push_back(nullptr);
        REQUIRE(::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, words.data(),
                              variables.data()) == 0);
    }
    ~Program() {
        if (pid_ == 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    void signal(int number) const { ::kill(pid_, number); }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] int exit_code() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    pid_t pid_ = 0;
};

fs::path configured(const fs::path& directory, const std::string& more = "") {
    for (const char* each : {"pipelines", "secrets", "strategies"}) {
        fs::create_directory(directory / each);
        fs::permissions(directory / each, fs::perms{0700});
    }
    const auto file = directory / "promotiond.yaml";
    std::ofstream(file) << "server: {listen: '127.0.0.1:0', health: '127.0.0.1:0'}\n"
                           "platform: {local: {pipelines: pipelines, secrets: secrets}}\n"
                           "journal: {path: state/journal.db}\n"
                           "strategies: {directory: strategies}\n"
                        << more;
    return file;
}

std::string path_in(const Directory& directory) { return (directory.path() / "notify").string(); }
std::string abstract_of(const Directory& directory) { return "@" + directory.path().string(); }

}  // namespace

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
    const ServiceEnd service(path_in(directory));
    Program program(configured(directory.path()),
                    {"NOTIFY_SOCKET=" + path_in(directory), "WATCHDOG_USEC=200000"});
    for (int i = 0; i < 5; ++i) CHECK_FALSE(service.told("WATCHDOG=1").empty());
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
