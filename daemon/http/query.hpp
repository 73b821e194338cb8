// Query: what the parameters of an API list ask for.
//
// Strict, so that a typing error is told and not answered with an empty page: unknown and doubled
// parameters are errors. All errors are Invalid and name the parameter. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "http/target.hpp"

namespace promotiond::http {

[[nodiscard]] Result<void> check_parameters(const Target& target,
                                            std::span<const std::string_view> known);

// pipeline, environment, phase, unfinished, limit, after.
[[nodiscard]] Result<journal::Filter> promotions_query(const Target& target);

struct EventsQuery {
    model::PipelineName pipeline;
    std::size_t limit = 100;
};
// pipeline (required), limit.
[[nodiscard]] Result<EventsQuery> events_query(const Target& target);

}  // namespace promotiond::http
