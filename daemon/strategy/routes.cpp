#include "strategy/routes.hpp"

#include <algorithm>
#include <set>

namespace promotiond::strategy {

namespace {

std::string origin(const Description& strategy) {
    return strategy.file.empty() ? "built-in " + strategy.name : strategy.file.string();
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

// The host of scheme://[user@]host[:port]/..., or of git's user@host:path; lower case.
std::string host_of(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
    url = url.substr(0, url.find_first_of("/?#"));
    const auto user = url.rfind('@');
    if (user != std::string_view::npos) url.remove_prefix(user + 1);
    if (url.starts_with('[')) return lower(url.substr(0, url.find(']') + 1));
    return lower(url.substr(0, url.find(':')));
}

// A known host that begins with a dot stands for all below it.
bool is_known_as(const std::string& host, const std::string& known) {
    if (!known.starts_with('.')) return lower(known) == host;
    return host.size() > known.size() && host.ends_with(lower(known));
}

std::optional<std::string> shared_host(const Description& one, const Description& other) {
    for (const auto& host : one.hosts) {
        for (const auto& candidate : other.hosts) {
            if (lower(host) == lower(candidate)) return host;
        }
    }
    return std::nullopt;
}

std::optional<std::string> conflict(const Description& one, const Description& other) {
    const auto both = origin(one) + " and " + origin(other);
    const std::string remedy = "; remove one of them from the directory";
    if (one.name == other.name) return both + " are both named '" + one.name + "'" + remedy;
    if (one.key != other.key) return std::nullopt;
    if (one.provider == other.provider) {
        return both + " both serve '" + one.key + "'" +
               (one.provider.empty() ? "" : " of type '" + one.provider + "'") + remedy;
    }
    if (const auto host = shared_host(one, other)) {
        return both + " both serve '" + one.key + "' for the host " + *host + remedy;
    }
    return std::nullopt;
}

std::string list_of(const std::set<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text.empty() ? "none" : text;
}

Error unknown_key(const std::vector<Description>& strategies, std::string_view key) {
    std::set<std::string> keys;
    for (const auto& strategy : strategies) keys.insert(strategy.key);
    return {ErrorKind::Invalid, "no strategy serves '" + std::string(key) +
                                    "' under spec.promotion; served are: " + list_of(keys)};
}

Error unknown_type(const std::vector<const Description*>& candidates, std::string_view key,
                   const std::string& what) {
    std::set<std::string> known;
    for (const auto* each : candidates) {
        if (!each->provider.empty()) known.insert("type " + each->provider);
        for (const auto& host : each->hosts) known.insert("host " + host);
    }
    return {ErrorKind::Invalid, "no strategy serves '" + std::string(key) + "' with " + what +
                                    "; served are: " + list_of(known)};
}

}  // namespace

std::optional<std::string> conflict(const std::vector<Description>& strategies) {
    for (std::size_t i = 0; i < strategies.size(); ++i) {
        for (std::size_t j = i + 1; j < strategies.size(); ++j) {
            if (auto found = conflict(strategies[i], strategies[j])) return found;
        }
    }
    return std::nullopt;
}

Result<const Description*> route(const std::vector<Description>& strategies, std::string_view key,
                                 std::string_view type, std::string_view url) {
    std::vector<const Description*> candidates;
    for (const auto& strategy : strategies) {
        if (strategy.key == key) candidates.push_back(&strategy);
    }
    if (candidates.empty()) return unknown_key(strategies, key);
    const auto first = [&](auto&& fits) -> const Description* {
        const auto found = std::find_if(candidates.begin(), candidates.end(), fits);
        return found == candidates.end() ? nullptr : *found;
    };
    const auto* any_provider = first([](const auto* each) { return each->provider.empty(); });
    if (!type.empty()) {
        const auto* named = first([&](const auto* each) { return each->provider == type; });
        if (named != nullptr) return named;
        if (any_provider != nullptr) return any_provider;
        return unknown_type(candidates, key, "type '" + std::string(type) + "'");
    }
    const auto host = host_of(url);
    const auto* by_host = first([&](const auto* each) {
        return std::any_of(each->hosts.begin(), each->hosts.end(),
                           [&](const auto& known) { return is_known_as(host, known); });
    });
    if (by_host != nullptr) return by_host;
    if (any_provider != nullptr) return any_provider;
    if (candidates.size() == 1) return candidates.front();
    return unknown_type(candidates, key, "host '" + host + "'; add a type");
}

}  // namespace promotiond::strategy
