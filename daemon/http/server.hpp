// HTTP: the promotion endpoints that Flux calls, /api/v1 for people and promotionctl, and health
// and metrics on a port of their own.
//
// Requests are read by Boost.Beast's parser on an event loop, so that a slow sender costs a buffer
// and not a thread; a request reaches a handler only when it is whole, within limits and
// unambiguous. Poco's HTTPServer is not used: version 1.11 takes doubled Content-Length, runs
// unread bodies as requests and gives a thread to every dripping sender.
//
// Thread-safety: start() and stop() from one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "base/readiness.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "model/release.hpp"
#include "platform/platform.hpp"

namespace promotiond::http {

enum class AccessScope { Read, Operate };

// One bearer token for /api/v1; the value is in a file, never in the configuration.
struct ApiToken {
    std::string name;  // who acts, for the record
    AccessScope scope = AccessScope::Read;
    std::filesystem::path file;
};

struct TlsFiles {
    std::filesystem::path certificate;
    std::filesystem::path key;
};

// Files with the keys by which senders of hooks are known; empty = that one's are refused.
struct HookFiles {
    std::filesystem::path github;
    std::filesystem::path azure;
    std::filesystem::path registry;  // of container images
};

struct Options {
    std::string listen = "127.0.0.1:8082";  // port 0 = any free one
    std::string health = "127.0.0.1:8081";
    // Descriptors that listen already, in place of the addresses; Server::open takes them over.
    std::optional<int> listen_socket;
    std::optional<int> health_socket;
    std::optional<TlsFiles> tls;         // for listen
    std::optional<TlsFiles> health_tls;  // for health
    std::chrono::milliseconds header_timeout{10'000};
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds idle_timeout{60'000};
    std::uint64_t body_limit = 1u << 20;  // bytes; Flux itself sends at most 3 MiB
    std::size_t connections_per_peer = 512;
    std::size_t connections = 4096;
    std::uint32_t rate_requests = 20;  // per peer on the promotion endpoints; 0 = no limit
    std::chrono::milliseconds rate_interval{30'000};
    std::vector<std::string>
        trusted_proxies;  // address ranges whose X-Forwarded-For and X-Real-IP are believed
    bool allow_unsigned_events = false;
    std::chrono::milliseconds wait{
        0};  // compatibility: how long to wait for a location before answering
    std::chrono::milliseconds wait_most{60'000};  // the most that ?wait= may ask for
    std::string path_prefix;  // e.g. "/pipelines": also accepted in front of every path
    HookFiles hooks;
    std::vector<model::ReleasedImage> images;  // that registries tell of
    std::vector<ApiToken> tokens;              // none = /api/v1 answers loopback peers only
};

// What Server::open() would refuse of the options, all of it, without a trace.
struct Fault {
    std::string key;  // of the configuration: "server.listen"
    Error error;      // Conflict: the address is in use, maybe by the very daemon that is to be
};
[[nodiscard]] std::vector<Fault> faults(const Options& options);

struct Core;
class Forwarding;

// What stands beside the engine; each may be absent.
struct Beside {
    // Whom the platform knows beside options.tokens; with them loopback needs a token, too.
    platform::Callers* callers = nullptr;
    const Readiness* readiness = nullptr;  // of the parts that /readyz is to ask
    Forwarding* forwarding = nullptr;      // null: there is one replica
};

class Server {
public:
    // Invalid: addresses, certificates or token files (with what to do); Conflict: address in use.
    [[nodiscard]] static Result<std::unique_ptr<Server>> open(
        Options options, engine::Engine& engine, platform::SecretStore& secrets,
        const strategy::Strategies& strategies, const Clock& clock, Metrics& metrics,
        const Beside& beside = {});
    // The same over any core (core.hpp), whose parts core_owner keeps alive.
    [[nodiscard]] static Result<std::unique_ptr<Server>> open(Options options, Core core,
                                                              std::shared_ptr<void> core_owner,
                                                              Metrics& metrics);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void start();
    // readyz turns 503, idle connections close, requests in flight finish within the grace.
    void stop(std::chrono::milliseconds grace);
    // Re-reads certificates and token files. The old ones stay on error.
    [[nodiscard]] Result<void> reload();

    // True if both loops have run since the last call; gives them something to run until the next.
    [[nodiscard]] bool moves();

    // The addresses bound, with real ports.
    [[nodiscard]] std::string listen_address() const;
    [[nodiscard]] std::string health_address() const;

private:
    class State;
    explicit Server(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::http
