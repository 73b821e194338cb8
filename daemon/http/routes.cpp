#include "http/routes.hpp"

#include <algorithm>
#include <array>

namespace promotiond::http {
namespace {

constexpr std::array<Route, 22> kRoutes{{
    {"POST", "/promotion/{ns}/{name}/{environment}", Access::Signature, Action::ReceiveEvent,
     Body::Json},
    {"POST", "/approval/{ns}/{name}/{environment}/{revision...}", Access::Signature,
     Action::ReceiveApproval},
    // The path of Flux RFC-0003's first drafts.
    {"POST", "/pipelines/promotions/{ns}/{name}/{environment}", Access::Signature,
     Action::ReceiveEvent, Body::Json},
    {"POST", "/hooks/github", Access::Hook, Action::ReceiveGitHubHook, Body::Json},
    {"POST", "/hooks/azure", Access::Hook, Action::ReceiveAzureHook, Body::Json},
    {"POST", "/hooks/registry", Access::Hook, Action::ReceiveRegistryHook, Body::Json},
    {"GET", "/api/v1/pipelines", Access::Read, Action::ListPipelines},
    {"GET", "/api/v1/pipelines/{ns}/{name}", Access::Read, Action::ShowPipeline},
    {"GET", "/api/v1/pipelines/{ns}/{name}/why", Access::Read, Action::ShowWhy},
    {"POST", "/api/v1/pipelines/{ns}/{name}/environments/{environment}/approve", Access::Operate,
     Action::Approve, Body::Json},
    {"POST", "/api/v1/pipelines/{ns}/{name}/environments/{environment}/plan", Access::Operate,
     Action::Plan, Body::Json},
    {"GET", "/api/v1/promotions", Access::Read, Action::ListPromotions},
    {"GET", "/api/v1/promotions/{id}", Access::Read, Action::ShowPromotion},
    {"POST", "/api/v1/promotions/{id}/retry", Access::Operate, Action::RetryPromotion},
    {"POST", "/api/v1/promotions/{id}/cancel", Access::Operate, Action::CancelPromotion},
    {"POST", "/api/v1/releases", Access::Operate, Action::Release, Body::Json},
    {"GET", "/api/v1/strategies", Access::Read, Action::ListStrategies},
    {"GET", "/api/v1/events", Access::Read, Action::ListEvents},
    {"GET", "/api/v1/version", Access::Read, Action::ShowVersion},
    {"GET", "/api/v1/openapi.yaml", Access::Public, Action::ShowOpenApi},
    {"GET", "/openapi.yaml", Access::Public, Action::ShowOpenApi},
    // What is left of the first one when an ingress takes its prefix off. It is the last, so that
    // every other path goes before.
    {"POST", "/{ns}/{name}/{environment}", Access::Signature, Action::ReceiveEvent, Body::Json},
}};

constexpr std::array<std::string_view, 6> kFirstWords{"promotion", "approval",  "hooks",
                                                      "api",       "pipelines", "openapi.yaml"};

std::vector<std::string_view> words_of(std::string_view path) {
    std::vector<std::string_view> words;
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        if (slash != 0) words.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    return words;
}

std::string joined(std::span<const std::string> segments) {
    std::string text;
    for (const std::string& segment : segments) {
        if (!text.empty()) text.push_back('/');
        text.append(segment);
    }
    return text;
}

std::optional<std::vector<std::string>> match(const std::vector<std::string_view>& pattern,
                                              std::span<const std::string> path) {
    std::vector<std::string> parameters;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (i >= path.size()) return std::nullopt;
        if (pattern[i].ends_with("...}")) {
            parameters.push_back(joined(path.subspan(i)));
            return parameters;
        }
        if (pattern[i].starts_with('{')) {
            parameters.push_back(path[i]);
        } else if (pattern[i] != path[i]) {
            return std::nullopt;
        }
    }
    if (path.size() != pattern.size()) return std::nullopt;
    if (pattern.front().starts_with('{') &&
        std::find(kFirstWords.begin(), kFirstWords.end(), path.front()) != kFirstWords.end()) {
        return std::nullopt;
    }
    return parameters;
}

std::optional<Match> find_in(std::string_view method, std::span<const std::string> path) {
    static const std::vector<std::vector<std::string_view>> kPatterns = [] {
        std::vector<std::vector<std::string_view>> patterns;
        for (const Route& route : kRoutes) patterns.push_back(words_of(route.pattern));
        return patterns;
    }();
    std::optional<Match> found;
    for (std::size_t i = 0; i < kRoutes.size(); ++i) {
        auto parameters = match(kPatterns[i], path);
        if (!parameters) continue;
        if (!found) found.emplace();
        if (kRoutes[i].method == method) {
            found->route = &kRoutes[i];
            found->parameters = std::move(*parameters);
            return found;
        }
        if (!found->allow.empty()) found->allow.append(", ");
        found->allow.append(kRoutes[i].method);
    }
    return found;
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

std::optional<Match> find_route(std::string_view method, const Target& target,
                                std::string_view prefix) {
    const std::span<const std::string> path(target.segments);
    const auto before = words_of(prefix);
    // The path under the prefix goes first: /pipelines/promotion/a/b/c is not an environment c of
    // anything.
    if (!before.empty() && path.size() > before.size() &&
        std::equal(before.begin(), before.end(), path.begin())) {
        if (auto found = find_in(method, path.subspan(before.size()))) return found;
    }
    if (auto found = find_in(method, path)) return found;
    // As pipeline-controller: where events go, the method is looked at before the path.
    const bool events = path.empty() || path[0] == "promotion" || path[0] == "approval";
    if (events && method != "POST") return Match{nullptr, {}, "POST"};
    return std::nullopt;
}

}  // namespace promotiond::http
