// Answers that several endpoints give.
#pragma once

#include <string>

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "http/exchange.hpp"

namespace promotiond::http {

// Secrets are masked.
[[nodiscard]] Response json_response(unsigned status, std::string body);

// 202, with where to look for the first promotion if there is one.
[[nodiscard]] Response accepted_response(const engine::Accepted& accepted);

// A problem with the status of the error's kind. What is our own fault is logged.
void refuse(Exchange& exchange, const Error& error);

}  // namespace promotiond::http
