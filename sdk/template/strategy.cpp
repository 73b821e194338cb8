// A whole strategy: asks a deployment service to run a revision, and looks until it does.
#include "strategy.hpp"

using namespace promotiond::sdk;

namespace {

Outcome answer_of(const Result<HttpResponse>& response, const std::string& id) {
    if (!response) return Outcome::from(response.error());
    switch (response->code) {
        case 200: return Outcome::done().with_summary("runs " + id);
        case 201:
        case 202: return Outcome::pending(std::string(response->header("Location")), id);
        case 429:
        case 503: return Outcome::retry_after(std::chrono::seconds{30}, "the service is busy");
        default: break;
    }
    const auto why = "the service answered " + std::to_string(response->code);
    return response->code >= 500 ? Outcome::retry_after({}, why) : Outcome::rejected(why);
}

}  // namespace

DeployService::DeployService(const Settings&) {}

Outcome DeployService::promote(const Promotion& promotion, Call& call) {
    const auto token = call.secret("deploy-service", "token");
    if (!token) return Outcome::from(token.error());
    // Delivery is at least once: PUT to a name made of the promotion finds its earlier effect.
    const std::string id =
        std::string(promotion.environment) + "-" + std::string(promotion.revision);
    call.progress("asking for " + id);
    return answer_of(
        call.http({.method = "PUT",
                   .url = "https://deploy.example.com/runs/" + id,
                   .headers = {{"Authorization", "Bearer " + std::string(token->reveal())}}}),
        id);
}

Outcome DeployService::observe(const Promotion&, std::string_view external_id, std::string_view,
                               Call& call) {
    const std::string id(external_id);
    return answer_of(call.http({.url = "https://deploy.example.com/runs/" + id}), id);
}
