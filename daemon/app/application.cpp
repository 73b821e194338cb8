#include "app/application.hpp"

#include <Poco/Util/HelpFormatter.h>
#include <Poco/Util/Option.h>
#include <Poco/Util/OptionCallback.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <sstream>

#include "app/check.hpp"
#include "app/config.hpp"
#include "app/daemon.hpp"
#include "app/notify_socket.hpp"
#include "app/passed_sockets.hpp"
#include "app/version.hpp"
#include "base/log.hpp"

namespace promotiond::app {
namespace {

using Poco::Util::Option;
using Poco::Util::OptionCallback;

sigset_t awaited_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int each : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, each);
    return signals;
}

// Many threads that are mostly idle: glibc's default of eight arenas a core would cost more memory
// than the daemon itself.
void keep_memory_small() {
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

// A journal that hits the file size limit must answer with an error, not end the process.
void ignore_signals_that_are_errors() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}

int exit_code(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::Invalid: return kExitConfiguration;
        case ErrorKind::Conflict: return kExitUnavailable;
        default: return kExitSoftware;
    }
}

std::optional<Config> loaded(const std::filesystem::path& file) {
    auto config = load_config(file, current_environment());
    if (config) return std::move(*config);
    std::istringstream mistakes(config.error().message);
    for (std::string line; std::getline(mistakes, line);) log::error("PROMO-0001", line);
    return std::nullopt;
}

// The same for a person at a terminal.
std::optional<Config> shown(const std::filesystem::path& file) {
    auto config = load_config(file, current_environment());
    if (config) return std::move(*config);
    std::cerr << config.error().message << "\n";
    return std::nullopt;
}

// Why it failed; nothing if it did not.
std::optional<std::string> reload(Daemon& daemon, const std::filesystem::path& file) {
    auto config = load_config(file, current_environment());
    auto done = config ? daemon.reload(*config) : Result<void>(config.error());
    if (!done) {
        log::error("PROMO-0011", "reload failed; the old configuration stays in force",
                   {{"file", file.string()}, {"reason", done.error().message}});
        return done.error().message;
    }
    log::info("PROMO-0010",
              "configuration reloaded: log, certificates and tokens; other keys need a restart");
    return std::nullopt;
}

// The next of the awaited signals; 0 = none came in time.
int next_signal(std::optional<std::chrono::microseconds> time) {
    const sigset_t signals = awaited_signals();
    if (!time) {
        int signal = 0;
        return sigwait(&signals, &signal) == 0 ? signal : 0;
    }
    const timespec most{time->count() / 1'000'000, time->count() % 1'000'000 * 1000};
    return std::max(0, sigtimedwait(&signals, nullptr, &most));
}

// Returns when the daemon is to stop. Signals that come several times while one is handled are one.
void wait_for_stop(Daemon& daemon, NotifySocket& service, const std::filesystem::path& file) {
    // Four looks in the time that the service manager gives, so that one slow one does not matter.
    auto look = service.watchdog();
    if (look) *look /= 4;
    const std::string serving = "serving on " + daemon.listen_address();
    service.ready(serving);
    for (;;) {
        const int signal = next_signal(look);
        if (signal == SIGHUP) {
            service.reloading("reloading the configuration");
            const auto failed = reload(daemon, file);
            service.ready(failed ? serving +
                                       "; the last reload failed, the old configuration "
                                       "stays in force: " +
                                       *failed
                                 : serving);
        } else if (signal != 0) {
            return;
        }
        if (look && daemon.moves()) service.alive();
    }
}

}  // namespace

std::optional<std::string> Application::refused(int count, char** words) {
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        for (const std::string option : {"--daemon", "--pidfile", "--umask"}) {
            if (word != option && word.rfind(option + "=", 0) != 0) continue;
            return option +
                   " is not offered: run promotiond in the foreground under systemd or another "
                   "service manager";
        }
    }
    return std::nullopt;
}

void Application::block_signals() {
    const sigset_t signals = awaited_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void Application::defineOptions(Poco::Util::OptionSet& options) {
    const auto add = [&](const char* name, const char* abbreviation,
                         const char* description) -> Option {
        return Option(name, abbreviation, description)
            .callback(OptionCallback<Application>(this, &Application::take));
    };
    options.addOption(
        add("config", "c", "the configuration file; default /etc/promotiond/promotiond.yaml")
            .argument("FILE"));
    options.addOption(add(
        "check", "",
        "try all that a start would - addresses, certificates, tokens, journal, directories, "
        "strategies, pipelines - without effects, and exit: 0 or 78; run it as the daemon's user"));
    options.addOption(add("check-config", "",
                          "the same for what a reload takes: the configuration file, certificates "
                          "and tokens; strategies and pipelines are left alone"));
    options.addOption(
        add("list-strategies", "", "list the strategies in the configured directory, and exit"));
    options.addOption(add("version", "V", "print the version, and exit"));
    options.addOption(add("help", "h", "print this help, and exit"));
}

void Application::take(const std::string& name, const std::string& value) {
    if (name == "config") config_ = value;
    if (name == "check") task_ = Task::Check;
    if (name == "check-config") task_ = Task::CheckConfig;
    if (name == "list-strategies") task_ = Task::ListStrategies;
    if (name == "version") task_ = Task::Version;
    if (name == "help") task_ = Task::Help;
    if (task_ == Task::Version || task_ == Task::Help) stopOptionsProcessing();
}

int Application::main(const std::vector<std::string>& arguments) {
    if (!arguments.empty()) {
        std::cerr << "promotiond: \"" << arguments.front()
                  << "\" is not an option; see promotiond --help\n";
        return kExitUsage;
    }
    switch (task_) {
        case Task::Help: return help();
        case Task::Version: std::cout << "promotiond " << kVersion << "\n"; return 0;
        case Task::Check:
        case Task::CheckConfig: return check();
        case Task::ListStrategies: return list_strategies();
        case Task::Serve: return serve();
    }
    return kExitSoftware;
}

int Application::help() const {
    Poco::Util::HelpFormatter formatter(options());
    formatter.setUnixStyle(true);
    formatter.setWidth(100);
    formatter.setCommand("promotiond");
    formatter.setUsage(
        "[--config FILE] [--check | --check-config | --list-strategies | --version | --help]");
    formatter.setHeader(
        "\nCarries a revision that runs well in one environment to the next one.\n\n"
        "  promotiond --config ./promotiond.yaml           serve until SIGTERM\n"
        "  promotiond --config ./promotiond.yaml --check   is everything in order?\n");
    formatter.setFooter(
        "\nEvery key of the configuration is also an environment variable: server.listen is "
        "PROMOTIOND_SERVER_LISTEN. SIGHUP re-reads log level, certificates and tokens. Exit codes: "
        "0 done, 64 usage, 69 another promotiond has the journal or the address, "
        "70 cannot serve, 75 another replica leads: start again, 78 configuration.\n");
    formatter.format(std::cout);
    return 0;
}

int Application::check() const {
    const auto config = shown(config_);
    if (!config) return kExitConfiguration;
    for (const auto& warning : config->warnings) std::cerr << "warning: " << warning << "\n";
    log::open({.level = log::Level::Warn});
    const auto [problems, warnings, notes] =
        task_ == Task::CheckConfig ? check_config(*config) : promotiond::app::check(*config);
    for (const auto& warning : warnings) std::cerr << "warning: " << warning << "\n";
    for (const auto& note : notes) std::cerr << "note: " << note << "\n";
    for (const auto& problem : problems) std::cerr << problem << "\n";
    if (!problems.empty()) return kExitConfiguration;
    std::cout << config_.string() << ": in order\n";
    return 0;
}

int Application::list_strategies() const {
    const auto config = shown(config_);
    if (!config) return kExitConfiguration;
    const auto strategies = load_strategies(*config, {});
    if (!strategies) {
        std::cerr << strategies.error().message << "\n";
        return kExitConfiguration;
    }
    for (const auto& each : (*strategies)->descriptions()) {
        std::cout << each.name << " " << each.version << "\n  serves   spec.promotion." << each.key;
        if (!each.provider.empty()) std::cout << " (type " << each.provider << ")";
        std::cout << "\n  does     " << each.summary << "\n  file     " << each.file.string()
                  << "\n  sha256   " << each.sha256 << "\n";
    }
    for (const auto& refusal : (*strategies)->refusals()) {
        std::cerr << refusal.file.string() << ": refused: " << refusal.message << "\n";
    }
    return (*strategies)->refusals().empty() ? 0 : kExitConfiguration;
}

int Application::serve() const {
    umask(077);
    keep_memory_small();
    ignore_signals_that_are_errors();
    auto config = loaded(config_);
    if (!config) return kExitConfiguration;
    log::open(config->log);
    for (const auto& warning : config->warnings) log::warn("PROMO-0012", warning);
    const auto sockets = PassedSockets::from_environment();
    if (!sockets) {
        log::error("PROMO-0001", sockets.error().message);
        return kExitConfiguration;
    }
    config->server.listen_socket = sockets->http;
    config->server.health_socket = sockets->health;

    auto service = NotifySocket::from_environment();
    if (!service) log::warn("PROMO-0013", service.error().message);
    auto told = service ? std::move(*service) : NotifySocket();

    auto daemon = Daemon::open(*config);
    if (!daemon) {
        log::error("PROMO-0001", daemon.error().message);
        return exit_code(daemon.error().kind);
    }
    if (auto started = (*daemon)->start(); !started) {
        log::error("PROMO-0001", started.error().message);
        return kExitConfiguration;
    }
    wait_for_stop(**daemon, told, config_);
    told.stopping("stopping; work in flight may end", (*daemon)->longest_stop());
    (*daemon)->stop();
    return (*daemon)->lease_lost() ? kExitLeaseLost : 0;
}

}  // namespace promotiond::app
