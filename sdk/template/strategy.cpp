// A whole strategy: asks a deployment service to run a revision, and looks until it does.
#include <promotiond/strategy.hpp>

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

class DeployService : public Strategy, public Observes {
public:
    Outcome promote(const Promotion& promotion, Call& call) override {
        const auto token = call.secret("deploy-service", "token");
        if (!token) return Outcome::from(token.error());
        // Delivery is at least once: PUT to a name made of the promotion finds its earlier effect.
        const auto id = std::string(promotion.environment) + "-" + std::string(promotion.revision);
        call.progress("asking for " + id);
        const HttpRequest put{
            .method = "PUT",
            .url = "https://deploy.example.com/runs/" + id,
            .headers = {{"Authorization", "Bearer " + std::string(token->reveal())}}};
        return answer_of(call.http(put), id);
    }

    Outcome observe(const Promotion&, std::string_view id, std::string_view, Call& call) override {
        const auto url = "https://deploy.example.com/runs/" + std::string(id);
        return answer_of(call.http({.url = url}), std::string(id));
    }
};

}  // namespace

PROMOTIOND_STRATEGY(DeployService, {.name = "deploy-service",
                                    .key = "deployService",
                                    .version = "1.0.0",
                                    .summary = "Asks a deployment service to run the revision"});
