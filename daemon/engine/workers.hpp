// Workers: the threads that carry promotions out. Made when there is work for them, up to a limit;
// joined by the destructor.
//
// Thread-safety: run() from any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace promotiond::engine {

class Workers {
public:
    explicit Workers(std::size_t most) : most_(most) {}
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // The job must not throw. After join() has begun, jobs are not taken any more.
    void run(std::function<void()> job);
    // Ends when every job that was taken has returned.
    void join();

private:
    void work();

    const std::size_t most_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    std::size_t idle_ = 0;
    bool closing_ = false;
    std::vector<std::jthread> threads_;
};

}  // namespace promotiond::engine
