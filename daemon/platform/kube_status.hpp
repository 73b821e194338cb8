// What an answer of an API server means: its Status object and its HTTP code as a KubeError.
// Internal to the client.
//
// Thread-safety: pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_client.hpp"
#include "platform/json_view.hpp"
#include "platform/kube_result.hpp"

namespace promotiond::platform {

// A metav1.Status, as the body of an answer or as the object of a watch's ERROR event. `what` says
// what was tried ("list pipelines.pipelines.weave.works at host:6443"). code 0 = the Status's own.
[[nodiscard]] KubeError error_of_status(const std::string& what, int code, JsonView status);
[[nodiscard]] KubeError error_of_answer(const std::string& what, const net::Response& answer);
[[nodiscard]] KubeError error_of_http(const std::string& what, const net::HttpError& error);
[[nodiscard]] KubeError error_of_credentials(const std::string& what, const Error& error);
[[nodiscard]] KubeError malformed(const std::string& what, std::string_view why);

// Retry-After in seconds (servers of Kubernetes send no dates), at most an hour.
[[nodiscard]] std::optional<std::chrono::milliseconds> retry_after(const net::Headers& headers);

}  // namespace promotiond::platform
