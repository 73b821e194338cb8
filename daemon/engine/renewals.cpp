#include "engine/renewals.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

namespace json = boost::json;

// More wait for a retry by hand; so memory, and what one look reads, are bounded.
constexpr std::size_t kMost = 1'000;

constexpr const char* kRefusedWith = "refusedWith";

json::object parsed(const std::string& details) {
    boost::system::error_code failed;
    auto value = json::parse(details, failed);
    return failed || !value.is_object() ? json::object() : std::move(value.as_object());
}

std::string member(const json::object& object, const char* name) {
    const auto* found = object.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : "";
}

}  // namespace

std::string with_secrets(const std::string& details,
                         const std::vector<strategy::GivenSecret>& secrets) {
    if (secrets.empty()) return details;
    json::object whole = parsed(details);
    json::array& names = whole[kRefusedWith].emplace_array();
    for (const auto& each : secrets) {
        names.push_back(
            json::object{{"namespace", each.ns}, {"secret", each.name}, {"key", each.key}});
    }
    return json::serialize(whole);
}

std::vector<strategy::GivenSecret> secrets_in(const std::string& details) {
    std::vector<strategy::GivenSecret> secrets;
    if (details.find(kRefusedWith) == std::string::npos) return secrets;
    const json::object whole = parsed(details);
    const auto* names = whole.if_contains(kRefusedWith);
    if (names == nullptr || !names->is_array()) return secrets;
    for (const auto& each : names->as_array()) {
        if (!each.is_object()) continue;
        const auto& object = each.as_object();
        secrets.push_back(
            {member(object, "namespace"), member(object, "secret"), member(object, "key"), 0});
    }
    return secrets;
}

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
