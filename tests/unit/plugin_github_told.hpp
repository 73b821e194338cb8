// What GitHub tells by GraphQL of a pull request and of the checks on its commit.
#pragma once

#include <string>

#include "plugin_github_fixture.hpp"

namespace hub {

// A pull request as GraphQL tells of it; members are JSON.
struct Told {
    std::string state = "BLOCKED";
    std::string more = {};    // further members of the pull request, each with a comma in front
    std::string checks = {};  // nodes
    std::string allows = R"("autoMergeAllowed":true,"mergeCommitAllowed":true,)"
                         R"("squashMergeAllowed":true,"rebaseMergeAllowed":false)";

    [[nodiscard]] HttpScripted answer() const {
        return {.body = R"({"data":{"viewer":{"login":"ship[bot]"},"node":{"mergeStateStatus":")" +
                        state + R"(","commits":{"nodes":[{"commit":{"statusCheckRollup":{)" +
                        R"("contexts":{"nodes":[)" + checks + R"(]}}}}]},"repository":{)" + allows +
                        "}" + more + "}}}"};
    }
};

inline std::string run(const std::string& name, const std::string& status,
                       const std::string& conclusion, bool required = true) {
    return R"({"__typename":"CheckRun","name":")" + name + R"(","status":")" + status +
           R"(","conclusion":)" + (conclusion.empty() ? "null" : '"' + conclusion + '"') +
           R"(,"isRequired":)" + (required ? "true}" : "false}");
}

inline std::string status(const std::string& context, const std::string& state,
                          bool required = true) {
    return R"({"__typename":"StatusContext","context":")" + context + R"(","state":")" + state +
           R"(","isRequired":)" + (required ? "true}" : "false}");
}

inline Pull blocked(const std::string& state = "blocked") {
    return {.more = R"(,"mergeable_state":")" + state + '"'};
}

}  // namespace hub
