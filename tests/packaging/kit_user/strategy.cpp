// A strategy that plans a pull request with the kit: enough to need all that the kit is linked
// with.
#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

using namespace promotiond::sdk;

class KitUser final : public Strategy {
public:
    explicit KitUser(const Settings&) {}

    Outcome promote(const Promotion& promotion, Call& call) override {
        gitops::PullRequestConfig config;
        config.url = "https://git.example.com/team/fleet";
        auto mirror = gitops::Mirror::open(call, config.url, {});
        if (!mirror) return Outcome::from(mirror.error());
        return gitops::plan(promotion, call, config, *mirror);
    }
};

PROMOTIOND_STRATEGY(KitUser,
                    {.name = "kit-user", .key = "kitUser", .version = "1.0.0", .summary = "Plans"});
