#include "app/check.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <system_error>

#include "app/daemon.hpp"
#include "app/missing_secrets.hpp"
#include "app/platform.hpp"
#include "app/replica.hpp"
#include "base/guarded.hpp"
#include "engine/problems.hpp"
#include "http/server.hpp"
#include "journal/journal.hpp"

namespace promotiond::app {
namespace {

namespace fs = std::filesystem;

bool allows(const fs::path& path, int mode) {
    return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
}

// What systemd hands to a service (LoadCredential=) is there for the service itself and from its
// start on: neither its ExecReload= nor a person sees it.
std::optional<fs::path> unseen_credentials(const std::string& text) {
    const std::string place = "/run/credentials/";
    const auto at = text.find(place);
    if (at == std::string::npos) return std::nullopt;
    const fs::path unit = text.substr(at, text.find_first_of("/'\" ;:,", at + place.size()) - at);
    std::error_code failed;
    if (fs::exists(unit, failed)) return std::nullopt;
    return unit;
}

class Check {
public:
    explicit Check(const Config& config) : config_(config) {}

    void server() {
        for (const auto& fault : http::faults(config_.server)) {
            if (fault.error.kind != ErrorKind::Conflict) {
                if (const auto unseen = unseen_credentials(fault.error.message))
                    note_unseen(fault.key, *unseen);
                else problem(fault.key, fault.error.message);
                continue;
            }
            found_.notes.push_back(
                config_
                    .error_at(fault.key, fault.error.message +
                                             " As it should be if promotiond runs; otherwise "
                                             "free the address or choose another")
                    .message);
        }
    }

    // A start with this environment would end; the pod's may have what is missing.
    void replicas() {
        const auto& election = config_.leader_election;
        if (!election.enabled || !election.advertise.empty()) return;
        if (auto host = reachable_host(config_.server.listen); !host)
            found_.warnings.push_back(
                config_.error_at("server.listen", host.error().message).message);
    }

    void journal() {
        directory_to_write("journal.path", config_.journal.parent_path());
        if (auto right = journal::Journal::check({.path = config_.journal}); !right)
            problem("journal.path", right.error().message);
    }

    void cache() {
        directory_to_write("cache.directory", config_.cache);
        for (const char* part : {"strategies", "scratch"}) {
            if (std::error_code failed; fs::exists(config_.cache / part, failed))
                directory_to_write("cache.directory", config_.cache / part);
        }
    }

    void secrets() {
        if (config_.kubernetes) return;  // each has its own rights, and is got when it is used
        if (const auto unseen = unseen_credentials(config_.secrets.string()))
            return note_unseen("platform.local.secrets", *unseen);
        std::error_code failed;
        if (!fs::is_directory(config_.secrets, failed))
            return problem(
                "platform.local.secrets",
                "there is no directory " + config_.secrets.string() + "; make it or name another");
        if (!allows(config_.secrets, R_OK | X_OK))
            problem("platform.local.secrets", config_.secrets.string() +
                                                  " must not be read by this user; give it "
                                                  "permission");
    }

    void strategies_and_pipelines() {
        const auto strategies = load_strategies(config_, {});
        if (!strategies) {
            problem("strategies.directory", strategies.error().message);
        } else {
            for (const auto& refusal : (*strategies)->refusals())
                problem("strategies.directory", refusal.file.string() + ": " + refusal.message);
        }
        const auto read = pipelines();
        take(read.problems);
        if (!config_.kubernetes && !unseen_credentials(config_.secrets.string()))
            found_.warnings = missing_secrets(read.all, config_.secrets);
        if (!strategies) return;
        for (const auto& pipeline : read.all) take(engine::problems_of(*pipeline, **strategies));
    }

    Findings take_findings() { return std::move(found_); }

private:
    platform::Pipelines pipelines() {
        const SystemClock clock;
        Metrics metrics;
        Guarded<platform::Pipelines> read;
        Readiness readiness;
        auto opened = open_platform(config_, clock, metrics, readiness);
        if (!opened) {
            found_.problems.push_back(opened.error().message);
            return {};
        }
        const auto take = [&read](platform::Pipelines all) { *read.access() = std::move(all); };
        if (auto started = opened->pipelines->start(take); !started)
            problem("platform.local.pipelines", started.error().message);
        opened->pipelines.reset();
        return std::move(*read.access());
    }

    void problem(const std::string& key, const std::string& what) {
        found_.problems.push_back(config_.error_at(key, what).message);
    }

    void note_unseen(const std::string& key, const fs::path& credentials) {
        const auto text = credentials.string() +
                          " is there for the running service alone, so what should be in it was "
                          "not looked at";
        found_.notes.push_back(config_.error_at(key, text).message);
    }

    void take(const std::vector<platform::Problem>& problems) {
        for (const auto& each : problems) {
            // A start goes on without the API server until it answers.
            if (each.where.file == platform::kKubernetesPlace) {
                found_.notes.push_back(each.message +
                                       "; a start goes on without the Pipelines, is not ready, and "
                                       "asks for them again until they can be read");
            } else {
                found_.problems.push_back(each.message);
            }
        }
    }

    // There and writable, or such that a start could make it.
    void directory_to_write(const char* key, const fs::path& directory) {
        fs::path there = directory;
        std::error_code failed;
        while (!fs::exists(fs::symlink_status(there, failed)) && there.has_relative_path())
            there = there.parent_path();
        if (!fs::is_directory(there, failed)) {
            return problem(key, there.string() + " is no directory; move it away or name another");
        }
        if (allows(there, W_OK | X_OK)) return;
        problem(key, there == directory
                         ? "this user cannot write to " + directory.string() + "; give it the right"
                         : "this user cannot make " + directory.string() +
                               "; make it, or give the right to write to " + there.string());
    }

    const Config& config_;
    Findings found_;
};

}  // namespace

Findings check(const Config& config) {
    Check check(config);
    check.server();
    check.replicas();
    check.journal();
    check.cache();
    check.secrets();
    check.strategies_and_pipelines();
    return check.take_findings();
}

Findings check_config(const Config& config) {
    Check check(config);
    check.server();
    return check.take_findings();
}

}  // namespace promotiond::app
