// The real program, started by a service manager that the test plays.
#pragma once

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

#include "catch.hpp"

namespace promotiond {

class Directory {
public:
    Directory() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "promotiond-notify-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
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
        const timeval most{60, 0};
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
    // The sockets become descriptors 3 and on, as a service manager passes them.
    Program(const std::filesystem::path& config, std::vector<std::string> environment,
            const std::vector<int>& sockets = {}) {
        // Only the process itself knows the number that LISTEN_PID is to have.
        std::string shell = "/bin/sh";
        std::string run = "-c";
        std::string with_pid = "LISTEN_PID=$$ exec \"$0\" \"$@\"";
        std::string program = PROMOTIOND_PROGRAM;
        std::string option = "--config=" + config.string();
        std::vector<char*> words;
        if (!sockets.empty()) words = {shell.data(), run.data(), with_pid.data()};
        words.insert(words.end(), {program.data(), option.data(), nullptr});
        for (const char* each : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
            if (const char* value = std::getenv(each))
                environment.push_back(std::string(each) + "=" + value);
        }
        std::vector<char*> variables;
        for (auto& each : environment) variables.push_back(each.data());
        variables.push_back(nullptr);
        posix_spawn_file_actions_t files;
        ::posix_spawn_file_actions_init(&files);
        for (std::size_t i = 0; i < sockets.size(); ++i)
            ::posix_spawn_file_actions_adddup2(&files, sockets[i], static_cast<int>(3 + i));
        const int failed =
            ::posix_spawn(&pid_, words.front(), &files, nullptr, words.data(), variables.data());
        ::posix_spawn_file_actions_destroy(&files);
        REQUIRE(failed == 0);
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

inline std::filesystem::path configured(const std::filesystem::path& directory,
                                        const std::string& more = "") {
    for (const char* each : {"pipelines", "secrets", "strategies"}) {
        std::filesystem::create_directory(directory / each);
        std::filesystem::permissions(directory / each, std::filesystem::perms{0700});
    }
    const auto file = directory / "promotiond.yaml";
    std::ofstream(file) << "server: {listen: '127.0.0.1:0', health: '127.0.0.1:0'}\n"
                           "platform: {local: {pipelines: pipelines, secrets: secrets}}\n"
                           "journal: {path: state/journal.db}\n"
                           "strategies: {directory: strategies}\n"
                        << more;
    return file;
}

inline std::string path_in(const Directory& directory) {
    return (directory.path() / "notify").string();
}
inline std::string abstract_of(const Directory& directory) {
    return "@" + directory.path().string();
}

}  // namespace promotiond
