// The entry of the library: from config and secret to the flow that all pull-request strategies
// share.
#include <promotiond/gitops/follow.hpp>
#include <promotiond/gitops/merge_gate.hpp>
#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

#include <string>
#include <utility>

#include "app_auth.hpp"
#include "config.hpp"
#include "github.hpp"
#include "github_config_schema.hpp"

namespace promotiond::github {
namespace {

using namespace promotiond::sdk;

bool is_ssh(const std::string& url) { return !url.starts_with("https://"); }

// What a verb works with; the first thing missing is an error, before anything has happened.
struct Opened {
    Config config;
    Site site;
    Keys keys;
};

class PullRequestOnGitHub : public Strategy, public Observes, public Plans, public HasLane {
public:
    explicit PullRequestOnGitHub(const Settings& settings) : settings_(settings.json) {
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
        const auto& config = opened->config.pull_request;
        GitHub forge(call, std::move(opened->site), std::move(opened->keys.access));
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
        GitHub forge(call, std::move(opened->site), std::move(opened->keys.access));
        const auto& config = opened->config.pull_request;
        return gitops::follow(promotion, external_id, details, call, config, forge, forge,
                              [&] { return mirror_of(*opened, call); });
    }

    std::string lane(const Promotion& promotion) const override {
        const auto config = read_config(promotion.config, settings_);
        return gitops::lane(promotion, config ? config->pull_request : gitops::PullRequestConfig{});
    }

private:
    Result<Opened> open(const Promotion& promotion, Call& call) {
        auto config = read_config(promotion.config, settings_);
        if (!config) return std::move(config).error();
        const auto& request = config->pull_request;
        if (auto fine = gitops::check_repository_url(request.url); !fine) {
            return std::move(fine).error();
        }
        auto keys = read_keys(call, request.secret, is_ssh(request.url));
        if (!keys) return std::move(keys).error();
        const bool by_app = keys->access.token.empty();
        const bool elsewhere = by_app && !keys->app.base_url.empty();
        auto site = site_of(request.url, elsewhere ? keys->app.base_url : config->api_url);
        if (!site) return std::move(site).error();
        if (by_app) {
            auto token = apps_.token(call, *site, keys->app, keys->access);
            if (!token) return std::move(token).error();
            keys->access.token = *std::move(token);
        }
        keys->access.remembered = &remembered_;
        // GitHub takes a token as git's password, with this user.
        if (!is_ssh(request.url) && keys->git.password.empty()) {
            keys->git.username = "x-access-token";
            keys->git.password = keys->access.token.duplicate();
        }
        return Opened{*std::move(config), *std::move(site), *std::move(keys)};
    }

    static Result<gitops::Mirror> mirror_of(Opened& opened, Call& call) {
        return gitops::Mirror::open(call, opened.config.pull_request.url,
                                    std::move(opened.keys.git));
    }

    std::string settings_;
    AppTokens apps_;
    Remembered remembered_;
};

}  // namespace
}  // namespace promotiond::github

using promotiond::github::PullRequestOnGitHub;

PROMOTIOND_STRATEGY(PullRequestOnGitHub,
                    {.name = "pullrequest-github",
                     .key = "pullRequest",
                     .provider = "github",
                     .hosts = "github.com",
                     .version = "0.1.0",
                     .summary = "Promotes by pull request on GitHub and GitHub Enterprise Server",
                     .schema = kConfigSchema});
