#include "http/server.hpp"

#include <atomic>

#include "base/log.hpp"
#include "http/front.hpp"
#include "http/health.hpp"
#include "http/listener.hpp"

namespace promotiond::http {
namespace {

ListenOptions front_options(const Options& options) {
    ListenOptions out;
    out.name = "http";
    out.address = options.listen;
    out.socket = options.listen_socket;
    out.tls = options.tls;
    out.limits.body = options.body_limit;
    out.header_timeout = options.header_timeout;
    out.body_timeout = options.body_timeout;
    out.idle_timeout = options.idle_timeout;
    out.connections_per_peer = options.connections_per_peer;
    out.connections = options.connections;
    return out;
}

ListenOptions health_options(const Options& options) {
    ListenOptions out;
    out.name = "http-health";
    out.address = options.health;
    out.socket = options.health_socket;
    out.tls = options.health_tls;
    out.limits.body = 0;
    out.header_timeout = options.header_timeout;
    out.body_timeout = options.header_timeout;
    out.idle_timeout = options.idle_timeout;
    out.connections_per_peer = 64;
    out.connections = 256;
    return out;
}

}  // namespace

class Server::State {
public:
    State(Options options, std::shared_ptr<void> core_owner, Core core, Metrics& metrics,
          AddressRanges trusted, Tokens tokens, HookKeys keys, std::unique_ptr<Listener> listener,
          std::unique_ptr<Listener> health_listener)
        : options_(std::move(options)),
          core_owner_(std::move(core_owner)),
          front_(options_, core, std::move(trusted), std::move(tokens), std::move(keys),
                 listener->poster(), metrics),
          health_(core, metrics),
          listener_(std::move(listener)),
          health_listener_(std::move(health_listener)) {}

    void start() {
        health_listener_->start(health_);
        listener_->start(front_);
    }

    void stop(std::chrono::milliseconds grace) {
        if (stopped_.exchange(true)) return;
        health_.drain();
        listener_->stop(grace);
        front_.stop();
        health_listener_->stop(std::chrono::milliseconds{100});
    }

    Result<void> reload() {
        auto tokens = Tokens::load(options_.tokens);
        if (!tokens) return std::move(tokens).error();
        auto keys = HookKeys::load(options_.hooks);
        if (!keys) return std::move(keys).error();
        std::vector<std::function<void()>> put_to_use;
        for (Listener* listener : {listener_.get(), health_listener_.get()}) {
            auto read = listener->read_tls();
            if (!read) return std::move(read).error();
            put_to_use.push_back(std::move(*read));
        }
        for (const auto& use : put_to_use) use();
        front_.use(std::move(*tokens), std::move(*keys));
        return {};
    }

    bool moves() {
        bool all = true;
        for (auto& [listener, pulse] : {std::pair{listener_.get(), &pulse_},
                                        std::pair{health_listener_.get(), &health_pulse_}}) {
            if (!pulse->exchange(false)) all = false;
            listener->poster()([pulse = pulse] { *pulse = true; });
        }
        return all;
    }

    const Listener& listener() const { return *listener_; }
    const Listener& health_listener() const { return *health_listener_; }

private:
    Options options_;
    std::shared_ptr<void> core_owner_;
    std::atomic<bool> stopped_{false};
    // Before the listeners: their last handlers still speak to them.
    std::atomic<bool> pulse_{true};
    std::atomic<bool> health_pulse_{true};
    Front front_;
    Health health_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Listener> health_listener_;
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { stop(std::chrono::milliseconds{0}); }

Result<std::unique_ptr<Server>> Server::open(Options options, Core core,
                                             std::shared_ptr<void> core_owner, Metrics& metrics) {
    auto trusted = AddressRanges::parse(options.trusted_proxies);
    if (!trusted) return context(std::move(trusted).error(), "server.trustedProxies");
    auto tokens = Tokens::load(options.tokens);
    if (!tokens) return std::move(tokens).error();
    auto keys = HookKeys::load(options.hooks);
    if (!keys) return std::move(keys).error();
    auto listener = Listener::open(front_options(options));
    if (!listener) return context(std::move(listener).error(), "server.listen");
    auto health = Listener::open(health_options(options));
    if (!health) return context(std::move(health).error(), "server.health");
    if (options.allow_unsigned_events) {
        log::warn("PROMO-4001", "unsigned events are taken for Pipelines without a signing secret");
    }
    return std::unique_ptr<Server>(new Server(std::make_unique<State>(
        std::move(options), std::move(core_owner), core, metrics, std::move(*trusted),
        std::move(*tokens), std::move(*keys), std::move(*listener), std::move(*health))));
}

std::vector<Fault> faults(const Options& options) {
    std::vector<Fault> found;
    const auto note = [&found](const char* key, const auto& outcome) {
        if (!outcome) found.push_back({key, outcome.error()});
    };
    note("server.listen", check_address(options.listen));
    note("server.health", check_address(options.health));
    if (same_address(options.listen, options.health)) {
        found.push_back(
            {"server.health",
             {ErrorKind::Invalid, options.health + " is the address of server.listen as well; give "
                                                   "health a port of its own"}});
    }
    note("server.tls", check_tls(options.tls));
    note("server.healthTls", check_tls(options.health_tls));
    note("server.trustedProxies", AddressRanges::parse(options.trusted_proxies));
    for (const auto& [key, file] : {std::pair{"server.hooks.github", &HookFiles::github},
                                    {"server.hooks.azure", &HookFiles::azure},
                                    {"server.hooks.registry", &HookFiles::registry}}) {
        HookFiles one;
        one.*file = options.hooks.*file;
        note(key, HookKeys::load(one));
    }
    for (const auto& token : options.tokens) note("server.tokens", Tokens::load({token}));
    return found;
}

void Server::start() { state_->start(); }
void Server::stop(std::chrono::milliseconds grace) { state_->stop(grace); }
Result<void> Server::reload() { return state_->reload(); }
bool Server::moves() { return state_->moves(); }
std::string Server::listen_address() const { return state_->listener().address(); }
std::string Server::health_address() const { return state_->health_listener().address(); }

}  // namespace promotiond::http
