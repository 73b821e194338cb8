// The entry of the library: from config and secret to the flow that all pull-request strategies
// share.
#include <promotiond/gitops/follow.hpp>
#include <promotiond/gitops/merge_gate.hpp>
#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

#include <string>
#include <utility>

#include "azdo.hpp"
#include "azdo_config_schema.hpp"
#include "config.hpp"

namespace promotiond::azdo {
namespace {

using namespace promotiond::sdk;

// What a verb works with; the first thing missing is an error, before anything has happened.
struct Opened {
    Config config;
    Site site;
    Keys keys;
};

class PullRequestOnAzure : public Strategy, public Observes, public Plans, public HasLane {
public:
    explicit PullRequestOnAzure(const Settings& settings) : settings_(settings.json) {
        if (auto config = read_config("{}", settings_); !config) {
            throw Rejected(config.error().message);
        }
    }

    Outcome promote(const Promotion& promotion, Call& call) override {
        auto opened = open(promotion, call);
        if (!opened) return Outcome::from(opened.error());
        auto mirror = mirror_of(*opened, call);
        if (!mirror) return Outcome::from(mirror.error());
        opened->keys.access.urgency = forge::urgency_of(promotion);
        auto forge = forge_of(*opened, call);
        const auto& config = opened->config.pull_request;
        auto outcome =
            gitops::promote(promotion, call, gitops::MergeGate::held(config), *mirror, forge);
        gitops::MirroredBase base(promotion, config, *mirror);
        return gitops::MergeGate(config, forge, forge, base).look(std::move(outcome), call);
    }

    Outcome plan(const Promotion& promotion, Call& call) override {
        auto opened = open(promotion, call);
        if (!opened) return Outcome::from(opened.error());
        auto mirror = mirror_of(*opened, call);
        if (!mirror) return Outcome::from(mirror.error());
        return gitops::plan(promotion, call, opened->config.pull_request, *mirror);
    }

    Outcome observe(const Promotion& promotion, std::string_view external_id,
                    std::string_view details, Call& call) override {
        auto opened = open(promotion, call);
        if (!opened) return gitops::not_seen(opened.error());
        opened->keys.access.urgency = forge::Urgency::Refresh;
        auto forge = forge_of(*opened, call);
        const auto& config = opened->config.pull_request;
        return gitops::follow(promotion, external_id, details, call, config, forge, forge,
                              [&] { return mirror_of(*opened, call); });
    }

    std::string lane(const Promotion& promotion) const override {
        auto config = read_config(promotion.config, settings_);
        if (!config) return gitops::lane(promotion, {});
        // All spellings of one address share a lane.
        if (const auto site = site_of(config->pull_request.url, config->api_url); site) {
            config->pull_request.url = site->git_url;
        }
        return gitops::lane(promotion, config->pull_request);
    }

private:
    Result<Opened> open(const Promotion& promotion, Call& call) {
        auto config = read_config(promotion.config, settings_);
        if (!config) return std::move(config).error();
        auto& request = config->pull_request;
        auto site = site_of(request.url, config->api_url);
        if (!site) return std::move(site).error();
        request.url = site->git_url;
        if (auto fine = gitops::check_repository_url(request.url); !fine) {
            return std::move(fine).error();
        }
        auto keys = read_keys(call, request.secret, site->ssh);
        if (!keys) return std::move(keys).error();
        return Opened{*std::move(config), *std::move(site), *std::move(keys)};
    }

    static Result<gitops::Mirror> mirror_of(Opened& opened, Call& call) {
        return gitops::Mirror::open(call, opened.site.git_url, std::move(opened.keys.git));
    }

    static AzureRepos forge_of(Opened& opened, Call& call) {
        return {call, opened.site, std::move(opened.keys.access), opened.config.options};
    }

    std::string settings_;
};

}  // namespace
}  // namespace promotiond::azdo

using promotiond::azdo::PullRequestOnAzure;

PROMOTIOND_STRATEGY(PullRequestOnAzure,
                    {.name = "pullrequest-azdo",
                     .key = "pullRequest",
                     .provider = "azure-devops",
                     .hosts = "dev.azure.com ssh.dev.azure.com .visualstudio.com",
                     .version = "0.1.0",
                     .summary = "Promotes by pull request on Azure DevOps Services and Server",
                     .schema = kConfigSchema});
