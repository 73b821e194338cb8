#include "platform/kube_exec.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "model/codec.hpp"
#include "model/text_check.hpp"
#include "platform/file_read.hpp"
#include "platform/json_view.hpp"

extern char** environ;

namespace promotiond::platform {
namespace {

constexpr std::size_t kLongestAnswer = 1u << 20;
constexpr int kSliceMs = 100;  // how soon a stop is seen

std::string cluster_part(const KubeExec& exec, const std::string& server) {
    if (!exec.provide_cluster_info) return {};
    return R"(,"cluster":{"server":)" + model::json_string(server) + "}";
}

std::vector<std::string> environment_of(const KubeExec& exec, const std::string& server) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
    for (const auto& [name, value] : exec.environment) all.push_back(name + "=" + value);
    all.push_back(R"(KUBERNETES_EXEC_INFO={"apiVersion":)" + model::json_string(exec.api_version) +
                  R"(,"kind":"ExecCredential","spec":{"interactive":false)" +
                  cluster_part(exec, server) + "}}");
    return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

// A started plugin: a process group of its own, gone when this is.
class Plugin {
public:
    explicit Plugin(pid_t pid) : pid_(pid) {}
    Plugin(const Plugin&) = delete;
    Plugin& operator=(const Plugin&) = delete;
    ~Plugin() {
        if (pid_ > 0) (void)exit_code();
    }
    // Kills what still runs; its exit code, or 128 and more.
    int exit_code() {
        int status = 0;
        const pid_t pid = std::exchange(pid_, 0);
        siginfo_t info{};
        // Looked at but not yet reaped, so that the group's number cannot belong to others.
        const bool ended =
            ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == pid;
        (void)::kill(-pid, SIGKILL);
        while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (ended && WIFEXITED(status)) return WEXITSTATUS(status);
        return 128;
    }
    // Waits for its end, at most until then.
    [[nodiscard]] bool ended_by(SteadyTime end, const std::stop_token& stop) const {
        while (std::chrono::steady_clock::now() < end && !stop.stop_requested()) {
            siginfo_t info{};
            if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
                return true;
            if (info.si_pid == pid_) return true;
            (void)::poll(nullptr, 0, 5);
        }
        return false;
    }

private:
    pid_t pid_;
};

Result<pid_t> start(const KubeExec& exec, const std::string& server, int output) {
    std::vector<std::string> words{exec.command};
    words.insert(words.end(), exec.arguments.begin(), exec.arguments.end());
    auto variables = environment_of(exec, server);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // The daemon blocks the signals that it waits for and ignores others; its child must not.
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    const int failed = ::posix_spawn(&pid, exec.command.c_str(), &files, &attributes,
                                     pointers_to(words).data(), pointers_to(variables).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) {
        return Error{ErrorKind::Invalid,
                     "exec plugin " + exec.command + " cannot be run: " + std::strerror(failed)};
    }
    return pid;
}

Error failure(const KubeExec& exec, ErrorKind kind, const std::string& what) {
    return {kind, "exec plugin " + exec.command + " " + what};
}

Result<std::string> read_all(const KubeExec& exec, int fd, SteadyTime end,
                             const std::stop_token& stop) {
    std::string text;
    std::array<char, 16384> block{};
    while (true) {
        if (stop.stop_requested()) return failure(exec, ErrorKind::Cancelled, "was not needed");
        if (std::chrono::steady_clock::now() >= end)
            return failure(exec, ErrorKind::Transient, "took too long and was killed");
        pollfd entry{fd, POLLIN, 0};
        if (::poll(&entry, 1, kSliceMs) <= 0) continue;
        const ssize_t size = ::read(fd, block.data(), block.size());
        if (size == 0) return text;
        if (size < 0) continue;
        text.append(block.data(), static_cast<std::size_t>(size));
        if (text.size() > kLongestAnswer)
            return failure(exec, ErrorKind::Invalid, "prints more than 1 MiB");
    }
}

Result<ExecCredential> credential_in(const KubeExec& exec, const std::string& text) {
    const JsonView answer(text);
    if (answer["kind"].text() != "ExecCredential" ||
        answer["apiVersion"].text() != exec.api_version) {
        return failure(exec, ErrorKind::Invalid,
                       "did not print an ExecCredential of " + exec.api_version);
    }
    const JsonView status = answer["status"];
    ExecCredential credential;
    credential.token = Secret(status["token"].text());
    credential.client_certificate_pem = Secret(status["clientCertificateData"].text());
    credential.client_key_pem = Secret(status["clientKeyData"].text());
    if (credential.token.empty() && credential.client_key_pem.empty())
        return failure(exec, ErrorKind::Invalid, "gave neither token nor client certificate");
    if (const JsonView expires = status["expirationTimestamp"]) {
        const auto time = model::time_from_text(expires.text());
        if (!time) return failure(exec, ErrorKind::Invalid, "gave an expiry that is no RFC 3339");
        credential.expires = *time;
    }
    return credential;
}

}  // namespace

Result<ExecCredential> run_exec_plugin(const KubeExec& exec, const std::string& server,
                                       std::chrono::milliseconds timeout, std::stop_token stop) {
    const SteadyTime end = std::chrono::steady_clock::now() + timeout;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return failure(exec, ErrorKind::Transient, "cannot be run: no pipe is left");
    const FileHandle input(ends[0]);
    FileHandle output(ends[1]);
    auto pid = start(exec, server, output.fd());
    output = FileHandle();
    if (!pid) return std::move(pid).error();
    Plugin plugin(*pid);
    auto text = read_all(exec, input.fd(), end, stop);
    if (!text) return std::move(text).error();
    (void)plugin.ended_by(end, stop);
    const int code = plugin.exit_code();
    if (code != 0) {
        return failure(exec, ErrorKind::Transient,
                       "failed with exit code " + std::to_string(code) + "; run it by hand");
    }
    auto credential = credential_in(exec, *text);
    std::fill(text->begin(), text->end(), '\0');
    return credential;
}

}  // namespace promotiond::platform
