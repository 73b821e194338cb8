// Strategies: the plugins that carry promotions out, as the rest of the daemon sees them. All
// knowledge of the C ABI is in this folder.
//
// Strategies::load() vets, opens (Boost.DLL), negotiates and instantiates every library of one
// directory; promote(), observe(), plan() and lane() then run on a free instance of the chosen one.
// A misbehaving plugin is contained as far as native code can be: caught exceptions, checked
// outcomes, copied answers, a deadline.
//
// Thread-safety: load() and the destructor on the main thread; everything else from any thread.
// promote/observe/plan block until an instance is free and the verb has returned.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "net/api_budget.hpp"
#include "net/http_client.hpp"

struct promotiond_plugin;

namespace promotiond::strategy {

// What a library says of itself, and what we know of its file.
struct Description {
    std::string name;
    std::string key;
    std::string provider;
    std::vector<std::string> hosts;
    std::string version;
    std::string summary;
    std::string schema;
    std::uint32_t target_minor = 0;
    bool can_observe = false;
    bool can_plan = false;
    std::filesystem::path file;  // empty for an in-memory entry
    std::string sha256;          // lower-case hex; empty for an in-memory entry
};

// A library that was refused, and why.
struct Refusal {
    std::filesystem::path file;
    std::string message;
};

struct Request {
    std::string promotion_id;
    std::string pipeline_namespace;
    std::string pipeline_name;
    std::string environment;
    std::string target;
    std::string revision;
    std::string previous_revision;
    std::string actor;
    std::string config;   // JSON object
    std::string targets;  // JSON, sdk/schema/targets-1
    std::string event;    // JSON, sdk/schema/event-1
    std::uint32_t attempt = 1;
};

enum class Outcome { Done, Pending, Retry, Rejected, Cancelled };
[[nodiscard]] std::string_view name_of(Outcome outcome);

// A secret that a verb was given, and which value of it.
struct GivenSecret {
    std::string ns;
    std::string name;
    std::string key;
    std::size_t value = 0;  // its hash: tells whether it is another one now, and nothing else
};

// A value of a secret that a call asked for in vain.
struct AbsentSecret {
    std::string name;
    std::string key;
    // From far to near: the store says nothing, has no such secret, or one without that key.
    enum class Lack { Unavailable, Secret, Key } lack = Lack::Secret;
    std::string why = {};  // in the words of a store that is unavailable
};

struct Answer {
    Outcome outcome = Outcome::Rejected;
    std::string message;  // why it is Retry, Rejected or Cancelled
    std::string summary;
    std::string location;  // http(s) URL or empty; anything else was refused
    std::string external_id;
    std::string details;  // JSON object or empty
    std::optional<std::chrono::milliseconds> retry_after;
    // Of a Retry that came of nothing else: the call had no value of these secrets, and asked for
    // nothing beyond secrets. It is worth no further call before Strategies::has_come().
    std::vector<AbsentSecret> absent;
    bool answered = false;    // the verb gave an answer (else summary... details are empty)
    bool misbehaved = false;  // it broke the contract; message says how
    std::vector<GivenSecret> secrets;
};

struct CallOptions {
    std::chrono::milliseconds deadline{120'000};
    std::stop_token stop = {};
    std::function<void(std::string_view)> progress = {};  // called on the verb's thread
};

// What the host services stand on. Functions may be called from any thread.
struct HostServices {
    // NotFound begins with "key " or says "no key" when the secret is there and the key is not:
    // plugins tell the two apart.
    std::function<Result<Secret>(const std::string& ns, const std::string& name,
                                 const std::string& key)>
        secret;
    // Asked right before each request and connection of a plugin, and once more when the request's
    // connection stands: false cancels its call. Absent = always.
    std::function<bool()> may_act;
    net::HttpClient* http = nullptr;
    net::ApiBudgets* budgets = nullptr;  // null: requests are never held
    const Clock* clock = nullptr;
    Metrics* metrics = nullptr;
    std::filesystem::path scratch;  // below which each call gets its own directory
    std::filesystem::path cache;    // below which each plugin gets its own
};

struct LoadOptions {
    std::filesystem::path directory;  // absolute; empty = none
    std::size_t instances = 4;        // of each strategy; how many verbs of it run at once
    // How long after its deadline or cancellation a verb may take to return. One that takes longer
    // is given up: its instance is lost until it returns.
    std::chrono::milliseconds grace{10'000};
    std::map<std::string, std::string> settings;  // by strategy name: JSON object
    std::map<std::string, std::string> sha256;    // by file name: the only accepted digest
    std::vector<const promotiond_plugin*>
        in_memory;  // also loaded; for tests and for building strategies in
};

class Strategies {
public:
    // Invalid if two libraries claim one route (both file names in the message) or the directory is
    // unsafe. A library that is refused does not fail the load; see refusals().
    [[nodiscard]] static Result<std::unique_ptr<Strategies>> load(const LoadOptions& options,
                                                                  HostServices services);
    ~Strategies();
    Strategies(const Strategies&) = delete;
    Strategies& operator=(const Strategies&) = delete;

    [[nodiscard]] const std::vector<Description>& descriptions() const;
    [[nodiscard]] const std::vector<Refusal>& refusals() const;

    // The strategy that serves a key; with several, by type, then by the host of the URL, then the
    // one without provider. Invalid: names the key, type or host and lists what is served.
    [[nodiscard]] Result<const Description*> route(std::string_view key, std::string_view type,
                                                   std::string_view url) const;
    // Checks a configuration against the strategy's schema. Invalid: JSON pointer and what is
    // wrong.
    [[nodiscard]] Result<void> validate(const Description& strategy,
                                        std::string_view config_json) const;

    [[nodiscard]] Answer promote(const Description& strategy, const Request& request,
                                 const CallOptions& options);
    [[nodiscard]] Answer observe(const Description& strategy, const Request& request,
                                 const std::string& external_id, const std::string& details,
                                 const CallOptions& options);
    [[nodiscard]] Answer plan(const Description& strategy, const Request& request,
                              const CallOptions& options);
    // One of these is nearer now than it was. Asks the store of secrets, and may block as that
    // does.
    [[nodiscard]] bool has_come(const std::string& ns,
                                const std::vector<AbsentSecret>& absent) const;
    // Of the APIs that strategies have asked; empty without HostServices::budgets.
    [[nodiscard]] std::vector<net::BudgetState> budgets() const;
    // True if one of them has another value now. One that cannot be read has not. May block on I/O,
    // briefly.
    [[nodiscard]] bool renewed(const std::vector<GivenSecret>& given) const;
    // What must not run at the same time. The strategy's own word, else
    // "<namespace>/<name>/<environment>/<target>".
    [[nodiscard]] std::string lane(const Description& strategy, const Request& request);

private:
    class State;
    explicit Strategies(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::strategy
