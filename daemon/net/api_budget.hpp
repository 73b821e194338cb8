// ApiBudgets: what each credential may still ask of an API, so that its limits are respected before
// they bite, and so that what is left goes to what matters most.
//
// A caller that wants this says with each request what it is for, in the header Promotiond-Budget:
//
//   Promotiond-Budget: open write core       urgency, cost, the API's name for the budget
//
// The header goes no further than this class. Requests without it are not counted and never held.
// It is all learnt from answers: an API that states no limits has none.
//
// Facts (docs.github.com, "Rate limits for the REST API" and "for the GraphQL API"; learn.microsoft
// .com, "Rate and usage limits", 2026-11): GitHub states limit, remaining and reset with each
// answer, and does not count one of 304; besides, 900 points a minute for REST and 2000 for GraphQL
// (a read is 1, a write 5), 80 writes a minute and 500 an hour, and writes at least a second apart
// where there are many; refusals are 403 or 429, with Retry-After or without, when a minute is
// asked for and longer each time. Azure DevOps asks with Retry-After beside an answer that it did
// give.
//
// Lives with the HTTP client, not with the plugins: a credential is shared by all instances of all
// strategies, and only here is there a place that they share, and metrics.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "net/budget_window.hpp"
#include "net/http_client.hpp"

namespace promotiond::net {

// The later, the more of a budget it may use up.
enum class Urgency { Refresh, Open, Merge, Rollback };
[[nodiscard]] std::string_view name_of(Urgency urgency);

struct Spending {
    Urgency urgency = Urgency::Open;
    bool writes = false;
    std::string resource = "core";  // GitHub counts REST (core) and GraphQL apart
};
// Takes the header off the request. None: there is none, or it is not as above.
[[nodiscard]] std::optional<Spending> take_spending(Request& request);

struct BudgetState {
    std::string host = {};        // host:port
    std::string credential = {};  // NAMESPACE/SECRET of who used it first
    std::string resource = {};
    std::int64_t limit = 0;
    std::int64_t remaining = 0;
    WallTime reset{};
    std::string held = {};  // why less urgent requests wait now; empty: they do not
};

class ApiBudgets {
public:
    // No hold is longer than `most`, whatever an answer asked for.
    ApiBudgets(const Clock& clock, Metrics& metrics, std::chrono::milliseconds most);

    struct Verdict {
        std::chrono::milliseconds wait{0};  // zero: it may go, and is counted
        std::string reason;                 // why not, for people
    };
    // `begun`: when the work began that the request is part of. An API that asks for a pause beside
    // a good answer does not break off what has begun.
    [[nodiscard]] Verdict admit(const Request& request, const Spending& spending, SteadyTime begun,
                                const std::string& credential);
    // Learns from the answer to a request that was let through.
    void learn(const Request& request, const Spending& spending, const Response& response,
               const std::string& credential);

    [[nodiscard]] std::vector<BudgetState> states() const;

private:
    struct Stated {  // by the API, for one resource
        std::int64_t limit = 0;
        std::int64_t remaining = 0;
        WallTime reset{};
        SteadyTime until{};  // of use until then
        BudgetWindow points;
    };
    struct Account {
        std::string host;
        std::string credential;
        bool counts_writes = false;  // GitHub's secondary limits are in force
        std::map<std::string, Stated> stated;
        BudgetWindow writes_a_minute{std::chrono::minutes{1}, 80};
        BudgetWindow writes_an_hour{std::chrono::hours{1}, 500};
        SteadyTime last_write{};
        SteadyTime asked{};  // when a pause was asked for, and until when
        SteadyTime quiet{};
        bool refused = false;  // asked for with a refusal: nothing goes
        std::chrono::milliseconds next_pause{std::chrono::minutes{1}};
        SteadyTime used{};
    };

    [[nodiscard]] Verdict weigh(const Account& account, const Spending& spending, SteadyTime begun,
                                SteadyTime now) const;
    void take_stated(Account& account, const Spending& spending, const Response& response,
                     SteadyTime now);
    void take_pause(Account& account, const Response& response, SteadyTime now);
    void forget_unused(SteadyTime now);

    const Clock& clock_;
    Metrics& metrics_;
    const std::chrono::milliseconds most_;
    mutable std::mutex mutex_;
    std::map<std::string, Account> accounts_;  // by host and digest of the credential
};

}  // namespace promotiond::net
