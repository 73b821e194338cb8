#include "http/answers.hpp"

#include "base/log.hpp"
#include "http/views_json.hpp"

namespace promotiond::http {
namespace {

unsigned status_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::Invalid: return 422;
        case ErrorKind::NotFound: return 404;
        case ErrorKind::Conflict: return 409;
        case ErrorKind::Throttled:
        case ErrorKind::Transient:
        case ErrorKind::Cancelled: return 503;
        case ErrorKind::Unauthorized: return 502;
        case ErrorKind::Internal: return 500;
    }
    return 500;
}

}  // namespace

Response json_response(unsigned status, std::string body) {
    Response response;
    response.status = status;
    response.media = "application/json";
    response.body = log::redacted(body);
    return response;
}

Response accepted_response(const engine::Accepted& accepted) {
    Response response = json_response(202, accepted_json(accepted));
    if (!accepted.promotions.empty()) {
        response.headers.emplace_back("Location",
                                      "/api/v1/promotions/" + accepted.promotions.front());
    }
    return response;
}

void refuse(Exchange& exchange, const Error& error) {
    if (error.kind == ErrorKind::Internal) {
        log::error("PROMO-4006", "an API request failed",
                   {{"request", exchange.request.request_id}, {"reason", error.message}});
    }
    exchange.refuse(status_of(error.kind), error.message);
}

}  // namespace promotiond::http
