#include "platform/kube_result.hpp"

namespace promotiond::platform {

std::string_view name_of(KubeReason reason) noexcept {
    switch (reason) {
        case KubeReason::NotFound: return "not-found";
        case KubeReason::AlreadyExists: return "already-exists";
        case KubeReason::Conflict: return "conflict";
        case KubeReason::Expired: return "expired";
        case KubeReason::Invalid: return "invalid";
        case KubeReason::Unauthorized: return "unauthorized";
        case KubeReason::Forbidden: return "forbidden";
        case KubeReason::Throttled: return "throttled";
        case KubeReason::ServerError: return "server-error";
        case KubeReason::Unreachable: return "unreachable";
        case KubeReason::Malformed: return "malformed";
        case KubeReason::Cancelled: return "cancelled";
    }
    return "server-error";
}

ErrorKind kind_of(KubeReason reason) noexcept {
    switch (reason) {
        case KubeReason::NotFound: return ErrorKind::NotFound;
        case KubeReason::AlreadyExists:
        case KubeReason::Conflict:
        case KubeReason::Expired: return ErrorKind::Conflict;
        case KubeReason::Invalid: return ErrorKind::Invalid;
        case KubeReason::Unauthorized:
        case KubeReason::Forbidden: return ErrorKind::Unauthorized;
        case KubeReason::Throttled: return ErrorKind::Throttled;
        case KubeReason::ServerError:
        case KubeReason::Unreachable:
        case KubeReason::Malformed: return ErrorKind::Transient;
        case KubeReason::Cancelled: return ErrorKind::Cancelled;
    }
    return ErrorKind::Transient;
}

}  // namespace promotiond::platform
