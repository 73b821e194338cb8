// The C++ layer over abi.h: write a class, name it in one macro, and it is a strategy.
//
//   class Greet : public promotiond::sdk::Strategy {
//   public:
//       explicit Greet(const Settings&) {}
//       Outcome promote(const Promotion& promotion, Call& call) override {
//           call.log(Level::Info, "hello");
//           return Outcome::done("https://example.com/greeting");
//       }
//   };
//   PROMOTIOND_STRATEGY(Greet, {.name = "greet", .key = "greet", .version = "1.0.0",
//                               .summary = "Says hello"})
//
// Header-only, standard library (and close(2)) only; nothing in here crosses the border. Threads,
// ownership and idempotence are those of abi.h: one verb at a time per instance, everything
// borrowed for the call. A verb may throw: Rejected and Retry map to their outcomes, any other
// exception becomes RETRY.
#ifndef PROMOTIOND_STRATEGY_HPP
#define PROMOTIOND_STRATEGY_HPP

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "abi.h"
#include "ext/dial.h"
#include "ext/http.h"
#include "ext/lane.h"
#include "ext/observe.h"
#include "ext/plan.h"
#include "ext/secrets.h"
#include "ext/workspace.h"
#include "result.hpp"
#include "secret.hpp"

namespace promotiond::sdk::inline v1 {

enum class Level { Debug, Info, Warn, Error };

// promotiond_request as views; valid during the verb.
struct Promotion {
    std::string_view id;
    std::string_view pipeline_namespace;
    std::string_view pipeline_name;
    std::string_view environment;
    std::string_view target;
    std::string_view revision;
    std::string_view previous_revision;
    std::string_view actor;
    std::string_view config;   // JSON object, valid against the strategy's schema
    std::string_view targets;  // JSON
    std::string_view event;    // JSON
    std::uint32_t attempt = 1;
};

// What a verb came to, with its answer. Made by the named functions only.
class Outcome {
public:
    // The environment is as asked. location: URL for people, may be empty.
    [[nodiscard]] static Outcome done(std::string location = {});
    // Someone else must act now; observe is called with external_id until it is settled.
    [[nodiscard]] static Outcome pending(std::string location, std::string external_id);
    // Try again, not before `after` (zero: the host decides).
    [[nodiscard]] static Outcome retry_after(std::chrono::milliseconds after, std::string why);
    // Permanent until a person changes something.
    [[nodiscard]] static Outcome rejected(std::string why);
    [[nodiscard]] static Outcome cancelled(std::string why = "asked to stop");
    // The outcome that fits an error's kind: Throttled, Transient, Conflict -> retry; Cancelled ->
    // cancelled; else rejected.
    [[nodiscard]] static Outcome from(const Error& error);

    // Adds to the answer; chainable.
    Outcome&& with_summary(std::string summary) &&;
    Outcome&& with_details(std::string json) &&;

    promotiond_outcome code = PROMOTIOND_REJECTED;
    std::string why;
    std::string summary;
    std::string location;
    std::string external_id;
    std::string details;
    std::chrono::milliseconds not_before{0};
};

// May be thrown from a verb instead of returning the outcome.
struct Rejected : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Retry : std::runtime_error {
    explicit Retry(const std::string& why, std::chrono::milliseconds not_before = {})
        : std::runtime_error(why), after(not_before) {}
    std::chrono::milliseconds after;
};

struct HttpRequest {
    std::string method = "GET";
    std::string url = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    std::chrono::milliseconds timeout{0};  // zero: the host's default
    std::uint64_t max_response_bytes = 0;  // zero: the host's default
    std::string ca_pem = {};
    std::string client_certificate_pem = {};
    Secret client_key_pem = {};
    std::string proxy = {};
};
struct HttpResponse {
    int code = 0;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    // Case-insensitive; the first of that name, else empty.
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

// A connected socket from dial(); closes it unless released.
class Socket {
public:
    explicit Socket(int fd = -1) noexcept : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept;
    ~Socket();
    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_;
};

// The running verb: deadline, cancellation, log, and the host's services. Do not keep it after the
// verb.
class Call {
public:
    Call(const promotiond_host& host, const promotiond_call& call) : host_(&host), call_(&call) {}

    [[nodiscard]] bool cancelled() const;
    [[nodiscard]] std::chrono::milliseconds remaining() const;
    [[nodiscard]] std::chrono::sys_time<std::chrono::milliseconds> now() const;
    void log(Level level, std::string_view text) const;
    void progress(std::string_view text) const;

    // Whether this host has a service of that id; without one its functions answer with Invalid.
    [[nodiscard]] bool supports(std::string_view service) const;

    // NotFound: the secret has no such key. Transient: there is no such secret yet, or the store
    // cannot be asked. Invalid: not a valid name.
    [[nodiscard]] Result<Secret> secret(std::string_view name, std::string_view key) const;
    // As secret(), but a missing key is no error.
    [[nodiscard]] Result<std::optional<Secret>> optional_secret(std::string_view name,
                                                                std::string_view key) const;
    // Any whole answer is a value, whatever its code. Errors: Invalid, Unauthorized (address
    // refused by the host's rules), Transient (connect, TLS, timeout, bad answer), Cancelled.
    [[nodiscard]] Result<HttpResponse> http(const HttpRequest& request) const;
    [[nodiscard]] Result<Socket> dial(std::string_view host, std::uint16_t port,
                                      std::string_view proxy = {}) const;
    // Absolute paths; see ext/workspace.h.
    [[nodiscard]] Result<std::string> scratch_directory() const;
    [[nodiscard]] Result<std::string> cache_directory(std::string_view key) const;

private:
    const promotiond_host* host_;
    const promotiond_call* call_;
};

// What the constructor of a strategy receives: its part of promotiond.yaml as a JSON object.
struct Settings {
    std::string_view json;
};

class Strategy {
public:
    virtual ~Strategy() = default;
    [[nodiscard]] virtual Outcome promote(const Promotion& promotion, Call& call) = 0;
};

// Optional abilities: inherit beside Strategy; found at compile time.
class Observes {
public:
    virtual ~Observes() = default;
    [[nodiscard]] virtual Outcome observe(const Promotion& promotion, std::string_view external_id,
                                          std::string_view details, Call& call) = 0;
};
class Plans {
public:
    virtual ~Plans() = default;
    [[nodiscard]] virtual Outcome plan(const Promotion& promotion, Call& call) = 0;
};
class HasLane {
public:
    virtual ~HasLane() = default;
    // Pure, any thread.
    [[nodiscard]] virtual std::string lane(const Promotion& promotion) const = 0;
};

// What PROMOTIOND_STRATEGY takes; literals, since they become constant data of the library.
struct About {
    std::string_view name;
    std::string_view key;
    std::string_view provider = {};
    std::string_view hosts = {};
    std::string_view version;
    std::string_view summary;
    std::string_view schema = {};
};

}  // namespace promotiond::sdk::inline v1

#include "detail/call.hpp"
#include "detail/outcome.hpp"
#include "detail/trampolines.hpp"

// Makes Class the strategy of this library: defines its one exported object as constant data. Once
// per library, outside of any namespace; the second argument is an About in braces. Class is made
// from a const Settings&, or by its default constructor if it takes none; a constructor that throws
// refuses the settings with the exception's text.
#define PROMOTIOND_STRATEGY(Class, ...)                                                    \
    extern "C" {                                                                           \
    constinit const promotiond_plugin promotiond_plugin_v1 =                               \
        ::promotiond::sdk::detail::plugin_of<Class>(::promotiond::sdk::About __VA_ARGS__); \
    }                                                                                      \
    static_assert(::promotiond::sdk::detail::IsStrategy<Class>)

#endif
