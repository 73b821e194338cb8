#include "platform/kube_discovery.hpp"

namespace promotiond::platform {
namespace {

constexpr std::chrono::minutes kFresh{10};
// A kind that was not there may be by now; but it is not asked for all the time.
constexpr std::chrono::seconds kAbsentFresh{10};

std::string found(const std::map<std::string, std::string>& plurals, const std::string& kind) {
    const auto plural = plurals.find(kind);
    return plural == plurals.end() ? std::string() : plural->second;
}

}  // namespace

std::optional<std::string> KubeDiscovery::known(const std::string& api_version,
                                                const std::string& kind, SteadyTime now) {
    auto all = known_.access();
    const auto entry = all->find(api_version);
    if (entry == all->end()) return std::nullopt;
    auto plural = found(entry->second.plurals, kind);
    const auto age = now - entry->second.read;
    if (age > kFresh || (plural.empty() && age > kAbsentFresh)) return std::nullopt;
    return plural;
}

KubeResult<KubeResource> KubeDiscovery::resource_of(const std::string& api_version,
                                                    const std::string& kind, const KubeCall& how) {
    const auto slash = api_version.find('/');
    const bool core = slash == std::string::npos;
    KubeResource resource{core ? std::string() : api_version.substr(0, slash),
                          core ? api_version : api_version.substr(slash + 1),
                          {}};
    const auto now = std::chrono::steady_clock::now();
    const auto& server = exchange_.config().server_name();
    auto plural = known(api_version, kind, now);
    if (!plural) {
        const std::string path = core ? "/api/" : "/apis/" + url_encoded(resource.group) + "/";
        auto body = exchange_.call({"read the kinds of " + api_version + " at " + server, "GET",
                                    path + url_encoded(resource.version)},
                                   how);
        if (!body) return std::move(body).error();
        Plurals plurals;
        JsonView(*body)["resources"].each_item([&](JsonView item) {
            const auto name = item["name"].text();
            const bool whole = name.find('/') == std::string::npos;  // else a subresource
            if (whole) plurals[item["kind"].text()] = name;
            return true;
        });
        plural = found(plurals, kind);
        (*known_.access())[api_version] = {now, std::move(plurals)};
    }
    if (plural->empty()) {
        return KubeError{KubeReason::NotFound,
                         0,
                         {ErrorKind::NotFound, server + " serves no kind " + kind + " of " +
                                                   api_version + "; install its definition"}};
    }
    resource.plural = std::move(*plural);
    return resource;
}

}  // namespace promotiond::platform
