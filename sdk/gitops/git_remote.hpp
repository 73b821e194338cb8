// One connection to the remote repository: what it has, taking from it, giving to it.
#ifndef PROMOTIOND_GITOPS_GIT_REMOTE_HPP
#define PROMOTIOND_GITOPS_GIT_REMOTE_HPP

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "git_library.hpp"
#include "git_transport.hpp"

namespace promotiond::sdk::inline v1::gitops {

using RemoteHeads = std::map<std::string, ObjectId>;  // by branch

// What a remote said it has when it was connected to.
struct Advertised {
    std::string default_branch;  // empty = none, as in a repository without commits
    RemoteHeads heads;
};

// What a failure was about, apart from the Error itself.
enum class Blame { Remote, Mirror };
struct RemoteFailure {
    Error error;
    Blame blame = Blame::Remote;
};

class GitRemote {
public:
    // transport and repository must outlive this object; one thread.
    GitRemote(GitTransport& transport, git_repository* repository, std::string url)
        : transport_(&transport), repository_(repository), url_(std::move(url)) {}
    GitRemote(const GitRemote&) = delete;
    GitRemote& operator=(const GitRemote&) = delete;

    [[nodiscard]] Result<void> connect(git_direction direction);
    // Of the connection; no network.
    [[nodiscard]] Result<Advertised> advertised();
    // Takes what the repository lacks of a branch. Says whether the repository or the remote is to
    // blame for a failure.
    [[nodiscard]] std::optional<RemoteFailure> download(const std::string& branch);
    // Points the remote branch to what the local reference points to, forced; the server
    // compares the old id with the one advertised on this connection. Invalid or Conflict with the
    // server's words.
    [[nodiscard]] Result<void> upload(const std::string& reference, const std::string& branch);
    // The same for several pairs of reference and branch; the branches that the server says it set.
    [[nodiscard]] Result<std::set<std::string>> upload(
        const std::vector<std::pair<std::string, std::string>>& pairs);

private:
    static int on_update(const char* reference, const char* status, void* self);
    static int on_sideband(const char* words, int size, void* self);
    static int on_transfer(const git_indexer_progress* progress, void* self);
    static int on_pack(int stage, std::uint32_t current, std::uint32_t total, void* self);
    static int on_transport(git_transport** out, git_remote* owner, void* self);
    [[nodiscard]] git_remote_callbacks callbacks();
    [[nodiscard]] Error failed(const std::string& doing) const;
    [[nodiscard]] Result<void> judge_update(const std::string& branch) const;

    GitTransport* transport_;
    git_repository* repository_;
    std::string url_;
    RemotePtr remote_;
    std::string server_words_;
    std::set<std::string> updated_;  // branches
    std::string refusal_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
