#include "app/config_keys.hpp"

#include <cctype>
#include <limits>
#include <type_traits>

#include "app/config_values.hpp"

namespace promotiond::app {
namespace {

using model::YamlNode;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

// One entry a kind of value: the reader, and the member it fills.
template <class Read, class Member>
Key scalar(std::string path, Read read, Member member) {
    return {std::move(path), Shape::Scalar,
            [read, member](const YamlNode& node, Target& target) -> Result<void> {
                auto value = read(node, target);
                if (!value) return std::move(value).error();
                member(target.config) = std::move(*value);
                return {};
            }};
}

template <class Member>
Key text(std::string path, Member member) {
    return scalar(
        std::move(path), [](const YamlNode& n, Target&) { return text_from(n); }, member);
}

template <class Member>
Key path(std::string name, Member member) {
    return scalar(
        std::move(name), [](const YamlNode& n, Target& t) { return path_from(n, t.directory); },
        member);
}

template <class Member>
Key duration(std::string name, milliseconds least, milliseconds most, Member member) {
    return scalar(
        std::move(name), [=](const YamlNode& n, Target&) { return duration_from(n, least, most); },
        member);
}

template <class Member>
Key count(std::string name, std::uint64_t least, std::uint64_t most, Member member) {
    using Value = std::remove_reference_t<std::invoke_result_t<Member, Config&>>;
    return scalar(
        std::move(name),
        [=](const YamlNode& n, Target&) -> Result<Value> {
            auto value = count_from(n, least, most);
            if (!value) return std::move(value).error();
            return static_cast<Value>(*value);
        },
        member);
}

template <class Member>
Key bytes(std::string name, std::uint64_t least, std::uint64_t most, Member member) {
    return scalar(
        std::move(name), [=](const YamlNode& n, Target&) { return size_from(n, least, most); },
        member);
}

template <class Member>
Key truth(std::string name, Member member) {
    return scalar(
        std::move(name),
        [](const YamlNode& n, Target&) {
            return choice_from<bool>(n, {{"false", false}, {"true", true}});
        },
        member);
}

template <class Member>
Key texts(std::string name, Member member) {
    return {std::move(name), Shape::List,
            [member](const YamlNode& node, Target& target) -> Result<void> {
                auto values = texts_from(node);
                if (!values) return std::move(values).error();
                member(target.config) = std::move(*values);
                return {};
            }};
}

#define MEMBER(expression) \
    [](Config & c) -> auto& { return c.expression; }

platform::KubernetesOptions& made(std::optional<platform::KubernetesOptions>& kubernetes) {
    if (!kubernetes) kubernetes.emplace();
    return *kubernetes;
}

#define KUBERNETES(member) \
    [](Config & c) -> auto& { return made(c.kubernetes).member; }

http::TlsFiles& made(std::optional<http::TlsFiles>& tls) {
    if (!tls) tls.emplace();
    return *tls;
}

std::vector<Key> server_keys() {
    return {
        text("server.listen", MEMBER(server.listen)),
        text("server.health", MEMBER(server.health)),
        path(
            "server.tls.certificate",
            [](Config & c) -> auto& { return made(c.server.tls).certificate; }),
        path(
            "server.tls.key", [](Config & c) -> auto& { return made(c.server.tls).key; }),
        path(
            "server.healthTls.certificate",
            [](Config & c) -> auto& { return made(c.server.health_tls).certificate; }),
        path(
            "server.healthTls.key",
            [](Config & c) -> auto& { return made(c.server.health_tls).key; }),
        text("server.pathPrefix", MEMBER(server.path_prefix)),
        scalar(
            "server.unsignedEvents",
            [](const YamlNode& n, Target&) {
                return choice_from<bool>(n, {{"refuse", false}, {"allow", true}});
            },
            MEMBER(server.allow_unsigned_events)),
        duration("server.wait", 0ms, 60s, MEMBER(server.wait)),
        duration("server.waitMost", 0ms, 10min, MEMBER(server.wait_most)),
        bytes("server.bodyLimit", 1024, 64u << 20, MEMBER(server.body_limit)),
        duration("server.headerTimeout", 1s, 5min, MEMBER(server.header_timeout)),
        duration("server.bodyTimeout", 1s, 10min, MEMBER(server.body_timeout)),
        duration("server.idleTimeout", 1s, 1h, MEMBER(server.idle_timeout)),
        count("server.connections", 1, 60'000, MEMBER(server.connections)),
        count("server.connectionsPerPeer", 1, 60'000, MEMBER(server.connections_per_peer)),
        count("server.rateLimit.requests", 0, 1'000'000, MEMBER(server.rate_requests)),
        duration("server.rateLimit.interval", 1s, 1h, MEMBER(server.rate_interval)),
        texts("server.trustedProxies", MEMBER(server.trusted_proxies)),
        {"server.tokens", Shape::List, tokens_into},
        path("server.hooks.github", MEMBER(server.hooks.github)),
        path("server.hooks.azure", MEMBER(server.hooks.azure)),
        path("server.hooks.registry", MEMBER(server.hooks.registry)),
    };
}

std::vector<Key> promotion_keys() {
    return {
        count("promotions.workers", 1, 256, MEMBER(engine.workers)),
        count("promotions.queueLimit", 1, 1'000'000, MEMBER(engine.queue_limit)),
        duration("promotions.deadline", 1s, 1h, MEMBER(engine.call_deadline)),
        count("promotions.attempts", 1, 10'000, MEMBER(engine.attempts)),
        duration("promotions.backoff.first", 10ms, 1h, MEMBER(engine.backoff_first)),
        duration("promotions.backoff.most", 10ms, 24h, MEMBER(engine.backoff_most)),
        duration("promotions.retryAfterMost", 1s, 24h, MEMBER(engine.retry_after_most)),
        duration("promotions.observe.every", 100ms, 1h, MEMBER(engine.observe_every)),
        duration("promotions.observe.most", 100ms, 24h, MEMBER(engine.observe_at_most)),
        duration("promotions.shutdownGrace", 0ms, 1h, MEMBER(shutdown_grace)),
    };
}

std::vector<Key> other_keys() {
    return {
        path("platform.local.pipelines", MEMBER(pipelines)),
        path("platform.local.secrets", MEMBER(secrets)),
        path("platform.kubernetes.kubeconfig", KUBERNETES(kubeconfig)),
        text("platform.kubernetes.context", KUBERNETES(context)),
        texts("platform.kubernetes.namespaces", KUBERNETES(namespaces)),
        text("platform.kubernetes.selector", KUBERNETES(selector)),
        texts("platform.kubernetes.execAllowed", KUBERNETES(exec_allowed)),
        truth("platform.kubernetes.applications", KUBERNETES(applications)),
        text("platform.kubernetes.notificationController", KUBERNETES(notification_controller)),
        truth("platform.kubernetes.tokens", KUBERNETES(tokens)),
        texts("platform.kubernetes.tokenAudiences", KUBERNETES(token_audiences)),
        truth("platform.kubernetes.leaderElection.enabled", MEMBER(leader_election.enabled)),
        text("platform.kubernetes.leaderElection.name", MEMBER(leader_election.lease.name)),
        text("platform.kubernetes.leaderElection.namespace", MEMBER(leader_election.lease.ns)),
        text("platform.kubernetes.leaderElection.advertise", MEMBER(leader_election.advertise)),
        duration("platform.kubernetes.leaderElection.leaseDuration", 1s, 1h,
                 MEMBER(leader_election.lease.duration)),
        duration("platform.kubernetes.leaderElection.renewDeadline", 100ms, 1h,
                 MEMBER(leader_election.lease.renew_deadline)),
        duration("platform.kubernetes.leaderElection.retryPeriod", 50ms, 10min,
                 MEMBER(leader_election.lease.retry)),
        {"gitops.repositories", Shape::List, repositories_into},
        {"gitops.images", Shape::List, images_into},
        duration("gitops.every", 1s, 24h, MEMBER(repositories_every)),
        path("journal.path", MEMBER(journal)),
        duration("journal.retention", 0ms, 24h * 36'500, MEMBER(engine.retention)),
        path("cache.directory", MEMBER(cache)),
        path("strategies.directory", MEMBER(strategies.directory)),
        {"strategies.settings", Shape::Map, settings_into},
        {"strategies.sha256", Shape::Map, pins_into},
        texts("egress.allow", MEMBER(outbound.egress.allow)),
        texts("egress.deny", MEMBER(outbound.egress.deny)),
        truth("egress.onlyAllowed", MEMBER(outbound.egress.only_allowed)),
        {"egress.proxyFile", Shape::Scalar, proxy_into},
        texts("egress.noProxy", MEMBER(outbound.no_proxy)),
        {"egress.ca", Shape::Map, authorities_into},
        duration("egress.timeout", 100ms, 1h, MEMBER(outbound.timeout)),
        duration("egress.connectTimeout", 100ms, 10min, MEMBER(outbound.connect_timeout)),
        bytes("egress.responseLimit", 1024, 1u << 30, MEMBER(outbound.max_response_bytes)),
        scalar(
            "log.level",
            [](const YamlNode& n, Target&) {
                return choice_from<log::Level>(n, {{"debug", log::Level::Debug},
                                                   {"info", log::Level::Info},
                                                   {"warn", log::Level::Warn},
                                                   {"error", log::Level::Error}});
            },
            MEMBER(log.level)),
        scalar(
            "log.format",
            [](const YamlNode& n, Target&) {
                return choice_from<log::Format>(
                    n, {{"logfmt", log::Format::Logfmt}, {"json", log::Format::Json}});
            },
            MEMBER(log.format)),
    };
}

#undef KUBERNETES
#undef MEMBER

}  // namespace

const std::vector<Key>& keys() {
    static const std::vector<Key> all = [] {
        std::vector<Key> made_keys = server_keys();
        for (auto&& more : {other_keys(), promotion_keys()})
            made_keys.insert(made_keys.end(), more.begin(), more.end());
        return made_keys;
    }();
    return all;
}

std::string variable_of(std::string_view path) {
    std::string name = "PROMOTIOND_";
    for (const char c : path) {
        if (c == '.') {
            name += '_';
            continue;
        }
        if (std::isupper(static_cast<unsigned char>(c)) != 0) name += '_';
        name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return name;
}

}  // namespace promotiond::app
