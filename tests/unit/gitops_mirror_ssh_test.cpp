#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <thread>

#include "catch.hpp"
#include "gitops_mirror_fixture.hpp"
#include "tests/simulators/loopback.hpp"

using namespace promotiond::gitops_test;

namespace {

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The system's sshd with keys of its own, for this test's user. Each connection is handed to one of
// its own, as inetd would (sshd(8), -i): the port is the test's from the beginning.
class SshServer {
public:
    explicit SshServer(const std::filesystem::path& home) : home_(home) {
        shell(
            "cd " + home_.native() +
            " && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ecdsa -N '' -f host2 "
            "&& ssh-keygen -q -t ed25519 -N '' -f id && ssh-keygen -q -t ed25519 -N pass -f locked "
            "&& cat id.pub locked.pub > authorized");
        // As root, sshd wants the directory that its service would make.
        if (::getuid() == 0) std::filesystem::create_directories("/run/sshd");
        std::ofstream(home_ / "config")
            << "HostKey " << (home_ / "host").native() << "\nHostKey " << (home_ / "host2").native()
            << "\nAuthorizedKeysFile " << (home_ / "authorized").native()
            << "\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
               "PidFile none\nLogLevel QUIET\n";
        if (!std::filesystem::exists(kProgram))
            throw std::runtime_error("no sshd; install openssh-server");
        port_ = promotiond::simulators::listen_on_loopback(listener_);
        acceptor_ = std::jthread([this] { serve_all(); });
    }
    SshServer(const SshServer&) = delete;
    SshServer& operator=(const SshServer&) = delete;
    ~SshServer() {
        ::shutdown(listener_, SHUT_RDWR);
        acceptor_.join();
        ::close(listener_);
        for (const pid_t child : children_) {
            ::kill(child, SIGTERM);
            ::waitpid(child, nullptr, 0);
        }
    }
    [[nodiscard]] std::string url(const std::filesystem::path& repository) const {
        return "ssh://" + shell("id -un") + "@localhost:" + std::to_string(port_) +
               repository.native();
    }
    [[nodiscard]] std::string known_as(const std::string& public_key_file) const {
        return "[localhost]:" + std::to_string(port_) + " " + content(home_ / public_key_file);
    }
    [[nodiscard]] Secret key(const std::string& file) const {
        return Secret(content(home_ / file));
    }

private:
    static constexpr const char* kProgram = "/usr/sbin/sshd";

    void serve_all() {
        std::string words[] = {kProgram, "-i", "-f", (home_ / "config").native()};
        char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(),
                             nullptr};
        while (true) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            posix_spawn_file_actions_t files;
            ::posix_spawn_file_actions_init(&files);
            ::posix_spawn_file_actions_adddup2(&files, fd, 0);
            ::posix_spawn_file_actions_adddup2(&files, fd, 1);
            pid_t child = 0;
            if (::posix_spawn(&child, kProgram, &files, nullptr, arguments, environ) == 0)
                children_.push_back(child);
            ::posix_spawn_file_actions_destroy(&files);
            ::close(fd);
        }
    }

    std::filesystem::path home_;
    int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::uint16_t port_ = 0;
    std::vector<pid_t> children_;  // the acceptor's until it has ended
    std::jthread acceptor_;
};

struct SshSite {
    Site site;
    Folder home;
    SshServer ssh{home.path()};
    TestCall call{site.cache()};
    std::string url = ssh.url(site.repositories() / "app.git");

    Result<ObjectId> fetch(Credentials credentials) {
        auto mirror = Mirror::open(call.call(), url, std::move(credentials));
        if (!mirror) return mirror.error();
        return mirror->fetch("main");
    }
    Credentials credentials(const std::string& key, const std::string& known_hosts) {
        Credentials credentials;
        credentials.ssh_identity = ssh.key(key);
        credentials.known_hosts = known_hosts;
        return credentials;
    }
};

}  // namespace

TEST_CASE("mirror: over SSH a branch is fetched and pushed") {
    SshSite ssh;
    auto mirror = must(Mirror::open(ssh.call.call(), ssh.url,
                                    ssh.credentials("id", ssh.ssh.known_as("host.pub"))));
    const auto base = must(mirror.fetch("main"));
    CHECK(base == ssh.site.git("rev-parse main"));
    const auto commit = must(mirror.commit(base, {{"a.yaml", "1\n"}}, kText));
    must(mirror.push(commit, "p", std::nullopt));
    CHECK(ssh.site.git("rev-parse p") == commit);
    CHECK(must(mirror.fetch("main")) == base);
    // The type of key that is known is the one that is asked for.
    CHECK(ssh.fetch(ssh.credentials("id", ssh.ssh.known_as("host2.pub"))));
    auto locked = ssh.credentials("locked", ssh.ssh.known_as("host.pub"));
    locked.ssh_passphrase = Secret("pass");
    CHECK(ssh.fetch(std::move(locked)));
}

TEST_CASE("mirror: over SSH a server whose key is not known gets nothing") {
    SshSite ssh;
    const auto none = ssh.fetch(ssh.credentials("id", ""));
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == ErrorKind::Invalid);
    CHECK(none.error().message.find("has no known_hosts") != std::string::npos);
    const auto wrong = ssh.fetch(ssh.credentials("id", ssh.ssh.known_as("id.pub")));
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().kind == ErrorKind::Unauthorized);
    CHECK(wrong.error().message.find("not the one in known_hosts") != std::string::npos);
    const auto other = ssh.fetch(ssh.credentials(
        "id", "other.example " +
                  ssh.ssh.known_as("host.pub").substr(ssh.ssh.known_as("host.pub").find(' ') + 1)));
    REQUIRE_FALSE(other);
    CHECK(other.error().kind == ErrorKind::Unauthorized);
    CHECK(ssh.fetch(ssh.credentials("id", "@revoked x")).error().kind == ErrorKind::Invalid);
    CHECK(ssh.fetch(ssh.credentials("id", "nonsense")).error().kind == ErrorKind::Invalid);
}

TEST_CASE("mirror: over SSH a key that is not let in and a missing repository are told apart") {
    SshSite ssh;
    const auto stranger = ssh.fetch(ssh.credentials("host", ssh.ssh.known_as("host.pub")));
    REQUIRE_FALSE(stranger);
    CHECK(stranger.error().kind == ErrorKind::Unauthorized);
    ssh.url = ssh.ssh.url("/nonexistent/app.git");
    const auto missing = ssh.fetch(ssh.credentials("id", ssh.ssh.known_as("host.pub")));
    REQUIRE_FALSE(missing);
    INFO(missing.error().message);
    CHECK(missing.error().kind == ErrorKind::NotFound);
}
