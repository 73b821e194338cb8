// What a Mirror holds: its cache, its open repositories and its way to the remote.
#ifndef PROMOTIOND_GITOPS_MIRROR_STATE_HPP
#define PROMOTIOND_GITOPS_MIRROR_STATE_HPP

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "git_cache.hpp"
#include "git_library.hpp"
#include "git_push_queue.hpp"
#include "git_remote.hpp"
#include "git_transport.hpp"
#include "git_waiting.hpp"

namespace promotiond::sdk::inline v1::gitops {

// git keeps branches as files: "a" and "a/b" cannot both be.
[[nodiscard]] inline bool in_the_way(const std::string& existing, const std::string& wanted) {
    return existing.rfind(wanted + "/", 0) == 0 || wanted.rfind(existing + "/", 0) == 0;
}

class Mirror::State {
public:
    State(Call& call, std::string url, GitAddress address, Credentials credentials,
          std::filesystem::path cache)
        : call_(&call),
          url_(std::move(url)),
          address_(std::move(address)),
          credentials_(std::move(credentials)),
          waiting_(call),
          transport_(call, address_, credentials_),
          cache_(std::move(cache)) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State();

    [[nodiscard]] Call& call() { return *call_; }
    [[nodiscard]] const Waiting& waiting() const { return waiting_; }
    [[nodiscard]] const GitCache& cache() const { return cache_; }
    [[nodiscard]] const GitAddress& address() const { return address_; }

    [[nodiscard]] Result<ObjectId> fetch(const std::string& branch);
    [[nodiscard]] std::optional<ObjectId> recently_fetched(const std::string& branch);
    [[nodiscard]] Result<void> borrow(const Checkout& checkout);
    // What the remote said last; connects if it has not been asked yet.
    [[nodiscard]] Result<const Advertised*> advertised();
    [[nodiscard]] Result<void> push(OutgoingBranch mine);

    // Where to read objects: the scratch repository once there is one, which sees the mirror's too.
    [[nodiscard]] Result<git_repository*> repository();
    struct CommitTree {
        git_repository* repository;
        git_oid id;
    };
    [[nodiscard]] Result<CommitTree> tree_of(const ObjectId& commit);
    [[nodiscard]] Result<CommitPtr> find_commit(const ObjectId& commit);
    // Where to write objects.
    [[nodiscard]] Result<git_repository*> scratch();

    // An object that should be there is not, or is unreadable: the action that returns this is
    // repeated once by sound() on a new copy.
    [[nodiscard]] Error damage(ErrorKind kind, const std::string& doing);
    void suspect_damage() { damaged_ = true; }
    template <class Action>
    [[nodiscard]] auto sound(Action action) -> decltype(action()) {
        auto result = action();
        if (result || !std::exchange(damaged_, false)) return result;
        if (auto healed = heal(); !healed) return healed.error();
        result = action();
        damaged_ = false;
        return result;
    }
    void note_commit() { committed_ = true; }

private:
    [[nodiscard]] Result<ObjectId> fetch_since(const std::string& branch, SteadyTime since);
    [[nodiscard]] std::optional<Result<ObjectId>> shared_fetch(const std::string& branch,
                                                               SteadyTime since);
    [[nodiscard]] Result<ObjectId> fetch_locked(const std::string& branch);
    [[nodiscard]] Result<void> bring(GitRemote& remote, const std::string& branch,
                                     const ObjectId& head);
    void tidy();
    [[nodiscard]] Result<void> point(const std::string& branch, const git_oid& head);
    [[nodiscard]] Error no_such_branch(const std::string& branch) const;
    // Opens the copy that counts, if it is not open already. False: there is none to open.
    [[nodiscard]] bool open_current();
    [[nodiscard]] bool lend(git_repository* to) const;  // what is borrowed
    [[nodiscard]] Result<void> open_or_make();          // the lock must be held
    [[nodiscard]] Result<void> heal();
    [[nodiscard]] bool readable(const git_oid& commit) const;
    void drop_scratch();
    // mirror_push.cpp
    [[nodiscard]] Result<void> push_alone(const OutgoingBranch& mine);
    [[nodiscard]] Result<void> push_alone(GitRemote& remote, const Advertised& there,
                                          const OutgoingBranch& mine);
    [[nodiscard]] std::optional<Result<void>> push_leading(const OutgoingBranch& mine,
                                                           PushQueue::Turn& turn);
    [[nodiscard]] bool push_group(GitRemote& remote, git_repository* view, const Advertised& there,
                                  const std::vector<OutgoingBranch>& all, PushQueue::Turn& turn);
    void expect_push();
    [[nodiscard]] Error moved(const Advertised& there, const std::string& branch,
                              const std::optional<ObjectId>& expected) const;
    void note_push(const OutgoingBranch& mine, const RemoteHeads& before);

    Call* call_;
    std::string url_;
    GitAddress address_;
    Credentials credentials_;
    Waiting waiting_;
    GitTransport transport_;
    GitCache cache_;
    SteadyTime opened_ = std::chrono::steady_clock::now();
    std::map<std::string, SteadyTime> asked_;  // when fetch of a branch was last called
    std::optional<Advertised> advertised_;
    RepositoryPtr mirror_;
    int number_ = 0;        // of the open copy
    std::string borrowed_;  // a directory of objects besides; empty = none
    RepositoryPtr scratch_;
    std::filesystem::path scratch_path_;
    PushQueue::Coming coming_;
    bool damaged_ = false;
    bool committed_ = false;  // the scratch repository holds what cannot be had again
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
