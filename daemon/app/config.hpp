// Configuration: promotiond.yaml and PROMOTIOND_... variables as one checked value.
//
// A key from the environment wins over the file. Unknown keys and values out of range are errors
// with file:line:column; no default depends on the machine. config/promotiond.yaml documents every
// key; a test holds the two together.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "gitops/repository.hpp"
#include "http/server.hpp"
#include "model/pipeline.hpp"
#include "net/http_client.hpp"
#include "platform/kube_lease.hpp"
#include "platform/kubernetes.hpp"
#include "strategy/strategy.hpp"

namespace promotiond::app {

// One of several replicas leads. The lease's identity and address are found when it starts.
struct LeaderElection {
    bool enabled = false;
    std::string advertise;  // "http://10.0.0.7:8082"; empty = what listen or POD_IP says
    platform::LeaseOptions lease;
};

struct Config {
    http::Options server;
    engine::Options engine;
    net::HttpClient::Options outbound;
    strategy::LoadOptions strategies;
    log::Options log;
    // Either the API server or the two directories.
    std::optional<platform::KubernetesOptions> kubernetes;
    LeaderElection leader_election;  // with kubernetes
    std::filesystem::path pipelines;
    std::filesystem::path secrets;
    std::vector<gitops::Repository> repositories;  // with gitops-promotion.yaml
    std::chrono::milliseconds repositories_every{60'000};
    std::filesystem::path journal;
    std::filesystem::path cache;  // git mirrors and scratch space
    std::chrono::milliseconds shutdown_grace{20'000};
    std::vector<std::string> warnings;  // for the log: what is allowed and hardly meant

    std::filesystem::path file;
    // Where keys and sections were set, the newest place of each: the file, or a variable.
    std::map<std::string, model::Position, std::less<>> places;

    // "file:line:column: key: what" for a key as config_keys() spells it, or a section; without
    // line and column if the key has its default.
    [[nodiscard]] Error error_at(const std::string& key, const std::string& what) const;
};

// Name and value of an environment variable, as in environ.
using Environment = std::map<std::string, std::string, std::less<>>;
[[nodiscard]] Environment current_environment();

// Reads the file, then lets the environment override it; paths in the file are relative to the
// file's directory, paths in the environment to the working directory. Errors: NotFound, Invalid
// with a line for each mistake ("file:line:column: what is wrong and what to do").
[[nodiscard]] Result<Config> load_config(const std::filesystem::path& file,
                                         const Environment& environment);

// Every key as it is spelled in the file ("server.rateLimit.requests") and as a variable.
struct KeyName {
    std::string path;
    std::string variable;
};
[[nodiscard]] std::vector<KeyName> config_keys();

// "1500ms", "20s", "5m", "2h"; a bare number is refused because its unit would be a guess.
[[nodiscard]] Result<std::chrono::milliseconds> duration_from_text(std::string_view text);
// "512", "64KiB", "1MiB": bytes.
[[nodiscard]] Result<std::uint64_t> size_from_text(std::string_view text);

}  // namespace promotiond::app
