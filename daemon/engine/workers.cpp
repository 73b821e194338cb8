#include "engine/workers.hpp"

#include <pthread.h>

#include <utility>

namespace promotiond::engine {

Workers::~Workers() { join(); }

void Workers::run(std::function<void()> job) {
    const std::lock_guard held(mutex_);
    if (closing_) return;
    jobs_.push_back(std::move(job));
    if (jobs_.size() > idle_ && threads_.size() < most_) {
        threads_.emplace_back([this] { work(); });
    }
    changed_.notify_one();
}

void Workers::work() {
    pthread_setname_np(pthread_self(), "worker");
    std::unique_lock held(mutex_);
    for (;;) {
        ++idle_;
        changed_.wait(held, [this] { return closing_ || !jobs_.empty(); });
        --idle_;
        if (jobs_.empty()) return;
        auto job = std::move(jobs_.front());
        jobs_.pop_front();
        held.unlock();
        job();
        job = nullptr;
        held.lock();
    }
}

void Workers::join() {
    std::vector<std::jthread> threads;
    {
        const std::lock_guard held(mutex_);
        closing_ = true;
        threads.swap(threads_);
    }
    changed_.notify_all();
    threads.clear();
}

}  // namespace promotiond::engine
