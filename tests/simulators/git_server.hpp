// A git server for tests: git's own http-backend behind TLS on 127.0.0.1, with faults on request.
//
// Repositories are bare directories below the one it was given. Thread-safety: the test drives it
// from one thread. Lifetime: stops, and joins its threads, on destruction.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace promotiond::simulators {

struct GitFault {
    std::string target;       // a request whose target holds this text...
    bool silent = false;      // ...is never answered,
    int status = 0;           // or answered with this status
    std::string fields = {};  // and these header lines ("Name: value\r\n"),
    long cut_after = -1;      // or cut off after so many bytes of the body,
    bool take_effect = true;  // after or without having been carried out.
};

class GitServer {
public:
    explicit GitServer(std::filesystem::path repositories);
    GitServer(const GitServer&) = delete;
    GitServer& operator=(const GitServer&) = delete;
    ~GitServer();

    [[nodiscard]] std::string url(const std::string& repository) const;
    [[nodiscard]] std::uint16_t port() const { return port_; }
    // Of the server's certificate, which names localhost and 127.0.0.1.
    [[nodiscard]] const std::string& ca_pem() const { return ca_pem_; }
    // What requests must carry as basic authentication; empty = nothing.
    void require(const std::string& user, const std::string& password);
    void require_bearer(const std::string& token);
    void set_fault(GitFault fault);
    // "GET /app.git/info/refs?service=git-upload-pack" in order of arrival.
    [[nodiscard]] std::vector<std::string> requests() const;
    // Returns once a request is being kept waiting by a silent fault.
    void wait_until_silent();

private:
    class Connection;
    void accept_all();
    void serve(int fd);

    std::filesystem::path repositories_;
    std::string ca_pem_;
    void* tls_ = nullptr;  // SSL_CTX
    int listener_ = -1;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    int silent_ = 0;
    std::string authorization_;
    GitFault fault_;
    std::vector<std::string> requests_;
    std::vector<int> open_;
    std::vector<std::jthread> workers_;
    std::jthread acceptor_;
};

}  // namespace promotiond::simulators
