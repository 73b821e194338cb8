#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "app/config.hpp"
#include "catch.hpp"
#include "model/yaml_document.hpp"

using namespace promotiond;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr const char* kMinimal = R"(server: {listen: 127.0.0.1:8082, health: 127.0.0.1:8081}
platform: {local: {pipelines: ./pipelines, secrets: ./secrets}}
journal: {path: ./state/journal.db}
strategies: {directory: ./strategies}
)";

class Directory {
public:
    Directory() {
        std::string pattern = (fs::temp_directory_path() / "promotiond-config-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Directory() { fs::remove_all(path_); }
    fs::path write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name) << text;
        return path_ / name;
    }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

std::string error_of(const std::string& text, const app::Environment& environment = {}) {
    const Directory directory;
    const auto config = app::load_config(directory.write("promotiond.yaml", text), environment);
    return config ? std::string("(accepted)") : config.error().message;
}

std::string documented() {
    std::ifstream in(fs::path(PROMOTIOND_SOURCE_DIR) / "config" / "promotiond.yaml");
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

// The documentation with the defaults that it shows switched on: a comment without a blank is a
// setting.
std::string with_defaults(const std::string& text) {
    static const std::regex kSetting("(^|\n)( *)#([a-zA-Z][a-zA-Z0-9]*:)");
    return std::regex_replace(text, kSetting, "$1$2$3");
}

void collect(const model::YamlNode& node, const std::string& prefix,
             const std::set<std::string>& keys, std::set<std::string>& found) {
    for (const auto& [name, value] : node.members) {
        const std::string path = prefix + name;
        if (keys.count(path) != 0) found.insert(path);
        else collect(value, path + ".", keys, found);
    }
}

}  // namespace

TEST_CASE("config: the four lines that everybody needs are enough") {
    const Directory directory;
    const auto config = app::load_config(directory.write("promotiond.yaml", kMinimal), {});
    REQUIRE(config);
    CHECK(config->server.listen == "127.0.0.1:8082");
    CHECK(config->pipelines == directory.path() / "pipelines");
    CHECK(config->journal == directory.path() / "state/journal.db");
    CHECK(config->cache == directory.path() / "state/cache");
    CHECK_FALSE(config->server.allow_unsigned_events);
}

TEST_CASE("config: there is exactly one platform, and an empty kubernetes is one") {
    const std::string rest = "journal: {path: ./journal.db}\nstrategies: {directory: ./s}\n";
    const Directory directory;
    const auto config = app::load_config(
        directory.write("promotiond.yaml", "platform: {kubernetes: {}}\n" + rest), {});
    if (!config) FAIL(config.error().message);
    CHECK(config->kubernetes.has_value());
    const auto variable =
        app::load_config(directory.write("promotiond.yaml", rest),
                         {{"PROMOTIOND_PLATFORM_KUBERNETES_KUBECONFIG", "/etc/kubeconfig"}});
    if (!variable) FAIL(variable.error().message);
    CHECK(variable->kubernetes->kubeconfig == "/etc/kubeconfig");
    CHECK(error_of("platform: {kubernetes: {}, local: {pipelines: ., secrets: .}}\n" + rest)
              .find("platform: has both kubernetes and local") != std::string::npos);
    CHECK(error_of("platform: {kubernetes: {notificationController: flux}}\n" + rest)
              .find("is no http or https URL") != std::string::npos);
    CHECK(error_of("platform: {kubernetes: {execAllowed: [get-token]}}\n" + rest)
              .find("\"get-token\" is no absolute path") != std::string::npos);
    CHECK(error_of("platform: {kubernetes: {leaderElection: {renewDeadline: 15s}}}\n" + rest)
              .find("leaseDuration must be longer than renewDeadline") != std::string::npos);
    for (const std::string wrong : {"10.0.0.7:8082", "http://10.0.0.7:8082/", "ftp://10.0.0.7"}) {
        CHECK(error_of("platform: {kubernetes: {leaderElection: {advertise: \"" + wrong +
                       "\"}}}\n" + rest)
                  .find("is no address") != std::string::npos);
    }
    CHECK(error_of(rest).find("platform.local.pipelines") != std::string::npos);
}

TEST_CASE("config: replicas that are no trusted proxies of each other are warned of") {
    const Directory directory;
    const auto warnings = [&](const std::string& server) {
        const auto config = app::load_config(
            directory.write("promotiond.yaml",
                            server +
                                "platform: {kubernetes: {leaderElection: {enabled: true}}}\n"
                                "journal: {path: ./journal.db}\nstrategies: {directory: ./s}\n"),
            {});
        REQUIRE(config);
        return config->warnings;
    };
    REQUIRE(warnings("").size() == 1);
    CHECK(warnings("").at(0).find("server.trustedProxies") != std::string::npos);
    CHECK(warnings("server: {trustedProxies: [10.42.0.0/16]}\n").empty());
    CHECK(warnings("server: {rateLimit: {requests: 0}}\n").empty());
}

TEST_CASE("config: every key is documented, and every documented key exists") {
    std::set<std::string> keys;
    for (const auto& key : app::config_keys()) keys.insert(key.path);
    const auto documents = model::yaml_documents(with_defaults(documented()), "promotiond.yaml");
    REQUIRE(documents);
    std::set<std::string> shown;
    collect(documents->front(), "", keys, shown);
    CHECK(shown == keys);
}

TEST_CASE("config: the defaults that are shown are the defaults in force") {
    static const std::regex kNeedsFiles(
        "\n *(kubernetes|leaderElection|leaseDuration|tls|healthTls|tokens|sha256|settings|"
        "proxyFile|ca|directory): [^\n]*"
        "(kubeconfig|tokenAudiences|advertise|retryPeriod|crt|ci|0000|localhost|example|proxy-url|"
        "cache)[^\n]*");
    const Directory directory;
    const auto shown = app::load_config(
        directory.write("shown.yaml",
                        std::regex_replace(with_defaults(documented()), kNeedsFiles, "")),
        {});
    if (!shown) FAIL(shown.error().message);
    const auto real = app::load_config(directory.write("promotiond.yaml", kMinimal), {});
    REQUIRE(real);
    CHECK(shown->server.wait == real->server.wait);
    CHECK(shown->server.wait_most == real->server.wait_most);
    CHECK(shown->server.body_limit == real->server.body_limit);
    CHECK(shown->server.header_timeout == real->server.header_timeout);
    CHECK(shown->server.body_timeout == real->server.body_timeout);
    CHECK(shown->server.idle_timeout == real->server.idle_timeout);
    CHECK(shown->server.connections == real->server.connections);
    CHECK(shown->server.connections_per_peer == real->server.connections_per_peer);
    CHECK(shown->server.rate_requests == real->server.rate_requests);
    CHECK(shown->server.rate_interval == real->server.rate_interval);
    CHECK(shown->server.allow_unsigned_events == real->server.allow_unsigned_events);
    CHECK(shown->engine.workers == real->engine.workers);
    CHECK(shown->engine.queue_limit == real->engine.queue_limit);
    CHECK(shown->engine.call_deadline == real->engine.call_deadline);
    CHECK(shown->engine.attempts == real->engine.attempts);
    CHECK(shown->engine.backoff_first == real->engine.backoff_first);
    CHECK(shown->engine.backoff_most == real->engine.backoff_most);
    CHECK(shown->engine.retry_after_most == real->engine.retry_after_most);
    CHECK(shown->engine.observe_every == real->engine.observe_every);
    CHECK(shown->engine.observe_at_most == real->engine.observe_at_most);
    CHECK(shown->shutdown_grace == real->shutdown_grace);
    CHECK(shown->outbound.timeout == real->outbound.timeout);
    CHECK(shown->outbound.connect_timeout == real->outbound.connect_timeout);
    CHECK(shown->outbound.max_response_bytes == real->outbound.max_response_bytes);
    CHECK(shown->outbound.egress.only_allowed == real->outbound.egress.only_allowed);
    CHECK(shown->log.level == real->log.level);
    CHECK(shown->log.format == real->log.format);
}

TEST_CASE("config: an unknown key is refused with its place and the nearest name") {
    const std::string message = error_of(std::string(kMinimal) + "promotions:\n  wrokers: 3\n");
    CHECK(message.find(":6:3: ") != std::string::npos);
    CHECK(message.find("did you mean \"workers\"") != std::string::npos);
}

TEST_CASE("config: all mistakes of a file are told at once, each with its place") {
    const std::string message = error_of(
        "server: {listen: [a], bodyTimeout: 5, tokens: [{nmae: ci, scope: all}, {name: cd}]}\n"
        "wrokers: 3\n"
        "promotions: none\n"
        "strategies: {sha256: {a.so: 12, b.so: 34}}\n"
        "egress: {ca: {one.example: none.pem, two.example: none.pem}}\n",
        {{"PROMOTIOND_LOG_LEVEL", "loud"}});
    std::istringstream lines(message);
    std::vector<std::string> places;
    for (std::string line; std::getline(lines, line);) {
        const auto place = line.find("promotiond.yaml:");
        places.push_back(place == std::string::npos
                             ? line.substr(0, line.find(": "))
                             : line.substr(place + 16, line.find(": ", place) - place - 16));
    }
    CHECK(places == std::vector<std::string>{"1:18", "1:36", "1:49", "1:66", "1:72", "2:1", "3:13",
                                             "4:29", "4:39", "5:28", "5:51",
                                             "PROMOTIOND_LOG_LEVEL"});
    const std::string whole = error_of("log: {level: info}\negress: {deny: [x/99]}\n");
    for (const char* each :
         {"\"journal.path\" is missing", "\"platform.local.pipelines\" is missing",
          "\"strategies.directory\" is missing", ":2:10: egress.deny: "}) {
        CHECK(whole.find(each) != std::string::npos);
    }
}

TEST_CASE("config: values out of range name the range") {
    CHECK(error_of("server: {bodyTimeout: 0s}").find("1s to 600s") != std::string::npos);
    CHECK(error_of("server: {bodyTimeout: 5}").find("write a number with its unit") !=
          std::string::npos);
    CHECK(error_of("server: {bodyTimeout: 99999999999999999999s}") != "(accepted)");
    CHECK(error_of("promotions: {workers: -1}").find("whole number from 1 to 256") !=
          std::string::npos);
    CHECK(error_of("server: {bodyLimit: 9223372036854775807GiB}").find("too large") !=
          std::string::npos);
    CHECK(error_of("log: {level: loud}").find("debug, info, warn, error") != std::string::npos);
}

TEST_CASE("config: a rule for outbound connections that says nothing is refused") {
    const std::string message = error_of(std::string(kMinimal) + "egress: {deny: [nonsense/99]}\n");
    CHECK(message.find(":5:10: egress.deny: ") != std::string::npos);
    CHECK(message.find("nonsense/99") != std::string::npos);
}

TEST_CASE("config: anchors, aliases and doubled keys are refused") {
    CHECK(error_of("server: &a {listen: x}\nlog: *a\n") != "(accepted)");
    CHECK(error_of("log: {level: info}\nlog: {level: warn}\n") != "(accepted)");
}

TEST_CASE("config: a variable wins over the file") {
    const Directory directory;
    const auto config =
        app::load_config(directory.write("promotiond.yaml", kMinimal),
                         {{"PROMOTIOND_SERVER_RATE_LIMIT_REQUESTS", "7"},
                          {"PROMOTIOND_SERVER_TRUSTED_PROXIES", "[10.0.0.0/8, ::1/128]"},
                          {"PROMOTIOND_SERVICE_HOST", "10.1.2.3"}});
    REQUIRE(config);
    CHECK(config->server.rate_requests == 7);
    CHECK(config->server.trusted_proxies.size() == 2);
    REQUIRE(config->warnings.size() == 1);
    CHECK(config->warnings[0].find("PROMOTIOND_SERVICE_HOST") != std::string::npos);
}

TEST_CASE("config: a wrong variable is named") {
    CHECK(error_of(kMinimal, {{"PROMOTIOND_PROMOTIONS_WORKERS", "many"}})
              .find("PROMOTIOND_PROMOTIONS_WORKERS") == 0);
}

TEST_CASE("config: what is missing is said by its key") {
    CHECK(error_of("server: {listen: 127.0.0.1:0}").find("\"journal.path\" is missing") !=
          std::string::npos);
}

TEST_CASE("config: an image of a registry is an application of a repository, told in full") {
    const std::string repositories =
        "gitops:\n  repositories: [{url: git@host:fleet, type: github, secretRef: s}]\n  images: ";
    const auto told = [&](const std::string& image) {
        return error_of(std::string(kMinimal) + repositories + "[" + image + "]\n");
    };
    const std::string rest = ", tags: \"v*\", group: shop, app: web}";
    CHECK(told("{image: ghcr.io/acme/web" + rest) == "(accepted)");
    CHECK(told("{image: \"hub:5000/web\"" + rest) == "(accepted)");
    for (const char* name : {"web", "ghcr.io/", "\"ghcr.io/acme/web:v1\"",
                             "\"https://ghcr.io/acme/web\"", "\"ghcr.io/acme/web@sha256:0\""}) {
        INFO(name);
        CHECK_THAT(told(std::string("{image: ") + name + rest),
                   Catch::Contains("is no image's name"));
    }
    CHECK_THAT(told("{image: ghcr.io/acme/web, group: shop, app: web}"),
               Catch::Contains("which of them are releases"));
    CHECK_THAT(
        told("{image: ghcr.io/acme/web, regex: x}"),
        Catch::Contains("unknown key \"regex\" in an image; known: image, tags, group, app"));
    CHECK_THAT(error_of(std::string(kMinimal) + "gitops: {images: [{image: ghcr.io/acme/web" +
                        rest + "]}\n"),
               Catch::Contains("needs gitops.repositories"));
}

TEST_CASE("config: a repository's address that holds a password is refused without showing it") {
    const auto told = [](const std::string& url) {
        return error_of(std::string(kMinimal) + "gitops:\n  repositories:\n  - {url: \"" + url +
                        "\", type: github, secretRef: s}\n");
    };
    for (const char* url :
         {"https://host/acme/fleet.git", "ssh://git@host:22/acme/fleet", "git@host:acme/fleet",
          "https://acme@dev.azure.com/acme/team/_git/fleet"}) {
        INFO(url);
        CHECK(told(url) == "(accepted)");
    }
    for (const char* url : {"https://bot:s3cret@host/acme/fleet", "https://s3cret@host/acme/fleet",
                            "https://s3cret@dev.azure.com/acme/team/_git/fleet",
                            "ssh://git:s3cret@host/acme/fleet", "https://host/s3cret@else/fleet"}) {
        INFO(url);
        CHECK_THAT(told(url), Catch::Contains("promotiond.yaml:7:11: ") &&
                                  Catch::Contains("put them into the secret") &&
                                  !Catch::Contains("s3cret"));
    }
    for (const char* url :
         {"http://host/acme/fleet", "http://bot:s3cret@host/acme", "file:///fleet", "fleet",
          "git:s3cret@host:fleet", "https:///fleet", "https://host/fleet?token=s3cret"}) {
        INFO(url);
        CHECK_THAT(told(url), Catch::Contains("promotiond.yaml:7:11: ") &&
                                  Catch::Contains("url must be https://HOST/PATH") &&
                                  !Catch::Contains("s3cret"));
    }
}
