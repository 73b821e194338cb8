// A repository on a test server, and calls to reach it by.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <promotiond/gitops/mirror.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/simulators/git_server.hpp"

namespace promotiond::gitops_test {

using namespace promotiond::sdk;
using namespace promotiond::sdk::gitops;
using std::chrono::milliseconds;

// A directory that goes with its owner.
class Folder {
public:
    Folder() {
        char name[] = "/tmp/promotiond-git-XXXXXX";
        if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// What a shell command prints; throws when it fails.
inline std::string shell(const std::string& command) {
    std::FILE* pipe = ::popen(("{ " + command + " ; } 2>&1").c_str(), "r");
    std::string text;
    char piece[4096];
    while (std::fgets(piece, sizeof piece, pipe) != nullptr) text += piece;
    if (::pclose(pipe) != 0) throw std::runtime_error(command + ": " + text);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

// A running verb with a real clock; dials to loopback. Any number may share one cache.
class TestCall {
public:
    explicit TestCall(const std::filesystem::path& cache)
        : cache_(cache), deadline_(std::chrono::steady_clock::now() + std::chrono::hours(1)) {
        host_.size = sizeof host_;
        host_.impl = this;
        host_.log = [](const promotiond_host*, std::int32_t, promotiond_view) {};
        host_.now_ms = [](const promotiond_host*) -> std::int64_t { return 1'800'000'000'000; };
        host_.get_service = [](const promotiond_host* host, promotiond_view id) -> const void* {
            auto& self = *static_cast<TestCall*>(host->impl);
            const std::string_view name(id.data, id.size);
            if (name == PROMOTIOND_EXT_DIAL) return &self.dial_;
            if (name == PROMOTIOND_EXT_WORKSPACE) return &self.workspace_;
            return nullptr;
        };
        c_call_.size = sizeof c_call_;
        c_call_.impl = this;
        c_call_.cancelled = [](const promotiond_call* call) {
            return of(call).cancelled_ || of(call).left() == 0;
        };
        c_call_.remaining_ms = [](const promotiond_call* call) { return of(call).left(); };
        c_call_.log = [](const promotiond_call* call, std::int32_t, promotiond_view text) {
            of(call).log_ += std::string(text.data, text.size) + "\n";
        };
        c_call_.progress = [](const promotiond_call*, promotiond_view) {};
        c_call_.fail = [](const promotiond_call*, promotiond_view) {};
        c_call_.answer = [](const promotiond_call*, const promotiond_result*) {};
        dial_.size = sizeof dial_;
        dial_.connect = connect;
        workspace_.size = sizeof workspace_;
        workspace_.scratch = [](const promotiond_call* call, promotiond_sink sink, void* user) {
            return give(of(call).scratch_.path(), sink, user);
        };
        workspace_.cache = [](const promotiond_call* call, promotiond_view, promotiond_sink sink,
                              void* user) { return give(of(call).cache_, sink, user); };
    }
    TestCall(const TestCall&) = delete;
    TestCall& operator=(const TestCall&) = delete;

    Call& call() { return call_; }
    void cancel() { cancelled_ = true; }
    void expire() { deadline_ = std::chrono::steady_clock::now(); }
    [[nodiscard]] const std::string& log() const { return log_; }
    [[nodiscard]] const std::filesystem::path& scratch() const { return scratch_.path(); }

private:
    static TestCall& of(const promotiond_call* call) { return *static_cast<TestCall*>(call->impl); }
    [[nodiscard]] std::int64_t left() const {
        const auto left = std::chrono::duration_cast<milliseconds>(
            deadline_.load() - std::chrono::steady_clock::now());
        return left.count() < 0 ? 0 : left.count();
    }
    static bool give(const std::filesystem::path& path, promotiond_sink sink, void* user) {
        sink(user, {path.c_str(), path.native().size()});
        return true;
    }
    static std::int32_t connect(const promotiond_call*, promotiond_view, std::uint16_t port,
                                promotiond_view, int* fd, promotiond_sink, void*) {
        *fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        if (::connect(*fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
            return PROMOTIOND_HTTP_OK;
        ::close(*fd);
        *fd = -1;
        return PROMOTIOND_HTTP_CONNECT;
    }

    std::filesystem::path cache_;
    Folder scratch_;
    std::atomic<std::chrono::steady_clock::time_point> deadline_;
    std::atomic<bool> cancelled_{false};
    std::string log_;
    promotiond_host host_{};
    promotiond_call c_call_{};
    promotiond_dial dial_{};
    promotiond_workspace workspace_{};
    Call call_{host_, c_call_};
};

inline const CommitText kText{
    .message = "Promote podinfo to 1.2.3\n",
    .author_name = "promotiond",
    .author_email = "promotiond@localhost",
    .when = std::chrono::sys_seconds(std::chrono::seconds(1'800'000'000))};

// app.git with a branch main of a few files, a work tree beside it to change it by, a server, a
// cache.
class Site {
public:
    Site() {
        shell("cd " + folder_.path().native() + R"( && mkdir repos cache && export HOME=$PWD
            git init -q --bare -b main repos/app.git && git -C repos/app.git config http.receivepack true
            git init -q -b main work && cd work && git config user.email t@t && git config user.name t
            mkdir -p apps/dev apps/prod docs && echo 'tag: 1.2.2 # {"$promotion": "a"}' > apps/prod/app.yaml
            echo 'tag: 1.2.2' > apps/dev/app.yaml && echo text > docs/readme.md && ln -s /etc/passwd apps/link.yaml
            printf '#!/bin/sh\n' > run.sh && chmod +x run.sh
            git add -A && git update-index --add --cacheinfo 160000,1234567890123456789012345678901234567890,sub.yaml
            git commit -qm first && git push -q ../repos/app.git main)");
        server_ = std::make_unique<simulators::GitServer>(repositories());
    }
    [[nodiscard]] std::filesystem::path repositories() const { return folder_.path() / "repos"; }
    [[nodiscard]] std::filesystem::path cache() const { return folder_.path() / "cache"; }
    [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }
    [[nodiscard]] simulators::GitServer& server() { return *server_; }
    [[nodiscard]] std::string url() const { return server_->url("app.git"); }
    [[nodiscard]] Credentials credentials() const {
        Credentials credentials;
        credentials.ca_pem = server_->ca_pem();
        return credentials;
    }
    // In the bare repository.
    [[nodiscard]] std::string git(const std::string& words) const {
        return shell("git --git-dir=" + (repositories() / "app.git").native() + " " + words);
    }
    // A commit by somebody else on main.
    std::string change(const std::string& path, const std::string& content) {
        const auto work = folder_.path() / "work";
        std::ofstream(work / path) << content;
        return shell("cd " + work.native() + " && git add " + path +
                     " && git commit -qm change && git push -q ../repos/app.git main && git "
                     "rev-parse HEAD");
    }
    [[nodiscard]] Result<Mirror> open(TestCall& call) {
        return Mirror::open(call.call(), url(), credentials());
    }

private:
    Folder folder_;
    std::unique_ptr<simulators::GitServer> server_;
};

// The value, or an exception that tells the error: for steps that are not what a test is about.
template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace promotiond::gitops_test
