#include "http/workers.hpp"

#include <pthread.h>

#include <utility>

namespace promotiond::http {

Workers::Workers(std::string name, std::size_t threads, std::size_t queue_limit)
    : name_(std::move(name)), threads_(threads), queue_limit_(queue_limit) {}

Workers::~Workers() { stop(); }

bool Workers::run(Work work) {
    {
        auto shared = shared_.access();
        if (shared->stopping || shared->waiting.size() >= queue_limit_) return false;
        shared->waiting.push_back(std::move(work));
        if (shared->idle < shared->waiting.size() && shared->threads.size() < threads_) {
            shared->threads.emplace_back([this](const std::stop_token& stop) { loop(stop); });
        }
    }
    wake_.notify_one();
    return true;
}

void Workers::stop() {
    std::vector<std::jthread> threads;
    std::deque<Work> dropped;
    {
        auto shared = shared_.access();
        shared->stopping = true;
        threads.swap(shared->threads);
        dropped.swap(shared->waiting);
    }
    for (auto& thread : threads) thread.request_stop();
    wake_.notify_all();
}

void Workers::loop(const std::stop_token& stop) {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    while (true) {
        Work work;
        {
            auto shared = shared_.access();
            ++shared->idle;
            wake_.wait(shared.lock(), [&] { return shared->stopping || !shared->waiting.empty(); });
            --shared->idle;
            if (shared->stopping) return;
            work = std::move(shared->waiting.front());
            shared->waiting.pop_front();
        }
        work(stop);
    }
}

}  // namespace promotiond::http
