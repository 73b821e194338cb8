// A request target taken apart: decoded path segments and query. Decoding happens once, here, so
// that routing and authorization see the same names.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace promotiond::http {

struct Target {
    std::vector<std::string> segments;  // of the path, percent-decoded; one trailing slash is gone
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order

    [[nodiscard]] const std::string* parameter(std::string_view name) const;
};

// Invalid: a broken percent escape, or a control character or bytes that are not UTF-8 behind one.
// NotFound: an empty, "." or ".." segment, be it escaped.
[[nodiscard]] Result<Target> parse_target(std::string_view target);

// "500ms", "20s", "1m". Invalid: anything else, or over a day.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace promotiond::http
