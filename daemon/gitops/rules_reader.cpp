#include "gitops/rules_reader.hpp"

#include <promotiond/gitops/mirror.hpp>
#include <promotiond/gitops/promotion_rules.hpp>

#include "pullrequest-azdo/config.hpp"
#include "pullrequest-azdo/site.hpp"
#include "pullrequest-github/app_auth.hpp"
#include "pullrequest-github/config.hpp"
#include "pullrequest-github/github.hpp"
#include "strategy/host.hpp"

namespace promotiond::gitops {
namespace {

using sdk::gitops::Mirror;

constexpr std::size_t kLargestRules = 1u << 20;  // bytes

bool is_ssh(const std::string& url) { return !url.starts_with("https://"); }

Result<Mirror> open_github(sdk::Call& call, const Repository& repository, github::AppTokens& apps) {
    auto keys = github::read_keys(call, repository.secret, is_ssh(repository.url));
    if (!keys) return std::move(keys).error();
    if (!is_ssh(repository.url) && keys->git.password.empty()) {
        if (keys->access.token.empty()) {
            const auto site = github::site_of(repository.url, keys->app.base_url);
            if (!site) return Error(site.error());
            auto token = apps.token(call, *site, keys->app, keys->access);
            if (!token) return std::move(token).error();
            keys->access.token = *std::move(token);
        }
        keys->git.username = "x-access-token";
        keys->git.password = std::move(keys->access.token);
    }
    return Mirror::open(call, repository.url, std::move(keys->git));
}

Result<Mirror> open_azure(sdk::Call& call, const Repository& repository) {
    const auto site = azdo::site_of(repository.url, "");
    if (!site) return Error(site.error());
    auto keys = azdo::read_keys(call, repository.secret, site->ssh);
    if (!keys) return std::move(keys).error();
    return Mirror::open(call, site->git_url, std::move(keys->git));
}

Result<std::string> rules_in(Mirror& mirror, std::string branch) {
    if (branch.empty()) {
        auto base = mirror.default_branch();
        if (!base) return base;
        branch = *std::move(base);
    }
    const auto head = mirror.fetch(branch);
    if (!head) return Error(head.error());
    const std::string name(sdk::gitops::kPromotionRulesFile);
    std::optional<sdk::gitops::ObjectId> blob;
    const auto looked = mirror.files(*head, {name}, [&](const sdk::gitops::TreeFile& file) {
        if (file.path == name) blob = file.blob;
        return !blob;
    });
    if (!looked) return Error(looked.error());
    if (!blob) return Error{ErrorKind::NotFound, "there is no " + name + " on branch " + branch};
    return mirror.read(*blob, kLargestRules);
}

}  // namespace

// What a strategy of that name would have; so that they share their mirrors.
class RulesReader::Session {
public:
    Session(const std::string& name, const strategy::HostServices& services)
        : host_(name, std::make_shared<const strategy::HostServices>(services)),
          state_(host_),
          call_(host_.table(), state_.table()) {}

    Result<std::string> read(const Repository& repository, strategy::CallState::Scope scope) {
        state_.open(std::move(scope));
        auto mirror = repository.type == "github" ? open_github(call_, repository, apps_)
                                                  : open_azure(call_, repository);
        auto text = mirror ? rules_in(*mirror, repository.branch)
                           : Result<std::string>(std::move(mirror).error());
        (void)state_.close();
        return text;
    }

private:
    strategy::Host host_;
    strategy::CallState state_;
    sdk::Call call_;
    github::AppTokens apps_;
};

RulesReader::RulesReader(strategy::HostServices services, std::chrono::milliseconds deadline)
    : services_(std::move(services)), deadline_(deadline) {}

RulesReader::~RulesReader() = default;

Result<std::string> RulesReader::read(const Repository& repository, const std::stop_token& stop) {
    const bool github = repository.type == "github";
    auto& session = github ? github_ : azure_;
    if (!session)
        session = std::make_unique<Session>(github ? "pullrequest-github" : "pullrequest-azdo",
                                            services_);
    strategy::CallState::Scope scope;
    scope.pipeline_namespace = repository.ns;
    scope.deadline = services_.clock->steady_now() + deadline_;
    scope.stop = stop;
    return session->read(repository, std::move(scope));
}

}  // namespace promotiond::gitops
