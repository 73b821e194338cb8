// History: what has been seen and promoted for one Pipeline, as the decision needs it. Kept in
// memory by the engine, rebuilt from the journal at start.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/event.hpp"
#include "model/promotion.hpp"

namespace promotiond::model {

struct History {
    // By environment and target.
    std::map<std::pair<std::string, std::string>, Evidence> running;
    // By environment and target scope, oldest first. The last is the current one. The engine keeps
    // at least the newest 32 of a scope; older ones are only in the journal.
    std::map<std::pair<std::string, std::string>, std::vector<Promotion>> promotions;

    [[nodiscard]] const Promotion* latest(const std::string& environment,
                                          const std::string& target) const {
        const auto found = promotions.find({environment, target});
        return found == promotions.end() || found->second.empty() ? nullptr : &found->second.back();
    }
};

// The revision that came to a scope last, as far as promotions brought it; empty if none did. They
// are the scope's, oldest first.
[[nodiscard]] inline std::string last_promoted(const std::vector<Promotion>& promotions) {
    for (auto each = promotions.rbegin(); each != promotions.rend(); ++each) {
        if (each->phase == Phase::Succeeded) return each->revision;
    }
    return {};
}

}  // namespace promotiond::model
