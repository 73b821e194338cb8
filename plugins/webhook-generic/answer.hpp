// answer: what the receiver's answer means for the promotion.
#pragma once

#include <chrono>
#include <optional>
#include <promotiond/strategy.hpp>
#include <string_view>

namespace promotiond::webhook {

// 2xx done; 3xx rejected, naming where to without going there; 408, 425, 429 and 5xx but 501
// retried, not before Retry-After; other 4xx rejected. The body is never quoted: a receiver may
// echo the credentials it was sent.
[[nodiscard]] sdk::Outcome outcome_of(const sdk::HttpResponse& response,
                                      std::chrono::sys_time<std::chrono::milliseconds> now);

// RFC 9110 10.2.3: seconds or an HTTP date. Nothing if it is neither or not in the future; at most
// one hour.
[[nodiscard]] std::optional<std::chrono::milliseconds> retry_after(
    std::string_view value, std::chrono::sys_time<std::chrono::milliseconds> now);

}  // namespace promotiond::webhook
