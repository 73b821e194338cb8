// Outbox: sends what is told one after the other on a thread of its own, a few tries each, and
// drops the oldest rather than grow.
//
// Thread-safety: put() from any thread; it does not block. send runs on the outbox's thread. The
// destructor drops what waits and ends what runs by its stop token.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace promotiond::platform {

struct OutboxOptions {
    std::size_t most_waiting = 1'000;
    int tries = 3;
    std::chrono::milliseconds pause{1'000};  // between tries
};

template <class Item>
class Outbox {
public:
    // True: it is over, well or not. last: it will not be tried again.
    using Send = std::function<bool(const Item& item, bool last, const std::stop_token& stop)>;

    Outbox(OutboxOptions options, Send send, std::function<void()> dropped)
        : options_(options),
          send_(std::move(send)),
          dropped_(std::move(dropped)),
          thread_([this](const std::stop_token& stop) { run(stop); }) {}

    void put(Item item) {
        bool full = false;
        {
            const std::lock_guard held(mutex_);
            full = waiting_.size() >= options_.most_waiting;
            if (full) waiting_.pop_front();
            waiting_.push_back(std::move(item));
        }
        if (full) dropped_();
        woken_.notify_all();
    }

private:
    void run(const std::stop_token& stop) {
        std::unique_lock held(mutex_);
        while (woken_.wait(held, stop, [this] { return !waiting_.empty(); })) {
            const Item item = std::move(waiting_.front());
            waiting_.pop_front();
            held.unlock();
            for (int attempt = 1; !stop.stop_requested(); ++attempt) {
                if (send_(item, attempt >= options_.tries, stop) || attempt >= options_.tries)
                    break;
                std::unique_lock between(mutex_);
                woken_.wait_for(between, stop, options_.pause, [] { return false; });
            }
            held.lock();
        }
    }

    const OutboxOptions options_;
    const Send send_;
    const std::function<void()> dropped_;
    std::mutex mutex_;
    std::condition_variable_any woken_;
    std::deque<Item> waiting_;
    std::jthread thread_;  // last
};

}  // namespace promotiond::platform
