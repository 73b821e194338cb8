#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "catch.hpp"
#include "gitops_mirror_fixture.hpp"

using namespace promotiond::gitops_test;

namespace {

std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    (void)::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    (void)::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
}

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The system's sshd on a free port with keys of its own, for this test's user.
class SshServer {
public:
    explicit SshServer(const std::filesystem::path& home) : home_(home), port_(free_port()) {
        shell(
            "cd " + home_.native() +
            " && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ecdsa -N '' -f host2 "
            "&& ssh-keygen -q -t ed25519 -N '' -f id && ssh-keygen -q -t ed25519 -N pass -f locked "
            "&& cat id.pub locked.pub > authorized");
        // As root, sshd wants the directory that its service would make.
        if (::getuid() == 0) std::filesystem::create_directories("/run/sshd");
        std::ofstream(home_ / "config")
            << "ListenAddress 127.0.0.1:" << port_ << "\nHostKey " << (home_ / "host").native()
            << "\nHostKey " << (home_ / "host2").native() << "\nAuthorizedKeysFile "
            << (home_ / "authorized").native()
            << "\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
               "PidFile none\nLogLevel QUIET\n";
        std::string words[] = {"/usr/sbin/sshd", "-D", "-f", (home_ / "config").native()};
        char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(),
                             nullptr};
        if (::posix_spawn(&child_, arguments[0], nullptr, nullptr, arguments, environ) != 0)
            throw std::runtime_error("no sshd; install openssh-server");
        wait_until_listening();
    }
    SshServer(const SshServer&) = delete;
    SshServer& operator=(const SshServer&) = delete;
    ~SshServer() {
        ::kill(child_, SIGTERM);
        ::waitpid(child_, nullptr, 0);
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
    void wait_until_listening() const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (std::chrono::steady_clock::now() < end) {
            const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            address.sin_port = htons(port_);
            const int code = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
            ::close(fd);
            if (code == 0) return;
            ::usleep(10'000);  // there is nothing of sshd's to wait on but the port itself
        }
        throw std::runtime_error("sshd does not listen");
    }

    std::filesystem::path home_;
    std::uint16_t port_;
    pid_t child_ = 0;
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
