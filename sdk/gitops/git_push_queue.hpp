// Pushes to one repository that are under way at the same time become one: while somebody pushes,
// the others wait, and the next to push takes their branches along. Nobody waits for company, nor
// for long when a push hangs.
//
// An optimisation only. A group says of each branch that it is there, or nothing: then its owner
// pushes it alone and learns why. Groups form within one copy of this code and among calls with the
// same repository and credentials.
//
// Thread-safety: all functions, any thread.
#ifndef PROMOTIOND_GITOPS_GIT_PUSH_QUEUE_HPP
#define PROMOTIOND_GITOPS_GIT_PUSH_QUEUE_HPP

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <promotiond/gitops/mirror.hpp>

#include "git_remote.hpp"
#include "git_waiting.hpp"

namespace promotiond::sdk::inline v1::gitops {

struct OutgoingBranch {
    ObjectId commit = {};
    std::string branch = {};
    std::optional<ObjectId> expected = {};
    std::optional<BranchHead> based_on = {};
    std::string objects = {};  // the directory that holds what the mirror does not have
};

class PushQueue : public std::enable_shared_from_this<PushQueue> {
    struct Ticket;

public:
    // Held while pushing: others wait until they are taken along or it is given back.
    class Turn {
    public:
        explicit Turn(std::shared_ptr<PushQueue> queue) : queue_(std::move(queue)) {}
        Turn(Turn&&) noexcept = default;
        Turn& operator=(Turn&&) = delete;
        ~Turn();

        // Takes along who waits by now, and returns their branches; once. The later, the more.
        [[nodiscard]] std::vector<OutgoingBranch> gather();
        // The remote has branch i of those, and had `heads` just before. Those that are never named
        // are left alone.
        void pushed(std::size_t i, std::shared_ptr<const RemoteHeads> heads);

    private:
        friend class PushQueue;
        std::shared_ptr<PushQueue> queue_;
        std::vector<std::shared_ptr<Ticket>> group_;
    };

    // Of one repository and one way to get there.
    [[nodiscard]] static std::shared_ptr<PushQueue> of(const std::string& key);

    // Returns when the branch is pushed by somebody else (Pushed), should be pushed alone at once
    // (Alone), or it is one's turn to push it, with others perhaps.
    enum class Without { Pushed, Alone };
    struct Answer {
        Without without = Without::Alone;
        std::optional<Turn> turn;
        std::shared_ptr<const RemoteHeads> heads;  // when Pushed: what the remote had just before
    };
    [[nodiscard]] Result<Answer> join(OutgoingBranch mine, const Waiting& waiting);

    // How many are in join() with nobody who takes them along yet.
    [[nodiscard]] std::size_t waiting();

private:
    enum class Fate { Waiting, Taken, Pushed, Alone };
    struct Ticket {
        OutgoingBranch outgoing;
        Fate fate = Fate::Waiting;
        std::shared_ptr<const RemoteHeads> heads;
    };
    std::mutex mutex_;
    std::condition_variable changed_;
    bool led_ = false;
    std::deque<std::shared_ptr<Ticket>> waiting_;
};

// The key of a repository reached with these credentials; does not tell them.
[[nodiscard]] std::string push_queue_key(const std::string& repository,
                                         const Credentials& credentials);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
