#include "engine/problems.hpp"

#include <string>

namespace promotiond::engine {
namespace {

std::string placed(const model::Position& where, const std::string& message) {
    if (where.line == 0) return where.file + ": " + message;  // it came from no file
    return where.file + ":" + std::to_string(where.line) + ":" + std::to_string(where.column) +
           ": " + message;
}

void check(const std::optional<model::PromotionPolicy>& policy,
           const strategy::Strategies& strategies, std::vector<platform::Problem>& problems) {
    if (!policy || !policy->strategy) return;
    const auto& call = *policy->strategy;
    const auto route = strategies.route(call.key, call.type, call.url);
    if (!route) {
        problems.push_back({call.where, placed(call.where, route.error().message)});
        return;
    }
    if (const auto valid = strategies.validate(**route, call.config); !valid) {
        problems.push_back({call.where, placed(call.where, valid.error().message)});
    }
}

}  // namespace

std::vector<platform::Problem> problems_of(const model::Pipeline& pipeline,
                                           const strategy::Strategies& strategies) {
    std::vector<platform::Problem> problems;
    check(pipeline.promotion, strategies, problems);
    for (const auto& environment : pipeline.environments)
        check(environment.promotion, strategies, problems);
    return problems;
}

}  // namespace promotiond::engine
