// Instance: one object of a strategy, its call table and the thread that runs its verbs.
//
// A verb runs on the instance's own thread, so that one which never returns costs this instance and
// not the caller: after deadline and grace the caller gets Retry with misbehaved set, and the
// instance stays busy until the verb comes back, if ever; one that had not begun never does.
// Thread-safety: run() by one caller at a time (the pool sees to that), lane() from any thread,
// construction and end on the main thread.
#pragma once

#include <promotiond/abi.h>
#include <promotiond/ext/lane.h>
#include <promotiond/ext/observe.h>
#include <promotiond/ext/plan.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "strategy/host.hpp"

namespace promotiond::strategy {

// Request with the C view of it; immovable because the views point into it.
class OwnedRequest {
public:
    explicit OwnedRequest(const Request& from);
    OwnedRequest(const OwnedRequest&) = delete;
    OwnedRequest& operator=(const OwnedRequest&) = delete;
    [[nodiscard]] const promotiond_request& c() const noexcept { return c_; }

private:
    Request text_;
    promotiond_request c_{};
};

// A verb of the C side; owns what it passes by capturing shared pointers.
using Verb = std::function<promotiond_outcome(promotiond_strategy*, const promotiond_call*)>;

class Instance {
public:
    // Calls the plugin's create on the caller's thread. Invalid: it refused, or made a broken
    // object.
    [[nodiscard]] static Result<std::unique_ptr<Instance>> make(const Host& host,
                                                                const promotiond_plugin& plugin,
                                                                const std::string& settings);
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    struct Limits {
        std::chrono::milliseconds deadline;
        std::chrono::milliseconds grace;
        std::stop_token stop;
    };
    // Blocks until the verb has returned or was given up. `free` is called, on the verb's thread,
    // once the instance can take the next one.
    [[nodiscard]] Answer run(CallState::Scope scope, Verb verb, const Limits& limits,
                             std::function<void()> free);

    // The table of an extension, or null.
    template <class Table>
    [[nodiscard]] const Table* extension(std::string_view id) const {
        const auto* table = static_cast<const Table*>(find_extension(id));
        return table != nullptr && table->size >= sizeof(Table) ? table : nullptr;
    }
    // None if the plugin delivered no usable text.
    [[nodiscard]] std::optional<std::string> lane(const promotiond_lane& table,
                                                  const OwnedRequest& request);
    // True while a verb that was given up has not come back.
    [[nodiscard]] bool stuck();

private:
    struct Job {
        CallState::Scope scope;
        Verb verb;
        std::function<void()> free;
        std::optional<Answer> answer;
        bool abandoned = false;
    };

    explicit Instance(const Host& host) : call_(host) {}
    [[nodiscard]] const void* find_extension(std::string_view id) const;
    // On the verb's thread, with the call open.
    [[nodiscard]] Answer perform(Job& job);
    void work(const std::stop_token& stop);

    CallState call_;
    promotiond_strategy* strategy_ = nullptr;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::shared_ptr<Job> next_;
    std::shared_ptr<Job> running_;
    std::jthread worker_;  // last: it uses the others until it is joined
};

}  // namespace promotiond::strategy
