#include "tests/kubernetes/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace promotiond::tests {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> found;
    for (auto& word : words) found.push_back(word.data());
    found.push_back(nullptr);
    return found;
}

struct Streams {
    int in, out, err;
};

// Between fork and exec only what is safe after a fork of a program with threads.
pid_t start(std::vector<std::string> words, std::vector<std::string> environment, Streams streams,
            bool dies_with_us) {
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    const auto arguments = pointers(words);
    const auto variables = pointers(environment);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "cannot fork");
    if (child > 0) return child;
    if (dies_with_us) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(127);
    }
    ::dup2(streams.in, 0);
    ::dup2(streams.out, 1);
    ::dup2(streams.err, 2);
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    ::sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvpe(arguments.front(), arguments.data(), variables.data());
    ::_exit(127);
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

File scratch() { return {std::tmpfile(), &std::fclose}; }

std::string text_of(std::FILE* file) {
    std::string text;
    std::rewind(file);
    char piece[65536];
    for (std::size_t got = 1; got > 0;) {
        got = std::fread(piece, 1, sizeof piece, file);
        text.append(piece, got);
    }
    return text;
}

}  // namespace

Output run(const std::vector<std::string>& words, const std::string& input,
           const std::vector<std::string>& more) {
    const File in = scratch();
    const File out = scratch();
    const File err = scratch();
    std::fwrite(input.data(), 1, input.size(), in.get());
    std::rewind(in.get());
    const pid_t child =
        start(words, more, {::fileno(in.get()), ::fileno(out.get()), ::fileno(err.get())}, true);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return {code_of(status), text_of(out.get()), text_of(err.get())};
}

Program::Program(const std::vector<std::string>& words, const std::filesystem::path& log) {
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int sink = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (nothing < 0 || sink < 0) throw std::runtime_error("cannot write " + log.native());
    pid_ = start(words, {}, {nothing, sink, sink}, true);
    ::close(nothing);
    ::close(sink);
}

Program::Program(Program&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), code_(other.code_) {}

Program& Program::operator=(Program&& other) noexcept {
    if (this != &other) {
        stop();
        pid_ = std::exchange(other.pid_, 0);
        code_ = other.code_;
    }
    return *this;
}

bool Program::running() {
    if (pid_ == 0) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
    code_ = code_of(status);
    pid_ = 0;
    return false;
}

void Program::signal(int number) const {
    if (pid_ != 0) ::kill(pid_, number);
}

void Program::stop(std::chrono::milliseconds patience) {
    if (!running()) return;
    signal(SIGCONT);
    signal(SIGTERM);
    pollfd entry{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), POLLIN, 0};
    if (entry.fd >= 0) {
        ::poll(&entry, 1, static_cast<int>(patience.count()));
        ::close(entry.fd);
    }
    kill();
}

void Program::kill() {
    if (!running()) return;
    signal(SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    code_ = code_of(status);
    pid_ = 0;
}

}  // namespace promotiond::tests
