// Mirror: a remote git repository, kept as one bare copy in a cache directory and read through it.
//
// Nothing is ever checked out: files are read from and written to the object database, so symlinks,
// hooks, filters, submodules and the like have nothing to act on. New objects go to a scratch
// repository that borrows the mirror's objects (an alternate), so that a crash leaves the mirror
// clean. Two processes, two plugins and several threads may share a mirror: a file lock guards what
// changes it. A damaged mirror is thrown away and fetched anew.
//
// Every network step ends at the call's deadline or cancellation, whatever the server does:
// libgit2 1.5 has no timeouts of its own, so its connections are ours. HTTPS (token or user and
// password, a CA of one's own, proxy) and SSH (key, known hosts checked). Plain http, git:// and
// file:// are refused. No redirect is followed to another host.
//
// Thread-safety: one object per thread; any number of objects on one cache directory.
// libgit2 and libssh2 stay behind this header.
#ifndef PROMOTIOND_GITOPS_MIRROR_HPP
#define PROMOTIOND_GITOPS_MIRROR_HPP

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../result.hpp"
#include "../secret.hpp"
#include "../strategy.hpp"
#include "checkout.hpp"

namespace promotiond::sdk::inline v1::gitops {

struct Credentials {
    std::string username;  // for HTTPS basic; with SSH the user, default "git"
    Secret password;       // or token
    Secret bearer;         // with HTTPS instead of both: an access token, sent as it is
    Secret ssh_identity;   // private key, PEM/OpenSSH
    Secret ssh_passphrase;
    std::string known_hosts;  // lines of an OpenSSH known_hosts file
    std::string ca_pem;       // trusted instead of the system's
    std::string proxy;        // URL; empty = the host's setting
};

using ObjectId = std::string;  // 40 lower-case hex

struct BranchHead {
    std::string branch;
    ObjectId commit;
};

struct TreeFile {
    std::string path;
    ObjectId blob;
    std::size_t size = 0;
    bool executable = false;
};

struct FileChange {
    std::string path;
    std::string content;
    bool removed = false;  // a file or a directory, which is there; then without content
};

struct CommitText {
    std::string message;
    std::string author_name;
    std::string author_email;
    std::chrono::sys_seconds when;
};

class Mirror {
public:
    // Opens or makes the mirror of url in the call's cache directory. Invalid: the URL is not one
    // we take.
    [[nodiscard]] static Result<Mirror> open(Call& call, const std::string& url,
                                             Credentials credentials);
    Mirror(Mirror&&) noexcept;
    Mirror& operator=(Mirror&&) noexcept;
    ~Mirror();

    // Takes what a checkout of this repository has as fetched, without copying it: only what is
    // newer comes over the network. The checkout must outlive this object. A shallow one lends
    // nothing, since git's protocol wants whole histories.
    [[nodiscard]] Result<void> borrow(const Checkout& checkout);
    // Brings the branch up to date and returns its head. A fetch that another call has begun since
    // this call began is good enough. NotFound: no such branch, with the remote's default branch in
    // the message. Unauthorized, Transient, Cancelled.
    [[nodiscard]] Result<ObjectId> fetch(const std::string& branch);
    // The head of the branch as it was fetched within the last seconds, by whichever call, without
    // asking the remote; none = it was not. The branch may have moved since: what is built on it
    // settles nothing, and is pushed only as `based_on` it. remote_head then is as old.
    [[nodiscard]] std::optional<ObjectId> recently_fetched(const std::string& branch);
    // The remote's default branch (its HEAD).
    [[nodiscard]] Result<std::string> default_branch();
    // The remote's head of a branch as the last connection told it, which may be that of a push;
    // none = the branch does not exist there.
    [[nodiscard]] Result<std::optional<ObjectId>> remote_head(const std::string& branch);

    // Calls back for each regular file of a commit's tree whose path has one of the suffixes; false
    // stops. Symlinks and submodules are not files.
    [[nodiscard]] Result<void> files(const ObjectId& commit,
                                     const std::vector<std::string>& suffixes,
                                     const std::function<bool(const TreeFile&)>& visit);
    // Those below one directory, with their whole paths. NotFound: there is no such directory.
    [[nodiscard]] Result<std::vector<TreeFile>> files_below(
        const ObjectId& commit, const std::string& directory,
        const std::vector<std::string>& suffixes);
    [[nodiscard]] Result<std::string> read(const ObjectId& blob, std::size_t limit_bytes);
    // Paths of files that hold the text, found quickly: per blob the answer is remembered in the
    // cache directory.
    [[nodiscard]] Result<std::vector<TreeFile>> files_holding(
        const ObjectId& commit, std::string_view text, const std::vector<std::string>& suffixes,
        std::size_t limit_bytes);

    // A commit on parent with the changes applied, in the scratch repository; not yet visible to
    // anybody. Same input gives the same id.
    [[nodiscard]] Result<ObjectId> commit(const ObjectId& parent,
                                          const std::vector<FileChange>& changes,
                                          const CommitText& text);
    // Unified diff of a commit against its first parent, three lines of context.
    [[nodiscard]] Result<std::string> diff(const ObjectId& commit);
    // True if the two commits have the same tree.
    [[nodiscard]] Result<bool> same_tree(const ObjectId& a, const ObjectId& b);
    // When the newest commit was made, among this one and its first parents, that changed the path.
    [[nodiscard]] Result<std::chrono::sys_seconds> last_change(const ObjectId& commit,
                                                               const std::string& path);
    // First parent, or none.
    [[nodiscard]] Result<std::optional<ObjectId>> parent(const ObjectId& commit);

    // Points the remote branch at the commit, if it is still at `expected` (none = must not exist).
    // Already there is fine. Conflict: it moved, or another branch that the commit is `based_on`
    // did; then nothing is sent. Unauthorized; Invalid: the server refused it (branch rules, hook),
    // with the server's words.
    [[nodiscard]] Result<void> push(const ObjectId& commit, const std::string& branch,
                                    const std::optional<ObjectId>& expected,
                                    const std::optional<BranchHead>& based_on = {});

private:
    class State;
    explicit Mirror(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// https://host/path, ssh://user@host/path or user@host:path, with nothing in it that a shell, a log
// or git could trip over. Invalid with the reason.
[[nodiscard]] Result<void> check_repository_url(std::string_view url);
// Letters, digits and . _ / -, as git's own rules allow and a little stricter; at most 200 bytes.
[[nodiscard]] Result<void> check_branch_name(std::string_view branch);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
