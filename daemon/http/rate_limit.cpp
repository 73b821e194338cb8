#include "http/rate_limit.hpp"

namespace promotiond::http {
namespace {

// Clients remembered at once. Beyond it everything is forgotten: a flood from that many addresses
// is not one that counting per address could stop, and memory must stay bounded.
constexpr std::size_t kClientsMost = 100'000;

}  // namespace

std::optional<std::chrono::milliseconds> RateLimit::hit(const std::string& client, SteadyTime now) {
    if (requests_ == 0) return std::nullopt;
    sweep(now);
    auto& window = windows_[client];
    if (window.count == 0 || now - window.start >= interval_) window = {now, 0};
    ++window.count;
    if (window.count <= requests_) return std::nullopt;
    return std::chrono::ceil<std::chrono::milliseconds>(window.start + interval_ - now);
}

std::optional<std::chrono::milliseconds> RateLimit::look(const std::string& client,
                                                         SteadyTime now) const {
    const auto found = windows_.find(client);
    if (requests_ == 0 || found == windows_.end()) return std::nullopt;
    const auto& [start, count] = found->second;
    if (now - start >= interval_ || count < requests_) return std::nullopt;
    return std::chrono::ceil<std::chrono::milliseconds>(start + interval_ - now);
}

void RateLimit::sweep(SteadyTime now) {
    if (windows_.size() >= kClientsMost) windows_.clear();
    if (now - swept_ < interval_) return;
    swept_ = now;
    std::erase_if(windows_,
                  [&](const auto& entry) { return now - entry.second.start >= interval_; });
}

}  // namespace promotiond::http
