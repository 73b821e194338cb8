// Our own connections under libgit2's smart protocol, given to one remote at a time.
//
// libgit2 calls back with a transport per remote; nothing is registered globally, so that several
// copies of this code in one process cannot get each other's connections. libgit2 reports errors as
// text; the first typed error is kept here for the caller.
#ifndef PROMOTIOND_GITOPS_GIT_TRANSPORT_HPP
#define PROMOTIOND_GITOPS_GIT_TRANSPORT_HPP

#include <git2.h>
#include <git2/sys/transport.h>

#include <cstdint>
#include <optional>
#include <string>

#include "git_http.hpp"
#include "git_ssh.hpp"

namespace promotiond::sdk::inline v1::gitops {

// How one repository is reached in one call. Outlives every remote that uses it; one thread.
class GitTransport {
public:
    // All must outlive this object.
    GitTransport(const Call& call, const GitAddress& address, const Credentials& credentials)
        : call_(&call),
          address_(&address),
          credentials_(&credentials),
          http_(call, address, credentials) {}
    GitTransport(const GitTransport&) = delete;
    GitTransport& operator=(const GitTransport&) = delete;

    // For git_remote_callbacks.transport; `transport` is a GitTransport.
    static int make(git_transport** out, git_remote* owner, void* transport) noexcept;

    // The first failure since reset(), which is the cause of those after it.
    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
    void reset() { failure_.reset(); }
    // Keeps the error and gives libgit2 its text and code.
    int fail(Error error);
    // Non-zero if the call is over, for libgit2's progress callbacks.
    int check_call();

    // What libgit2's streams do; `service` is git-upload-pack or git-receive-pack.
    int open_refs(const std::string& service);
    int open_exchange(const std::string& service);
    int write(const char* bytes, std::size_t size);
    int read(char* into, std::size_t size, std::size_t* got);
    void end_exchange();
    void close();

private:
    [[nodiscard]] Result<void> finish_request();
    [[nodiscard]] Result<std::size_t> read_either(char* into, std::size_t size);

    const Call* call_;
    const GitAddress* address_;
    const Credentials* credentials_;
    GitHttp http_;
    std::optional<SshCommand> ssh_;
    bool asking_ = false;        // a POST is being written
    bool reading_refs_ = false;  // bounded, see kMaxRefsBytes
    std::uint64_t refs_bytes_ = 0;
    std::optional<Error> failure_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
