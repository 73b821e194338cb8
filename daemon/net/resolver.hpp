// Resolver: getaddrinfo with a deadline and cancellation.
//
// getaddrinfo can neither be bounded nor stopped, so it runs on a few threads of the resolver's
// own; a caller that gives up leaves its lookup behind. Lookups of one name in flight are shared
// and the threads are few, so that a dead name server piles up neither threads nor questions.
// Nothing is cached: the checked address is used at once. Thread-safety: resolve() from any thread.
// The destructor waits for lookups that run (at most the system resolver's own time-outs).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/connection.hpp"
#include "net/egress.hpp"

namespace promotiond::net {

class Resolver {
public:
    Resolver() = default;
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // In the system's order of preference, at least one. Takes every spelling of an address that
    // the system takes. Connect: no such name or no answer; Timeout; Cancelled.
    [[nodiscard]] Attempt<std::vector<Address>> resolve(const std::string& host,
                                                        const Limit& limit);

private:
    struct Lookup {
        std::string host;
        bool done = false;
        std::vector<Address> addresses;
        std::string error;
    };
    void work(const std::stop_token& stop);

    std::mutex mutex_;
    std::condition_variable_any work_;
    std::condition_variable_any done_;
    std::map<std::string, std::shared_ptr<Lookup>> running_;
    std::deque<std::shared_ptr<Lookup>> waiting_;
    std::size_t idle_ = 0;
    std::vector<std::jthread> threads_;
};

}  // namespace promotiond::net
