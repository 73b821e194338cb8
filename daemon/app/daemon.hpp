// Daemon: every part of a running promotiond, in the order in which they stand on each other.
//
// The members are the start order read downwards and the stop order read upwards; that is the whole
// design. Thread-safety: all functions from the main thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "app/config.hpp"
#include "app/platform.hpp"
#include "app/replica.hpp"
#include "base/clock.hpp"
#include "base/guarded.hpp"
#include "base/metrics.hpp"
#include "base/readiness.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "gitops/advance.hpp"
#include "gitops/rules_reader.hpp"
#include "http/server.hpp"
#include "journal/journal.hpp"
#include "net/http_client.hpp"
#include "platform/kube_applications.hpp"
#include "platform/platform.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::app {

class Daemon {
public:
    // Everything is open and loaded, nothing runs yet.
    [[nodiscard]] static Result<std::unique_ptr<Daemon>> open(Config config);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    // Work begins: recovered promotions, Pipelines, HTTP.
    [[nodiscard]] Result<void> start();
    // Stops taking work, gives what is in flight the grace to end, and writes down the rest.
    void stop();
    // What stop() takes at the longest.
    [[nodiscard]] std::chrono::milliseconds longest_stop() const;
    // Takes over what can change while running: log level and format, certificates, token files.
    // The old configuration stays in force if the new one is wrong.
    [[nodiscard]] Result<void> reload(const Config& fresh);

    // False if the engine, the journal under it, a lane or an HTTP loop hangs: what the service
    // manager's watchdog is for. To be asked again and again: each asks for a sign of life by the
    // next.
    [[nodiscard]] bool moves();
    [[nodiscard]] std::string listen_address() const;
    // True: stop() came because another replica may lead.
    [[nodiscard]] bool lease_lost() const { return lease_lost_; }

private:
    explicit Daemon(Config config);
    [[nodiscard]] strategy::HostServices services();
    [[nodiscard]] std::unique_ptr<platform::PipelineSource> all_pipelines();

    // What the one replica, or the leading one, does: Pipelines and promotions.
    [[nodiscard]] Result<void> lead();
    [[nodiscard]] Result<void> watch();
    // What the leader before told, once the API server says.
    [[nodiscard]] Result<std::vector<platform::ToldPromotion>> told_before();
    [[nodiscard]] Result<void> stand_for_election();
    void begin_to_lead();
    void take(platform::Pipelines pipelines);
    void end();

    Config config_;
    SystemClock clock_;
    Metrics metrics_;
    Readiness readiness_;
    Platform platform_;
    std::unique_ptr<Replica> replica_;  // null: there is one
    std::unique_ptr<net::HttpClient> outbound_;
    std::unique_ptr<net::ApiBudgets> budgets_;
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<strategy::Strategies> strategies_;
    std::unique_ptr<gitops::Advance> advance_;
    std::unique_ptr<engine::Engine> engine_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<platform::KubeApplications> applications_;  // null with directories
    // Invariant: touched by the source's thread only. Each is logged once, however often it is
    // read.
    std::set<std::string> problems_told_;
    std::unique_ptr<gitops::RulesReader> rules_;  // null without repositories
    std::unique_ptr<platform::PipelineSource> pipelines_;
    std::mutex begins_;  // held while Pipelines are set, and while the engine begins
    std::atomic<bool> lease_lost_{false};
    std::stop_source taking_over_;
    Guarded<std::jthread> leading_;  // takes over
};

// The strategies of a configuration, with the services a running daemon gives them. For Daemon and
// for --check and --list-strategies.
[[nodiscard]] Result<std::unique_ptr<strategy::Strategies>> load_strategies(
    const Config& config, strategy::HostServices services);

}  // namespace promotiond::app
