// What came of a call to an API server: a value, or a KubeError that says in Kubernetes' terms why
// not.
//
// Thread-safety: values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.hpp"

namespace promotiond::platform {

// metav1.StatusReason, as far as callers act on it (k8s.io/apimachinery/pkg/apis/meta/v1/types.go).
enum class KubeReason {
    NotFound,       // 404: the object, its namespace, or the resource itself
    AlreadyExists,  // 409
    Conflict,       // 409: changed meanwhile; get it again and repeat
    Expired,        // 410: resourceVersion or continue token too old; list anew
    Invalid,        // 400, 405, 413, 415, 422: repeating it cannot help
    Unauthorized,   // 401, after the token was read anew
    Forbidden,      // 403: RBAC
    Throttled,      // 429, or 503 with Retry-After, for longer than the call may take
    ServerError,    // 5xx
    Unreachable,    // no whole answer: connect, TLS, timeout, cut off
    Malformed,      // an answer that is not what it should be, or too long
    Cancelled,      // the caller's stop token
};
// "not-found": for metrics and logs.
[[nodiscard]] std::string_view name_of(KubeReason reason) noexcept;
[[nodiscard]] ErrorKind kind_of(KubeReason reason) noexcept;

struct KubeError {
    KubeReason reason = KubeReason::Unreachable;
    int code = 0;  // HTTP status; 0 = no answer
    // Kind and words for those who do not care that it is Kubernetes; retry_after is the server's.
    Error error;
};

// As Result<T>, with a KubeError.
template <class T>
class [[nodiscard]] KubeResult {
public:
    KubeResult(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    KubeResult(KubeError error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    // Invariant: operator* needs has_value(), error() needs its absence; std::get enforces both.
    [[nodiscard]] T& operator*() & { return std::get<0>(state_); }
    [[nodiscard]] const T& operator*() const& { return std::get<0>(state_); }
    [[nodiscard]] T&& operator*() && { return std::get<0>(std::move(state_)); }
    [[nodiscard]] T* operator->() { return &std::get<0>(state_); }
    [[nodiscard]] const T* operator->() const { return &std::get<0>(state_); }

    [[nodiscard]] KubeError& error() & { return std::get<1>(state_); }
    [[nodiscard]] const KubeError& error() const& { return std::get<1>(state_); }
    [[nodiscard]] KubeError&& error() && { return std::get<1>(std::move(state_)); }

private:
    std::variant<T, KubeError> state_;
};

// A call that gives nothing but success.
using KubeDone = KubeResult<std::monostate>;

}  // namespace promotiond::platform
