// Pushes to one repository that are under way at the same time become one: while somebody pushes,
// the others wait, and the next to push takes their branches along. Nobody waits long: not for
// company that is on its way, and not for a push that hangs.
//
// An optimisation only. A group says of each branch that it is there, or nothing: then its owner
// pushes it alone and learns why. Groups form within one copy of this code and among calls with the
// same repository and credentials.
//
// Thread-safety: all functions, any thread.
#ifndef PROMOTIOND_GITOPS_GIT_PUSH_QUEUE_HPP
#define PROMOTIOND_GITOPS_GIT_PUSH_QUEUE_HPP

#include <chrono>
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

        // Takes along who waits, and returns their branches; once. Those who are expected are given
        // so much time to come: by far less than a push takes, which each of them spares the
        // server.
        [[nodiscard]] std::vector<OutgoingBranch> gather(
            std::chrono::milliseconds patience = std::chrono::milliseconds{200});
        // The remote has branch i of those, and had `heads` just before. Those that are never named
        // are left alone.
        void pushed(std::size_t i, std::shared_ptr<const RemoteHeads> heads);

    private:
        friend class PushQueue;
        std::shared_ptr<PushQueue> queue_;
        std::vector<std::shared_ptr<Ticket>> group_;
    };

    // The word of one who is likely to push soon; given up when it goes.
    class Coming {
    public:
        Coming() = default;
        explicit Coming(std::shared_ptr<PushQueue> queue);
        Coming(Coming&&) noexcept = default;
        Coming& operator=(Coming&& other) noexcept;
        ~Coming();

    private:
        friend class PushQueue;
        std::shared_ptr<PushQueue> queue_;
    };

    // Of one repository and one way to get there.
    [[nodiscard]] static std::shared_ptr<PushQueue> of(const std::string& key);

    // Returns when the branch is pushed by somebody else (Pushed), should be pushed alone at once
    // (Alone), or it is one's turn to push it, with others perhaps. Who had said that he comes,
    // has.
    enum class Without { Pushed, Alone };
    struct Answer {
        Without without = Without::Alone;
        std::optional<Turn> turn;
        std::shared_ptr<const RemoteHeads> heads;  // when Pushed: what the remote had just before
    };
    [[nodiscard]] Result<Answer> join(OutgoingBranch mine, const Waiting& waiting,
                                      Coming coming = {});

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
    std::size_t coming_ = 0;
    std::deque<std::shared_ptr<Ticket>> waiting_;
};

// The key of a repository reached with these credentials; does not tell them.
[[nodiscard]] std::string push_queue_key(const std::string& repository,
                                         const Credentials& credentials);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
