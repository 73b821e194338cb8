// The entry of the library: from config and secret to the flow that all pull-request strategies
// share.
#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "azdo.hpp"
#include "azdo_config_schema.hpp"
#include "config.hpp"

namespace promotiond::azdo {
namespace {

using namespace promotiond::sdk;
using std::chrono::milliseconds;

// What a verb works with; the first thing missing is an error, before anything has happened.
struct Opened {
    Config config;
    Site site;
    Keys keys;
};

// When Azure wants to be left alone. It says so beside an answer that it did give (Retry-After with
// 200), so the verb that has begun is finished, and the next one waits.
// One for all instances of the strategy: the limit is the organisation's, not theirs. Any thread.
class Quiet {
public:
    static std::shared_ptr<Quiet> shared() {
        static std::mutex mutex;
        static std::weak_ptr<Quiet> one;
        const std::scoped_lock lock(mutex);
        auto quiet = one.lock();
        if (!quiet) one = quiet = std::make_shared<Quiet>();
        return quiet;
    }

    void keep(const std::string& collection, const Call& call, milliseconds pause) {
        if (pause <= milliseconds{0}) return;
        const std::scoped_lock lock(mutex_);
        auto& until = until_[collection];
        until = std::max(until, call.now() + pause);
    }
    // Throttled until then.
    Result<void> check(const std::string& collection, const Call& call) {
        const std::scoped_lock lock(mutex_);
        const auto found = until_.find(collection);
        if (found == until_.end()) return {};
        const auto rest = found->second - call.now();
        if (rest > milliseconds{0}) {
            return Error{ErrorKind::Throttled,
                         collection + " asked with an answer to wait (Retry-After)", rest};
        }
        until_.erase(found);
        return {};
    }

private:
    std::mutex mutex_;
    std::map<std::string, std::chrono::sys_time<milliseconds>> until_;
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
        auto forge = forge_of(*opened, call);
        auto outcome =
            gitops::promote(promotion, call, opened->config.pull_request, *mirror, forge);
        quiet_->keep(opened->site.collection, call, forge.asked_pause());
        return outcome;
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
        auto forge = forge_of(*opened, call);
        auto outcome = gitops::observe(promotion, external_id, details, call,
                                       opened->config.pull_request, forge);
        quiet_->keep(opened->site.collection, call, forge.asked_pause());
        return outcome;
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
        if (auto allowed = quiet_->check(site->collection, call); !allowed) {
            return std::move(allowed).error();
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
    std::shared_ptr<Quiet> quiet_ = Quiet::shared();
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
