// Programs that tests run beside them: one that keeps running, and one that is waited for.
//
// A kept program dies with the thread that started it (PR_SET_PDEATHSIG), so that a crashed test
// leaves nothing behind. Thread-safety: none. What cannot be started throws std::runtime_error.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace promotiond::tests {

struct Output {
    int code = 0;  // the exit status; 128 + signal if it was ended by one
    std::string out;
    std::string err;
};

// Runs to the end. The environment is the caller's and, before it, `more` ("NAME=value").
[[nodiscard]] Output run(const std::vector<std::string>& words, const std::string& input = {},
                         const std::vector<std::string>& more = {});

class Program {
public:
    Program() = default;
    // Standard output and error are appended to the log.
    Program(const std::vector<std::string>& words, const std::filesystem::path& log);
    Program(Program&& other) noexcept;
    Program& operator=(Program&& other) noexcept;
    ~Program() { stop(); }

    [[nodiscard]] bool running();
    // Once it is gone: its exit status; 128 + signal if it was ended by one.
    [[nodiscard]] int code() const noexcept { return code_; }
    void signal(int number) const;
    // SIGTERM, SIGKILL if it is still there when the patience ends; returns when it is gone.
    void stop(std::chrono::milliseconds patience = std::chrono::seconds{5});
    // SIGKILL, as a node that dies; returns when it is gone.
    void kill();

private:
    pid_t pid_ = 0;  // 0 = none
    int code_ = 0;
};

}  // namespace promotiond::tests
