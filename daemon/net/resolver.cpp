#include "net/resolver.hpp"

#include <netdb.h>
#include <pthread.h>

namespace promotiond::net {
namespace {

constexpr std::size_t kMostThreads = 4;

struct Found {
    std::vector<Address> addresses;
    std::string error;
};

Found look_up(const std::string& host, int flags) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    addrinfo* list = nullptr;
    Found found;
    if (const int code = getaddrinfo(host.c_str(), nullptr, &hints, &list); code != 0) {
        found.error = gai_strerror(code);
        return found;
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
    for (const auto* entry = list; entry != nullptr; entry = entry->ai_next) {
        if (const auto address = Address::from(*entry->ai_addr))
            found.addresses.push_back(*address);
    }
    if (found.addresses.empty()) found.error = "it has no address";
    return found;
}

}  // namespace

Resolver::~Resolver() {
    for (auto& thread : threads_) thread.request_stop();
    work_.notify_all();
}

Attempt<std::vector<Address>> Resolver::resolve(const std::string& host, const Limit& limit) {
    // Literals of any spelling need no name server and no thread.
    if (auto literal = look_up(host, AI_NUMERICHOST); !literal.addresses.empty())
        return std::move(literal.addresses);

    std::unique_lock lock(mutex_);
    auto& slot = running_[host];
    if (!slot) {
        slot = std::make_shared<Lookup>();
        slot->host = host;
        waiting_.push_back(slot);
        if (idle_ < waiting_.size() && threads_.size() < kMostThreads)
            threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
        work_.notify_one();
    }
    const auto lookup = slot;
    done_.wait_until(lock, limit.stop, limit.deadline, [&] { return lookup->done; });
    if (!lookup->done) return limit.failure("the name lookup of " + host);
    if (!lookup->error.empty())
        return HttpError{Failure::Connect,
                         "cannot find the address of " + host + ": " + lookup->error};
    return lookup->addresses;
}

void Resolver::work(const std::stop_token& stop) {
    pthread_setname_np(pthread_self(), "resolver");
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        const bool more = work_.wait(lock, stop, [&] { return !waiting_.empty(); });
        --idle_;
        if (!more || stop.stop_requested()) return;
        const auto lookup = waiting_.front();
        waiting_.pop_front();
        lock.unlock();
        auto found = look_up(lookup->host, AI_ADDRCONFIG);
        lock.lock();
        lookup->addresses = std::move(found.addresses);
        lookup->error = std::move(found.error);
        lookup->done = true;
        running_.erase(lookup->host);
        done_.notify_all();
    }
}

}  // namespace promotiond::net
