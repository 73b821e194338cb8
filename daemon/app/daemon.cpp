#include "app/daemon.hpp"

#include <malloc.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "app/recent_steps.hpp"
#include "app/version.hpp"
#include "gitops/repository_pipelines.hpp"
#include "model/release.hpp"

namespace promotiond::app {
namespace {

Result<void> make_directory(const std::filesystem::path& directory) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) {
        return Error{ErrorKind::Invalid, "cannot make the directory " + directory.string() + ": " +
                                             error.message() +
                                             "; make it, or give this user the right to"};
    }
    return {};
}

// What a crash left behind: scratch directories belong to calls, and no call has begun yet.
void clear_scratch(const std::filesystem::path& directory) {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
}

void log_strategies(const strategy::Strategies& strategies) {
    for (const auto& each : strategies.descriptions()) {
        log::info("PROMO-0003", "strategy loaded",
                  {{"strategy", each.name},
                   {"key", each.key},
                   {"version", each.version},
                   {"file", each.file.string()},
                   {"sha256", each.sha256}});
    }
    for (const auto& refusal : strategies.refusals()) {
        log::error("PROMO-0004", "strategy refused",
                   {{"file", refusal.file.string()}, {"reason", refusal.message}});
    }
}

constexpr std::chrono::seconds kLongestLook{30};  // at one repository
// Requests and then work have had their grace: what else a stop may have to wait for, above all a
// plugin that does not return and a slow disk.
constexpr std::chrono::seconds kAfterGrace{60};

strategy::HostServices with_directories(strategy::HostServices services, const Config& config) {
    services.scratch = config.cache / "scratch";
    services.cache = config.cache / "strategies";
    return services;
}

// yaml-cpp's trees are gone by now; give their pages back so that an idle daemon stays small.
void give_memory_back() { malloc_trim(0); }

}  // namespace

Daemon::Daemon(Config config) : config_(std::move(config)) {}

Daemon::~Daemon() = default;

Result<std::unique_ptr<strategy::Strategies>> load_strategies(const Config& config,
                                                              strategy::HostServices services) {
    services = with_directories(std::move(services), config);
    auto options = config.strategies;
    options.instances = config.engine.workers;
    return strategy::Strategies::load(options, std::move(services));
}

Result<std::unique_ptr<Daemon>> Daemon::open(Config config) {
    std::unique_ptr<Daemon> daemon(new Daemon(std::move(config)));
    auto& self = *daemon;

    for (const auto& directory :
         {self.config_.journal.parent_path(), self.config_.cache / "strategies"}) {
        if (auto made = make_directory(directory); !made) return std::move(made).error();
    }
    clear_scratch(self.config_.cache / "scratch");
    if (auto made = make_directory(self.config_.cache / "scratch"); !made)
        return std::move(made).error();

    const auto may_act = [&self] { return !self.replica_ || self.replica_->may_act(); };
    // What the leader before told stays until it is taken over.
    const auto may_tell = [&self, may_act] {
        return may_act() && (!self.replica_ || !self.replica_->stands_by());
    };
    auto platform =
        open_platform(self.config_, self.clock_, self.metrics_, self.readiness_, may_tell);
    if (!platform) return std::move(platform).error();
    self.platform_ = std::move(*platform);
    if (self.config_.leader_election.enabled) {
        auto& lease = self.config_.leader_election.lease;
        if (lease.ns.empty()) lease.ns = self.platform_.ns;
        self.replica_ =
            std::make_unique<Replica>(self.config_, *self.platform_.client, self.metrics_);
    }
    auto outbound = self.config_.outbound;
    outbound.user_agent = std::string("promotiond/") + kVersion;
    self.outbound_ = std::make_unique<net::HttpClient>(std::move(outbound), self.metrics_);
    self.budgets_ = std::make_unique<net::ApiBudgets>(self.clock_, self.metrics_,
                                                      self.config_.engine.retry_after_most);

    auto journal = journal::Journal::open({.path = self.config_.journal});
    if (!journal) return context(std::move(journal).error(), "cannot open the journal");
    self.journal_ = std::move(*journal);
    if (self.platform_.report)
        self.platform_.report->resume(recent_steps(*self.journal_, self.clock_.now()));

    auto strategies = load_strategies(self.config_, self.services());
    if (!strategies) return context(std::move(strategies).error(), "cannot load the strategies");
    self.strategies_ = std::move(*strategies);
    log_strategies(*self.strategies_);

    // Nothing merges before there are Pipelines, and those come when the engine runs.
    self.advance_ = std::make_unique<gitops::Advance>(
        self.clock_, self.platform_.report.get(),
        [&self](std::vector<model::Observation> seen) { self.engine_->observe(std::move(seen)); });
    auto engine = engine::Engine::open(self.config_.engine, *self.journal_, *self.strategies_,
                                       self.clock_, self.metrics_, self.advance_.get());
    if (!engine) return context(std::move(engine).error(), "cannot go on from the journal");
    self.engine_ = std::move(*engine);

    auto server = http::Server::open(self.config_.server, *self.engine_, *self.platform_.secrets,
                                     *self.strategies_, self.clock_, self.metrics_,
                                     {.callers = self.platform_.callers.get(),
                                      .readiness = &self.readiness_,
                                      .forwarding = self.replica_.get()});
    if (!server) return context(std::move(server).error(), "cannot serve HTTP");
    self.server_ = std::move(*server);

    if (self.platform_.client) {
        self.applications_ = std::make_unique<platform::KubeApplications>(
            *self.platform_.client, *self.outbound_, self.clock_, self.metrics_,
            platform::KubeApplicationsOptions{
                .applications = self.config_.kubernetes->applications,
                .by_namespace = !self.config_.kubernetes->namespaces.empty()},
            [&self](std::vector<model::Observation> seen) {
                self.engine_->observe(std::move(seen));
            });
    }
    self.pipelines_ = self.all_pipelines();
    return daemon;
}

strategy::HostServices Daemon::services() {
    strategy::HostServices services;
    services.secret = [this](const std::string& ns, const std::string& name,
                             const std::string& key) {
        return platform_.secrets->get(ns, name, key);
    };
    services.may_act = [this] { return !replica_ || replica_->may_act(); };
    services.http = outbound_.get();
    services.budgets = budgets_.get();
    services.clock = &clock_;
    services.metrics = &metrics_;
    return services;
}

// The platform's, and those of GitOps repositories.
std::unique_ptr<platform::PipelineSource> Daemon::all_pipelines() {
    if (config_.repositories.empty()) return std::move(platform_.pipelines);
    rules_ =
        std::make_unique<gitops::RulesReader>(with_directories(services(), config_), kLongestLook);
    gitops::RepositoryOptions options;
    options.repositories = config_.repositories;
    options.every = config_.repositories_every;
    options.remembered = config_.cache / "gitops";
    options.readiness = &readiness_;
    options.read = [this](const gitops::Repository& repository, const std::stop_token& stop) {
        return rules_->read(repository, stop);
    };
    std::vector<std::unique_ptr<platform::PipelineSource>> sources;
    sources.push_back(std::move(platform_.pipelines));
    sources.push_back(gitops::repository_pipelines(std::move(options)));
    return gitops::joined(std::move(sources));
}

Result<void> Daemon::start() {
    metrics_
        .gauge("promotiond_build_info", "Version of the running daemon, always 1.",
               {{"version", kVersion}})
        .set(1);
    if (!replica_) {
        if (auto led = lead(); !led) return led;
    }
    server_->start();
    const bool ready = !replica_ && readiness_.good();
    log::info("PROMO-0002", ready ? "ready" : "serving, and not ready yet; /readyz says why",
              {{"listen", server_->listen_address()},
               {"health", server_->health_address()},
               {"version", kVersion}});
    return replica_ ? stand_for_election() : Result<void>();
}

void Daemon::take(platform::Pipelines pipelines) {
    const std::string count = std::to_string(pipelines.all.size());
    auto all = pipelines.all;
    std::erase_if(all, [](const auto& each) { return model::takes_releases(*each); });
    {
        const std::lock_guard held(begins_);
        engine_->set_pipelines(std::move(pipelines));
    }
    if (applications_) applications_->set_pipelines(all);
    // The engine adds what was read well and cannot be carried out: as useless to its team.
    const auto problems = engine_->snapshot()->problems;
    std::set<std::string> told;
    bool away = false;  // the place where Pipelines are
    for (const auto& problem : problems) {
        const bool whole = problem.where.file == platform::kKubernetesPlace;
        away = away || whole;
        if (!told.insert(problem.message).second || problems_told_.contains(problem.message))
            continue;
        if (whole) {
            log::error("PROMO-0017",
                       "the Pipelines cannot be read; what is known of them stays in force, and "
                       "they are asked for again until they can",
                       {{"reason", problem.message}});
        } else {
            log::error("PROMO-0005", "pipeline not usable", {{"reason", problem.message}});
        }
    }
    problems_told_ = std::move(told);
    if (!away || !all.empty()) {
        log::info("PROMO-0006", "pipelines read",
                  {{"pipelines", count}, {"problems", std::to_string(problems.size())}});
    }
    give_memory_back();
}

void Daemon::stop() {
    // Without the lease nothing may be finished any more; the strategies' calls are cancelled.
    const auto grace = lease_lost_ ? std::chrono::milliseconds{0} : config_.shutdown_grace;
    log::info("PROMO-0007", "stopping", {{"grace_ms", std::to_string(grace.count())}});
    (void)taking_over_.request_stop();
    { const std::jthread ended = std::exchange(*leading_.access(), {}); }
    server_->stop(grace);
    pipelines_.reset();
    applications_.reset();
    engine_->stop(grace);
    if (auto done = journal_->checkpoint(); !done) {
        log::warn("PROMO-0008", "journal not checkpointed; the next start does it",
                  {{"reason", done.error().message}});
    }
    if (replica_) replica_->stop();
    log::info("PROMO-0009", "stopped");
    log::flush();
}

std::chrono::milliseconds Daemon::longest_stop() const {
    return 2 * config_.shutdown_grace + kAfterGrace;
}

Result<void> Daemon::reload(const Config& fresh) {
    if (auto served = server_->reload(); !served) return served;
    engine_->secrets_may_be_new();
    log::open(fresh.log);
    return {};
}

bool Daemon::moves() {
    const bool loops = server_->moves();
    const bool rests = replica_ && replica_->stands_by();
    return (rests || engine_->moves()) && loops;
}

std::string Daemon::listen_address() const { return server_->listen_address(); }

}  // namespace promotiond::app
