// What the API server was asked, as its audit log has it: for tests that count requests.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace promotiond::tests {

struct ApiRequest {
    std::string verb;      // get, list, watch, create, patch ...
    std::string resource;  // plural, with the subresource: "pipelines/status"
    std::string space;     // namespace; empty = none
    std::string name;
    std::string user;
    std::string uri;
    int code = 0;
};

// In order of their first line, one entry a request. A line that is still being written is left
// for the next time.
[[nodiscard]] std::vector<ApiRequest> read_audit_log(const std::filesystem::path& log);

}  // namespace promotiond::tests
