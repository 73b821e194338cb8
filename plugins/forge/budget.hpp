// What a request to a forge is for and what it costs, for the host, which keeps the forge's limits
// (daemon/net/api_budget.hpp). Pure; any thread.
#pragma once

#include <promotiond/strategy.hpp>

#include <algorithm>
#include <string_view>

namespace promotiond::forge {

// The later, the more of what is left it may use.
enum class Urgency { Refresh, Open, Merge, Rollback };
enum class Cost { Read, Write };

// Says it in a header that the host takes off; what was said first stays. `resource`: the forge's
// name for the budget.
void charge(sdk::HttpRequest& request, Urgency urgency, Cost cost,
            std::string_view resource = "core");
// By the method: GET and HEAD read.
void charge(sdk::HttpRequest& request, Urgency urgency);

// While it lives, what is done is at least that urgent. Borrows what it raises.
class Raised {
public:
    Raised(Urgency& urgency, Urgency least) : urgency_(urgency), before_(urgency) {
        urgency = std::max(urgency, least);
    }
    ~Raised() { urgency_ = before_; }
    Raised(const Raised&) = delete;
    Raised& operator=(const Raised&) = delete;

private:
    Urgency& urgency_;
    Urgency before_;
};

// Rollback for a promotion back to an older version (MAJOR.MINOR.PATCH), else Open.
[[nodiscard]] Urgency urgency_of(const sdk::Promotion& promotion);

}  // namespace promotiond::forge
