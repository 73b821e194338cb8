// Reasons as the journal keeps them: a JSON array of {code, text}.
#pragma once

#include <string>
#include <vector>

#include "decision/decide.hpp"

namespace promotiond::engine {

[[nodiscard]] std::string reasons_json(const std::vector<decision::Reason>& reasons);

}  // namespace promotiond::engine
