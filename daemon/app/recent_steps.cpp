#include "app/recent_steps.hpp"

#include <algorithm>
#include <set>

namespace promotiond::app {
namespace {

constexpr std::chrono::minutes kRecent{10};
constexpr std::size_t kMost = 1'000;  // promotions looked at

}  // namespace

platform::KubernetesReport::Steps recent_steps(const journal::Journal& journal, WallTime now) {
    platform::KubernetesReport::Steps steps;
    std::set<model::PromotionId> seen;
    // The newest ones, and those that are old and still move.
    for (const bool unfinished : {false, true}) {
        journal::Filter filter;
        filter.unfinished_only = unfinished;
        filter.limit = kMost;
        const auto page = journal.promotions(filter);
        if (!page) continue;
        for (const auto& promotion : page->promotions) {
            if (promotion.updated < now - kRecent || !seen.insert(promotion.id).second) continue;
            const auto history = journal.transitions(promotion.id);
            if (!history) continue;
            for (const auto& step : *history) {
                if (step.at >= now - kRecent) steps.emplace_back(promotion, step);
            }
        }
    }
    std::stable_sort(steps.begin(), steps.end(),
                     [](const auto& a, const auto& b) { return a.second.at < b.second.at; });
    return steps;
}

}  // namespace promotiond::app
