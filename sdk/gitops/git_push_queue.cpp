#include "git_push_queue.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <map>

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::size_t kMostAtOnce = 32;
constexpr std::chrono::milliseconds kLookAtCall{50};
// A push that hangs must not hold up the others.
constexpr std::chrono::seconds kPatience{15};

}  // namespace

std::shared_ptr<PushQueue> PushQueue::of(const std::string& key) {
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<PushQueue>> queues;
    const std::lock_guard lock(mutex);
    auto found = queues[key].lock();
    if (found) return found;
    std::erase_if(queues, [](const auto& each) { return each.second.expired(); });
    found = std::make_shared<PushQueue>();
    queues[key] = found;
    return found;
}

PushQueue::Coming::Coming(std::shared_ptr<PushQueue> queue) : queue_(std::move(queue)) {
    const std::lock_guard lock(queue_->mutex_);
    ++queue_->coming_;
}

PushQueue::Coming& PushQueue::Coming::operator=(Coming&& other) noexcept {
    std::swap(queue_, other.queue_);
    return *this;
}

PushQueue::Coming::~Coming() {
    if (!queue_) return;  // moved away
    {
        const std::lock_guard lock(queue_->mutex_);
        --queue_->coming_;
    }
    queue_->changed_.notify_all();
}

Result<PushQueue::Answer> PushQueue::join(OutgoingBranch mine, const Waiting& waiting,
                                          Coming coming) {
    const auto patience = std::chrono::steady_clock::now() + kPatience;
    std::unique_lock lock(mutex_);
    const auto ticket = std::make_shared<Ticket>(Ticket{std::move(mine), Fate::Waiting, {}});
    waiting_.push_back(ticket);
    if (coming.queue_) {  // this very queue, which is locked
        --coming_;
        coming.queue_.reset();
        changed_.notify_all();
    }
    const auto first = [&] { return !led_ && !waiting_.empty() && waiting_.front() == ticket; };
    const auto leave = [&] {
        std::erase(waiting_, ticket);
        changed_.notify_all();  // another may be the first now
    };
    while (true) {
        if (ticket->fate == Fate::Pushed) return Answer{Without::Pushed, {}, ticket->heads};
        if (ticket->fate == Fate::Alone) return Answer{};
        if (first()) {
            led_ = true;
            waiting_.pop_front();
            return Answer{{}, Turn(shared_from_this()), {}};
        }
        if (auto stop = waiting.over()) {
            leave();
            return context(*stop, "waiting for another push to the same repository");
        }
        if (std::chrono::steady_clock::now() > patience) {
            leave();
            return Answer{};
        }
        changed_.wait_for(lock, kLookAtCall, [&] { return first() || ticket->fate > Fate::Taken; });
    }
}

std::size_t PushQueue::waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
}

std::vector<OutgoingBranch> PushQueue::Turn::gather(std::chrono::milliseconds patience) {
    std::unique_lock lock(queue_->mutex_);
    auto& waiting = queue_->waiting_;
    queue_->changed_.wait_for(lock, patience, [&] {
        return queue_->coming_ == 0 || group_.size() + waiting.size() + 1 >= kMostAtOnce;
    });
    std::vector<OutgoingBranch> outgoing;
    while (!waiting.empty() && group_.size() + 1 < kMostAtOnce) {
        group_.push_back(waiting.front());
        group_.back()->fate = Fate::Taken;
        outgoing.push_back(waiting.front()->outgoing);
        waiting.pop_front();
    }
    return outgoing;
}

void PushQueue::Turn::pushed(std::size_t i, std::shared_ptr<const RemoteHeads> heads) {
    const std::lock_guard lock(queue_->mutex_);
    group_[i]->fate = Fate::Pushed;
    group_[i]->heads = std::move(heads);
}

PushQueue::Turn::~Turn() {
    if (!queue_) return;  // moved away
    {
        const std::lock_guard lock(queue_->mutex_);
        for (const auto& ticket : group_)
            if (ticket->fate == Fate::Taken) ticket->fate = Fate::Alone;
        queue_->led_ = false;
    }
    queue_->changed_.notify_all();
}

std::string push_queue_key(const std::string& repository, const Credentials& credentials) {
    const std::array<std::string_view, 9> parts{repository,
                                                credentials.username,
                                                credentials.password.reveal(),
                                                credentials.bearer.reveal(),
                                                credentials.ssh_identity.reveal(),
                                                credentials.ssh_passphrase.reveal(),
                                                credentials.known_hosts,
                                                credentials.ca_pem,
                                                credentials.proxy};
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_MD_CTX* hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha256(), nullptr);
    for (const auto& part : parts) {
        const auto length = part.size();
        EVP_DigestUpdate(hash, &length, sizeof length);
        EVP_DigestUpdate(hash, part.data(), part.size());
    }
    EVP_DigestFinal_ex(hash, digest.data(), &size);
    EVP_MD_CTX_free(hash);
    return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace promotiond::sdk::inline v1::gitops
