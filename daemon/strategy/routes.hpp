// Which strategy serves a Pipeline's key. Thread-safety: free functions without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strategy/strategy.hpp"

namespace promotiond::strategy {

// Why two of them cannot be installed together, with both files; none if they can.
[[nodiscard]] std::optional<std::string> conflict(const std::vector<Description>& strategies);

// See Strategies::route().
[[nodiscard]] Result<const Description*> route(const std::vector<Description>& strategies,
                                               std::string_view key, std::string_view type,
                                               std::string_view url);

}  // namespace promotiond::strategy
