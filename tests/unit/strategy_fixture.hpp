// What the tests of daemon/strategy share: a host's services without a network, and temporary
// directories that the loader accepts.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "strategy/strategy.hpp"

namespace promotiond::test {

// 0700, removed at the end.
class Directory {
public:
    Directory() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "promotiond-strategy-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = pattern;
    }
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    // Mode 0644, whatever the umask of the build was.
    std::filesystem::path copy(const std::filesystem::path& from, const std::string& name) const {
        const auto to = path_ / name;
        std::filesystem::copy_file(from, to);
        std::filesystem::permissions(to, std::filesystem::perms{0644});
        return to;
    }
    std::filesystem::path write(const std::string& name, const std::string& text) const {
        const auto to = path_ / name;
        std::ofstream(to) << text;
        std::filesystem::permissions(to, std::filesystem::perms{0644});
        return to;
    }

private:
    std::filesystem::path path_;
};

// Secrets in memory, a clock that stands still, directories below a temporary one.
struct Services {
    Directory directory;
    ManualClock clock;
    Metrics metrics;
    std::map<std::string, std::string> secrets;  // "namespace/name/key" -> value
    net::HttpClient* http = nullptr;
    net::ApiBudgets* budgets = nullptr;

    [[nodiscard]] strategy::HostServices host() {
        strategy::HostServices services;
        services.secret = [this](const std::string& ns, const std::string& name,
                                 const std::string& key) -> Result<Secret> {
            const auto found = secrets.find(ns + "/" + name + "/" + key);
            if (found != secrets.end()) return Secret(found->second);
            const auto prefix = ns + "/" + name + "/";
            const auto any = secrets.lower_bound(prefix);
            if (any != secrets.end() && any->first.starts_with(prefix)) {
                return Error{ErrorKind::NotFound,
                             "key " + key + " of secret " + prefix + " does not exist"};
            }
            return Error{ErrorKind::NotFound, "there is no secret " + prefix};
        };
        services.http = http;
        services.budgets = budgets;
        services.clock = &clock;
        services.metrics = &metrics;
        services.scratch = directory.path() / "scratch";
        services.cache = directory.path() / "cache";
        return services;
    }
};

inline strategy::Request request(std::string revision = "1.2.3") {
    strategy::Request made;
    made.promotion_id = "p-1";
    made.pipeline_namespace = "team";
    made.pipeline_name = "podinfo";
    made.environment = "prod";
    made.revision = std::move(revision);
    made.config = "{}";
    made.targets = R"({"environment":"prod","targets":[]})";
    made.event = "{}";
    return made;
}

}  // namespace promotiond::test
