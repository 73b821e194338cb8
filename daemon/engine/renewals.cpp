#include "engine/renewals.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

// More wait for a retry by hand; so memory, and what one look reads, are bounded.
constexpr std::size_t kMost = 1'000;

}  // namespace

void Renewals::rejected(const model::Promotion& promotion,
                        const std::vector<strategy::GivenSecret>& secrets, SteadyTime now) {
    std::erase_if(rejected_, [&](const Rejected& each) { return each.id == promotion.id; });
    if (secrets.empty()) return;
    if (rejected_.empty()) next_ = now + every_;
    if (rejected_.size() >= kMost) rejected_.pop_front();
    rejected_.push_back({promotion.scope, promotion.id, secrets});
}

std::optional<SteadyTime> Renewals::next() const {
    if (rejected_.empty()) return std::nullopt;
    return next_;
}

// Reading secrets may take its time, so a worker does it.
void Engine::State::look_for_renewals() {
    auto due = renewals_.due(clock.steady_now(), [this](const Renewals::Rejected& each) {
        const auto* view = views.find(each.scope.pipeline);
        if (view == nullptr || view->pipeline == nullptr) return false;
        const auto* latest = view->history->latest(each.scope.environment, each.scope.target);
        return latest != nullptr && latest->id == each.id && latest->phase == model::Phase::Failed;
    });
    if (due.empty()) return;
    workers_.run([this, due = std::move(due)] {
        for (const auto& each : due) {
            if (!carrier->renewed(each.secrets)) continue;
            (void)post(CommandSignal{Command::Retry, each.id, "daemon",
                                     "tried again: a secret that it was rejected with has changed",
                                     nullptr},
                       false);
        }
    });
}

}  // namespace promotiond::engine
