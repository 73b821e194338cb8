// Workers: a few threads for what may block, so that the I/O thread never does. They start with the
// first piece of work.
//
// Thread-safety: all of it from any thread, but the destructor only once nobody else calls.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.hpp"

namespace promotiond::http {

class Workers {
public:
    // queue_limit: pieces that may wait.
    Workers(std::string name, std::size_t threads, std::size_t queue_limit);
    // Drops what waits, asks what runs to stop, and joins.
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    using Work = std::function<void(std::stop_token)>;
    // False: too much waits already, or the workers are stopping.
    [[nodiscard]] bool run(Work work);
    void stop();

private:
    struct Shared {
        std::deque<Work> waiting;
        std::vector<std::jthread> threads;
        std::size_t idle = 0;
        bool stopping = false;
    };
    void loop(const std::stop_token& stop);

    std::string name_;
    std::size_t threads_;
    std::size_t queue_limit_;
    std::condition_variable wake_;
    Guarded<Shared> shared_;
};

}  // namespace promotiond::http
