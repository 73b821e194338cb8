// Hooks: forges say that a pull request, a review or a check has changed. Whatever they say, it is
// only a reason to look at once at the promotions that it concerns: what became of them is asked of
// the forge itself. A lost hook costs nothing but time, a repeated one a look. Registries, and
// GitHub's repository_dispatch, tell of releases (releases.hpp).
//
// Nothing is done before the sender is known by the key in the daemon's configuration: GitHub signs
// the body (X-Hub-Signature-256, docs.github.com, "Validating webhook deliveries"), Azure DevOps
// sends the key itself, as the password of basic authentication (learn.microsoft.com, "Webhooks
// with Azure DevOps", 2026-11). Registries send a header Authorization of whatever form, or, as
// Docker Hub, nothing but the address itself (github.com/docker/roadmap, issue 441, 2026-11). A
// missing key and a wrong one get one answer.
//
// Thread-safety: all functions from any thread; they do not block.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.hpp"
#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/releases.hpp"
#include "http/server.hpp"

namespace promotiond::http {

// The keys of hooks; empty = none of that sender are taken. Immutable.
struct HookKeys {
    Secret github;
    Secret azure;
    Secret registry;
    // Invalid: a file that cannot be read, or does not hold 16 to 4096 characters; which, and what
    // to do.
    [[nodiscard]] static Result<HookKeys> load(const HookFiles& files);
};

// What a hook is about; both empty: nothing that promotions wait for.
struct Sighting {
    std::vector<std::string> locations;  // pages of pull requests
    std::string commit;                  // on which a check or status was set
};
// `event` is GitHub's X-GitHub-Event. Invalid: not JSON.
[[nodiscard]] Result<Sighting> read_github_hook(std::string_view event, const std::string& body);
[[nodiscard]] Result<Sighting> read_azure_hook(const std::string& body);

class Hooks {
public:
    // Releases outlive it.
    Hooks(Core core, const Releases& releases, HookKeys keys);

    enum class Sender { Known, Unknown };
    // POST /hooks/github
    Sender github(const ExchangePtr& exchange) const;
    // POST /hooks/azure
    Sender azure(Exchange& exchange) const;
    // POST /hooks/registry
    Sender registry(const ExchangePtr& exchange) const;

    void use(HookKeys keys);

private:
    [[nodiscard]] std::shared_ptr<const HookKeys> keys() const;
    void take(Exchange& exchange, const Result<Sighting>& sighting) const;

    Core core_;
    const Releases& releases_;
    mutable Guarded<std::shared_ptr<const HookKeys>> keys_;
};

}  // namespace promotiond::http
