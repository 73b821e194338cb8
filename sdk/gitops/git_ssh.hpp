// One command on a git server over SSH: git-upload-pack or git-receive-pack of a path.
//
// The server's key is checked against the known_hosts of the credentials before anything is sent to
// it; without known hosts there is no connection. Authentication is by private key only. Every wait
// ends with the call. One thread.
#ifndef PROMOTIOND_GITOPS_GIT_SSH_HPP
#define PROMOTIOND_GITOPS_GIT_SSH_HPP

#include <libssh2.h>

#include <memory>
#include <string>
#include <string_view>

#include <promotiond/gitops/mirror.hpp>
#include "git_address.hpp"
#include "git_waiting.hpp"

namespace promotiond::sdk::inline v1::gitops {

class SshCommand {
public:
    // Invalid: no or malformed known_hosts. Unauthorized: the server's key is not the known one, or
    // the server does not take ours, or the address is refused. Transient, Cancelled.
    [[nodiscard]] static Result<SshCommand> start(const Call& call, const GitAddress& address,
                                                  const Credentials& credentials,
                                                  const std::string& service);
    SshCommand(SshCommand&&) noexcept = default;
    SshCommand& operator=(SshCommand&&) = delete;
    ~SshCommand();

    [[nodiscard]] Result<void> write(std::string_view bytes);
    // At least one byte; 0 = the command has ended in order. When it ended in failure: NotFound,
    // Unauthorized or Transient with the server's words.
    [[nodiscard]] Result<std::size_t> read(char* into, std::size_t size);

private:
    struct FreeSession {
        void operator()(LIBSSH2_SESSION* session) const { libssh2_session_free(session); }
    };
    struct FreeChannel {
        void operator()(LIBSSH2_CHANNEL* channel) const { libssh2_channel_free(channel); }
    };
    SshCommand(const Call& call, const GitAddress& address, Socket socket)
        : waiting_(call), where_(address.display()), socket_(std::move(socket)) {}

    [[nodiscard]] Result<void> open(const GitAddress& address, const Credentials& credentials,
                                    const std::string& service);
    [[nodiscard]] Result<void> check_host(const GitAddress& address,
                                          const Credentials& credentials);
    [[nodiscard]] Result<void> log_in(const GitAddress& address, const Credentials& credentials);
    [[nodiscard]] Result<void> run(const std::string& command);
    // Repeats `attempt` while it says LIBSSH2_ERROR_EAGAIN; its last answer.
    template <class Attempt>
    [[nodiscard]] Result<long> persist(Attempt attempt);
    [[nodiscard]] std::string reason() const;
    [[nodiscard]] Error ended_badly();

    Waiting waiting_;
    std::string where_;
    Socket socket_;  // before the session, which uses its descriptor
    std::unique_ptr<LIBSSH2_SESSION, FreeSession> session_;
    std::unique_ptr<LIBSSH2_CHANNEL, FreeChannel> channel_;
    bool read_any_ = false;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
