// What a plugin answered, before and after we believe it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strategy/strategy.hpp"

namespace promotiond::strategy {

// One verb's words, copied as they came. Sizes are bounded by the copier.
struct RawAnswer {
    std::string message;
    bool answered = false;
    std::string summary;
    std::string location;
    std::string external_id;
    std::string details;
    std::int64_t retry_after_ms = 0;
    std::vector<AbsentSecret> absent;
    std::vector<std::string> breaches;
    std::vector<GivenSecret> secrets;
};

// The longest answer that is taken, all parts together, and the longest message.
inline constexpr std::size_t kMaxAnswerBytes = 1u << 20;
inline constexpr std::size_t kMaxMessageBytes = 4096;

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text);
// Every byte that does not belong to a valid sequence becomes U+FFFD.
[[nodiscard]] std::string as_utf8(std::string_view text);
// An absolute http or https URL with a host, without userinfo, spaces or control characters.
[[nodiscard]] bool is_web_url(std::string_view text);

// Keeps what obeys the contract, drops and reports the rest, masks secrets.
[[nodiscard]] Answer judge(std::int32_t outcome, RawAnswer raw);

}  // namespace promotiond::strategy
