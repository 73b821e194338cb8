// The C side of the daemon: the host table that a plugin keeps, and the call table of one running
// verb.
//
// A Host is made for each library, so that log lines and cache directories carry its name. A
// CallState belongs to one instance and is opened and closed around each verb; it outlives the
// verb, so that a plugin which keeps the pointer meets a closed call instead of freed memory.
// Thread-safety: everything the tables reach, and end(), may be used from any thread; open() and
// close() from the thread that runs the verb.
#pragma once

#include <promotiond/abi.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "strategy/answer.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::strategy {

class Host {
public:
    Host(std::string strategy, std::shared_ptr<const HostServices> services);
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    [[nodiscard]] const promotiond_host& table() const noexcept { return table_; }
    [[nodiscard]] const HostServices& services() const noexcept { return *services_; }
    [[nodiscard]] const std::string& strategy() const noexcept { return strategy_; }

private:
    promotiond_host table_{};
    std::string strategy_;
    std::shared_ptr<const HostServices> services_;
};

class CallState {
public:
    struct Scope {
        std::string promotion_id;
        std::string pipeline_namespace;
        SteadyTime deadline;
        std::stop_token stop;
        std::function<void(std::string_view)> progress;
    };

    explicit CallState(const Host& host);
    CallState(const CallState&) = delete;
    CallState& operator=(const CallState&) = delete;

    // What a call leaves behind.
    struct Remains {
        RawAnswer answer;               // what was said since open()
        std::filesystem::path scratch;  // empty: none was made
        Scope scope;                    // its callback is somebody else's code to destroy
        // Removes the scratch directory; logs if it cannot.
        void clear() const;
    };

    void open(Scope scope);
    // From now on the call reaches nothing. Without I/O and others' code, so that it can be done
    // under a lock; what remains is cleared and destroyed after it.
    [[nodiscard]] Remains end();
    // end(), cleared.
    [[nodiscard]] RawAnswer close();

    [[nodiscard]] const promotiond_call& table() const noexcept { return table_; }
    [[nodiscard]] const Host& host() const noexcept { return *host_; }

    // For the service functions.
    [[nodiscard]] static CallState& of(const promotiond_call* call) {
        return *static_cast<CallState*>(call->impl);
    }
    [[nodiscard]] bool cancelled();
    [[nodiscard]] std::chrono::milliseconds remaining();
    [[nodiscard]] std::stop_token stop();
    [[nodiscard]] SteadyTime deadline();
    [[nodiscard]] std::string pipeline_namespace();
    [[nodiscard]] SteadyTime begun();
    // NAMESPACE/SECRET of the last secret that was asked for; empty: none was.
    [[nodiscard]] std::string credential();
    void gave_secret(std::string_view name, std::string_view key, const Secret& value);
    void lacks_secret(AbsentSecret absent);
    // It asks for something beyond its secrets.
    void reaches_out();
    // False: the call was cancelled meanwhile.
    [[nodiscard]] bool pause(std::chrono::milliseconds time);
    // False, and recorded as a breach, once the verb has returned.
    [[nodiscard]] bool still_open(std::string_view function);
    void breach(std::string what);
    // Made at the first time. Transient: it cannot be made; Cancelled: the call has ended.
    [[nodiscard]] Result<std::string> scratch();

private:
    void log(std::int32_t level, std::string_view text);
    void progress(std::string_view text);
    void fail(std::string_view text);
    void answer(const promotiond_result& result);

    promotiond_call table_{};
    const Host* host_;
    std::mutex mutex_;
    bool open_ = false;
    Scope scope_;
    SteadyTime begun_{};
    std::string credential_;
    bool reached_out_ = false;
    RawAnswer answer_;
    std::filesystem::path scratch_;
};

[[nodiscard]] std::size_t hash_of(const Secret& secret);
// What a store's refusal means for a plugin; none for a name or key that no store could have.
[[nodiscard]] std::optional<AbsentSecret::Lack> lack_of(const Error& error);

// The table of a host service, or null.
[[nodiscard]] const void* service_table(const Host& host, std::string_view id);

[[nodiscard]] inline std::string_view text_of(promotiond_view view) noexcept {
    return view.data == nullptr ? std::string_view{} : std::string_view{view.data, view.size};
}
[[nodiscard]] inline promotiond_view view_of(std::string_view text) noexcept {
    return {text.data(), text.size()};
}

}  // namespace promotiond::strategy
