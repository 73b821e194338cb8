#include "platform/kube_status.hpp"

#include <algorithm>
#include <charconv>

#include "platform/kube_grant.hpp"

namespace promotiond::platform {
namespace {

using std::chrono::seconds;

constexpr seconds kLongestWait{3600};
constexpr std::size_t kLongestMessage = 1024;  // bytes of the server's words that are kept

KubeReason reason_of(std::string_view reason, int code) {
    if (reason == "AlreadyExists") return KubeReason::AlreadyExists;
    if (reason == "Expired" || reason == "Gone") return KubeReason::Expired;
    switch (code) {
        case 400:
        case 405:
        case 406:
        case 413:
        case 415:
        case 422: return KubeReason::Invalid;
        case 401: return KubeReason::Unauthorized;
        case 403: return KubeReason::Forbidden;
        case 404: return KubeReason::NotFound;
        case 409: return KubeReason::Conflict;
        case 410: return KubeReason::Expired;
        case 429: return KubeReason::Throttled;
        default: break;
    }
    return code >= 500 ? KubeReason::ServerError : KubeReason::Malformed;
}

std::string advice_for(KubeReason reason, std::string_view why) {
    switch (reason) {
        case KubeReason::Forbidden: return "; " + grant_for(why);
        case KubeReason::Unauthorized: return "; check the token or the client certificate";
        default: return "";
    }
}

KubeError made(KubeReason reason, int code, const std::string& what, std::string_view why) {
    return {
        reason,
        code,
        {kind_of(reason), "cannot " + what + ": " + std::string(why.substr(0, kLongestMessage)) +
                              advice_for(reason, why)}};
}

std::chrono::milliseconds clamped(std::int64_t given) {
    return seconds{std::clamp<std::int64_t>(given, 0, kLongestWait.count())};
}

}  // namespace

std::optional<std::chrono::milliseconds> retry_after(const net::Headers& headers) {
    const auto text = net::header(headers, "Retry-After");
    if (!text) return std::nullopt;
    std::int64_t count = 0;
    const auto read = std::from_chars(text->data(), text->data() + text->size(), count);
    if (read.ec != std::errc()) return std::nullopt;
    return clamped(count);
}

KubeError error_of_status(const std::string& what, int code, JsonView status) {
    if (code == 0) code = static_cast<int>(status["code"].number().value_or(500));
    auto message = status["message"].text();
    if (message.empty()) message = "the server answered with code " + std::to_string(code);
    auto error = made(reason_of(status["reason"].text(), code), code, what, message);
    if (const auto wait = status.at({"details", "retryAfterSeconds"}).number())
        error.error.retry_after = clamped(*wait);
    return error;
}

KubeError error_of_answer(const std::string& what, const net::Response& answer) {
    // A proxy in front may answer with something else than a Status; then the code must do.
    auto error = error_of_status(what, answer.code, JsonView(answer.body));
    if (const auto wait = retry_after(answer.headers)) {
        error.error.retry_after = *wait;
        if (error.reason == KubeReason::ServerError) error.reason = KubeReason::Throttled;
        error.error.kind = kind_of(error.reason);
    }
    return error;
}

KubeError error_of_http(const std::string& what, const net::HttpError& error) {
    switch (error.failure) {
        case net::Failure::Invalid: return made(KubeReason::Invalid, 0, what, error.message);
        case net::Failure::BadAnswer: return made(KubeReason::Malformed, 0, what, error.message);
        case net::Failure::Cancelled: return made(KubeReason::Cancelled, 0, what, error.message);
        case net::Failure::Refused:
        case net::Failure::Connect:
        case net::Failure::Tls:
        case net::Failure::Timeout: break;
    }
    return made(KubeReason::Unreachable, 0, what, error.message);
}

KubeError error_of_credentials(const std::string& what, const Error& error) {
    const bool stopped = error.kind == ErrorKind::Cancelled;
    return made(stopped ? KubeReason::Cancelled : KubeReason::Unauthorized, 0, what, error.message);
}

KubeError malformed(const std::string& what, std::string_view why) {
    return made(KubeReason::Malformed, 0, what, why);
}

}  // namespace promotiond::platform
