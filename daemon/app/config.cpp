#include "app/config.hpp"

#include <charconv>
#include <fstream>
#include <sstream>

#include "app/config_keys.hpp"
#include "app/mistakes.hpp"

extern char** environ;

namespace promotiond::app {
namespace {

using model::YamlNode;

constexpr std::string_view kPrefix = "PROMOTIOND_";

Result<std::string> contents_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        return Error{ErrorKind::NotFound, "cannot read the configuration " + file.string() +
                                              ": name another one with --config FILE"};
    }
    std::ostringstream text;
    text << in.rdbuf();
    return std::move(text).str();
}

std::vector<std::string> names_below(const std::string& prefix) {
    std::vector<std::string> names;
    for (const Key& key : keys()) {
        if (key.path.compare(0, prefix.size(), prefix) != 0) continue;
        const std::string rest = key.path.substr(prefix.size());
        names.push_back(rest.substr(0, rest.find('.')));
    }
    return names;
}

const Key* key_of(const std::string& path) {
    for (const Key& key : keys()) {
        if (key.path == path) return &key;
    }
    return nullptr;
}

Error unknown_key(const model::Position& where, const std::string& prefix,
                  const std::string& name) {
    std::string message = "unknown key \"" + prefix + name + "\"";
    if (const auto near = model::nearest(name, names_below(prefix)))
        message += "; did you mean \"" + *near + "\"?";
    return model::yaml_error(where, message);
}

// Walks mappings until a path is a key; what a key holds is the key's business.
void apply_mapping(const YamlNode& node, const std::string& prefix, Target& target,
                   Mistakes& mistakes) {
    if (node.kind == YamlNode::Kind::Null) return;
    if (node.kind != YamlNode::Kind::Mapping) {
        return mistakes.add(model::yaml_error(
            node.where, "\"" + prefix.substr(0, prefix.size() - 1) + "\" must be a mapping"));
    }
    for (std::size_t i = 0; i < node.members.size(); ++i) {
        const auto& [name, value] = node.members[i];
        const std::string path = prefix + name;
        target.config.places.insert_or_assign(path, node.key_positions[i]);
        if (const Key* key = key_of(path)) {
            (void)mistakes.found_in(key->apply(value, target));
        } else if (names_below(path + ".").empty()) {
            mistakes.add(unknown_key(node.key_positions[i], prefix, name));
        } else {
            apply_mapping(value, path + ".", target, mistakes);
        }
    }
}

Result<void> apply_file(const std::filesystem::path& file, Config& config) {
    auto text = contents_of(file);
    if (!text) return std::move(text).error();
    auto documents = model::yaml_documents(*text, file.string());
    if (!documents) return std::move(documents).error();
    if (documents->empty()) return {};
    if (documents->size() > 1) {
        return model::yaml_error((*documents)[1].where,
                                 "a configuration is one document; remove the \"---\"");
    }
    if (documents->front().kind != YamlNode::Kind::Mapping) {
        return model::yaml_error(documents->front().where,
                                 "a configuration is a mapping of sections such as \"server:\"");
    }
    const auto directory = std::filesystem::absolute(file).parent_path();
    Target target{config, directory};
    Mistakes mistakes;
    apply_mapping(documents->front(), "", target, mistakes);
    return mistakes.told();
}

// Scalars are taken as they stand; lists and maps are written in YAML's flow style.
Result<YamlNode> node_from_variable(const Key& key, const std::string& variable,
                                    const std::string& text) {
    if (key.shape == Shape::Scalar) {
        YamlNode node;
        node.kind = YamlNode::Kind::Scalar;
        node.where = {variable, 0, 0};
        node.scalar = text;
        return node;
    }
    auto documents = model::yaml_documents(text, variable);
    if (!documents) return std::move(documents).error();
    return documents->empty() ? YamlNode{} : std::move(documents->front());
}

Result<void> apply_environment(const Environment& environment, Config& config) {
    Target target{config, std::filesystem::current_path()};
    Mistakes mistakes;
    for (const auto& [name, value] : environment) {
        if (name.compare(0, kPrefix.size(), kPrefix) != 0) continue;
        const Key* found = nullptr;
        for (const Key& key : keys()) {
            if (variable_of(key.path) == name) found = &key;
        }
        if (found == nullptr) {
            config.warnings.push_back("environment variable " + name +
                                      " names no configuration key and is ignored");
            continue;
        }
        auto node = node_from_variable(*found, name, value);
        if (mistakes.found_in(node)) continue;
        config.places.insert_or_assign(found->path, model::Position{name, 0, 0});
        (void)mistakes.found_in(found->apply(*node, target));
    }
    return mistakes.told();
}

// The rules of a list one by one, so that the error stands where the wrong one does.
void check_egress(const Config& config, Mistakes& mistakes) {
    const auto& egress = config.outbound.egress;
    net::EgressRules allow;
    allow.allow = egress.allow;
    if (const auto right = net::check(allow); !right)
        mistakes.add(config.error_at("egress.allow", right.error().message));
    net::EgressRules deny;
    deny.deny = egress.deny;
    if (const auto right = net::check(deny); !right)
        mistakes.add(config.error_at("egress.deny", right.error().message));
}

Error missing(const Config& config, const char* key, const char* what) {
    return {ErrorKind::Invalid, config.file.string() + ": \"" + key + "\" is missing: " + what};
}

Result<void> check_election(Config& config) {
    const auto& lease = config.leader_election.lease;
    if (lease.duration <= lease.renew_deadline || lease.renew_deadline <= lease.retry) {
        return config.error_at("platform.kubernetes.leaderElection",
                               "leaseDuration must be longer than renewDeadline, and that longer "
                               "than retryPeriod");
    }
    const std::string& advertise = config.leader_election.advertise;
    const auto scheme = advertise.find("://");
    const bool is_address =
        (advertise.starts_with("http://") || advertise.starts_with("https://")) &&
        advertise.find('/', scheme + 3) == std::string::npos;
    if (!advertise.empty() && !is_address) {
        return config.error_at("platform.kubernetes.leaderElection.advertise",
                               "\"" + advertise +
                                   "\" is no address; write it as http://10.0.0.7:8082, without a "
                                   "path");
    }
    const auto& server = config.server;
    if (config.leader_election.enabled && server.rate_requests > 0 &&
        server.trusted_proxies.empty()) {
        config.warnings.push_back(
            "platform.kubernetes.leaderElection: what one replica forwards counts as one sender's "
            "for server.rateLimit; put the replicas' addresses into server.trustedProxies");
    }
    return {};
}

// Exactly one platform; `kubernetes: {}` is one: in the cluster, with the defaults.
Result<void> choose_platform(Config& config) {
    const bool local = !config.pipelines.empty() || !config.secrets.empty();
    if (!config.kubernetes && config.places.contains("platform.kubernetes"))
        config.kubernetes.emplace();
    if (local && config.kubernetes) {
        return config.error_at("platform", "has both kubernetes and local; remove one of them");
    }
    if (!config.kubernetes) {
        if (config.pipelines.empty()) {
            return missing(
                config, "platform.local.pipelines",
                "name the directory of Pipeline YAML, or write platform: {kubernetes: {}}");
        }
        if (config.secrets.empty())
            return missing(config, "platform.local.secrets", "name the directory of secrets");
        return {};
    }
    if (auto election = check_election(config); !election) return election;
    for (const auto& command : config.kubernetes->exec_allowed) {
        if (!command.starts_with('/')) {
            return config.error_at("platform.kubernetes.execAllowed",
                                   "\"" + command + "\" is no absolute path");
        }
    }
    const std::string& flux = config.kubernetes->notification_controller;
    if (!flux.empty() && !flux.starts_with("http://") && !flux.starts_with("https://")) {
        return config.error_at("platform.kubernetes.notificationController",
                               "\"" + flux + "\" is no http or https URL");
    }
    return {};
}

Result<void> check_whole(Config& config) {
    Mistakes mistakes;
    if (config.journal.empty())
        mistakes.add(missing(config, "journal.path", "name the file that keeps every decision"));
    (void)mistakes.found_in(choose_platform(config));
    if (config.strategies.directory.empty()) {
        mistakes.add(
            missing(config, "strategies.directory", "name the directory of strategy plugins"));
    }
    if (config.leader_election.enabled && !config.repositories.empty()) {
        mistakes.add(config.error_at("gitops.repositories",
                                     "needs a single replica: what another one promoted is in its "
                                     "own journal alone; switch leaderElection off"));
    }
    if (!config.server.images.empty() && config.repositories.empty()) {
        mistakes.add(config.error_at("gitops.images",
                                     "needs gitops.repositories: their gitops-promotion.yaml "
                                     "lists the applications that the images are"));
    }
    check_egress(config, mistakes);
    if (config.cache.empty()) config.cache = config.journal.parent_path() / "cache";
    for (const auto& [key, tls] : {std::pair{"server.tls", &config.server.tls},
                                   std::pair{"server.healthTls", &config.server.health_tls}}) {
        if (*tls && ((*tls)->certificate.empty() || (*tls)->key.empty())) {
            mistakes.add(
                config.error_at(key, "TLS needs both certificate and key; name the other file"));
        }
    }
    return mistakes.told();
}

}  // namespace

Environment current_environment() {
    Environment all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto equals = text.find('=');
        if (equals != std::string_view::npos)
            all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return all;
}

Error Config::error_at(const std::string& key, const std::string& what) const {
    const auto place = places.find(key);
    const model::Position where =
        place == places.end() ? model::Position{file.string(), 0, 0} : place->second;
    return model::yaml_error(where, key + ": " + what);
}

Result<Config> load_config(const std::filesystem::path& file, const Environment& environment) {
    Config config;
    config.file = file;
    auto applied = apply_file(file, config);
    if (!applied && applied.error().kind == ErrorKind::NotFound) return std::move(applied).error();
    Mistakes mistakes;
    (void)mistakes.found_in(applied);
    (void)mistakes.found_in(apply_environment(environment, config));
    // A whole of wrong parts would only repeat what is wrong with them.
    if (mistakes.none()) (void)mistakes.found_in(check_whole(config));
    if (auto right = mistakes.told(); !right) return std::move(right).error();
    return config;
}

std::vector<KeyName> config_keys() {
    std::vector<KeyName> names;
    for (const Key& key : keys()) names.push_back({key.path, variable_of(key.path)});
    return names;
}

}  // namespace promotiond::app
