// --check: finds beforehand whatever would keep a start from succeeding, and leaves no trace.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "app/check.hpp"
#include "catch.hpp"
#include "journal/journal.hpp"

using namespace promotiond;
namespace fs = std::filesystem;

namespace {

// A place for one daemon that is in order, to be spoilt.
class Place {
public:
    Place() {
        std::string pattern = (fs::temp_directory_path() / "promotiond-check-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
        for (const char* each : {"pipelines", "secrets", "strategies"})
            fs::create_directory(path_ / each);
        fs::permissions(path_ / "strategies", fs::perms{0700});
    }
    ~Place() { fs::remove_all(path_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name) << text;
        fs::permissions(path_ / name, fs::perms{0600});
    }
    [[nodiscard]] app::Findings check(const std::string& server, const std::string& more = "") {
        write("promotiond.yaml", "server: {" + server +
                                     "}\n"
                                     "platform: {local: {pipelines: pipelines, secrets: secrets}}\n"
                                     "journal: {path: state/journal.db}\n"
                                     "strategies: {directory: strategies}\n" +
                                     more);
        const auto config = app::load_config(path_ / "promotiond.yaml", {});
        REQUIRE(config);
        return app::check(*config);
    }
    [[nodiscard]] app::Findings check_on_kubernetes(const std::string& server,
                                                    const std::string& kubernetes) const {
        write("kubeconfig",
              "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
              "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n"
              "contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: "
              "{}}]\n");
        write("promotiond.yaml", "server: {" + server +
                                     "}\n"
                                     "platform: {kubernetes: {kubeconfig: kubeconfig" +
                                     kubernetes +
                                     "}}\n"
                                     "journal: {path: state/journal.db}\n"
                                     "strategies: {directory: strategies}\n");
        const auto config = app::load_config(path_ / "promotiond.yaml", {});
        REQUIRE(config);
        return app::check(*config);
    }
    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> all;
        for (const auto& each : fs::recursive_directory_iterator(path_))
            all.insert(each.path().string());
        return all;
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

const std::string kFree = "listen: '127.0.0.1:0', health: '127.0.0.1:0'";

bool one_says(const std::vector<std::string>& lines, const std::string& place,
              const std::string& what) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
        return line.find(place) != std::string::npos && line.find(what) != std::string::npos;
    });
}

// Listens on a port of the kernel's choice.
class Occupied {
public:
    Occupied() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(fd_, 1) == 0);
        REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    ~Occupied() { ::close(fd_); }
    Occupied(const Occupied&) = delete;
    Occupied& operator=(const Occupied&) = delete;
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

private:
    int fd_;
    int port_ = 0;
};

}  // namespace

TEST_CASE("check: a place in order has no problem, and nothing is made there") {
    Place place;
    (void)place.check(kFree);
    const auto before = place.names();
    const auto found = place.check(kFree);
    CHECK(found.problems.empty());
    CHECK(found.notes.empty());
    CHECK(place.names() == before);
}

TEST_CASE("check: every problem is told at once, each with the place of its key") {
    Place place;
    place.write("short", "abc\n");
    place.write("no.pem", "not a certificate\n");
    place.write("cache", "a file\n");
    fs::remove(place.path() / "secrets");
    const auto found = place.check(
        "listen: nowhere, health: '127.0.0.1:0', trustedProxies: [10.0.0.0/99], "
        "tls: {certificate: no.pem, key: no.pem}, "
        "tokens: [{name: ci, file: short}, {name: cd, file: missing}]",
        "cache: {directory: cache}\n");
    const std::string file = (place.path() / "promotiond.yaml").string();
    CHECK(one_says(found.problems, file + ":1:10: server.listen: ", "'nowhere' is no address"));
    CHECK(one_says(found.problems, file + ":1:", "server.trustedProxies: "));
    CHECK(one_says(found.problems, "server.tls: ", "no.pem"));
    CHECK(one_says(found.problems, "server.tokens: ", "'ci'"));
    CHECK(one_says(found.problems, "server.tokens: ", "'cd'"));
    CHECK(one_says(found.problems, file + ":2:", "platform.local.secrets: there is no directory"));
    CHECK(one_says(found.problems, file + ":5:9: cache.directory: ", "is no directory"));
    CHECK(found.problems.size() == 7);
}

TEST_CASE("check: it says when other replicas could not be told where this one listens") {
    const Place place;
    const auto warned = [&](const std::string& listen, const std::string& kubernetes) {
        const auto found = place.check_on_kubernetes(
            "listen: '" + listen + "', health: '127.0.0.1:0'", kubernetes);
        CHECK(found.problems.empty());
        return one_says(found.warnings, ":1:10: server.listen: ", "POD_IP");
    };
    ::unsetenv("POD_IP");
    const std::string several = ", leaderElection: {enabled: true, namespace: team";
    CHECK(warned("0.0.0.0:0", several + "}"));
    CHECK_FALSE(warned("0.0.0.0:0", several + ", advertise: 'http://10.0.0.7:8082'}"));
    CHECK_FALSE(warned("0.0.0.0:0", ""));
    CHECK_FALSE(warned("127.0.0.1:0", several + "}"));
    ::setenv("POD_IP", "10.0.0.7", 1);
    CHECK_FALSE(warned("0.0.0.0:0", several + "}"));
    ::unsetenv("POD_IP");
}

TEST_CASE("check: an API server that is away is a note that says what a start does then") {
    const Place place;
    const auto found = place.check_on_kubernetes(kFree, "");
    CHECK(found.problems.empty());
    CHECK(one_says(found.notes, "cannot list pipelines.pipelines.weave.works at 127.0.0.1:1",
                   "asks for them again until they can be read"));
}

TEST_CASE("check: an address in use is a note, since promotiond itself may hold it") {
    const Occupied occupied;
    Place place;
    const auto found = place.check("listen: '" + occupied.address() + "', health: '127.0.0.1:0'");
    CHECK(found.problems.empty());
    CHECK(one_says(found.notes, ":1:10: server.listen: ", "if promotiond runs"));
}

TEST_CASE("check: credentials that only the running service sees are a note") {
    Place place;
    const std::string unit = "/run/credentials/promotiond-of-no-host.service";
    place.write("promotiond.yaml", "server: {" + kFree + ", tls: {certificate: " + unit +
                                       "/tls.crt, key: " + unit +
                                       "/tls.key}, tokens: [{name: ci, file: " + unit +
                                       "/ci}]}\n"
                                       "platform: {local: {pipelines: pipelines, secrets: " +
                                       unit +
                                       "}}\n"
                                       "journal: {path: state/journal.db}\n"
                                       "strategies: {directory: strategies}\n");
    const auto config = app::load_config(place.path() / "promotiond.yaml", {});
    REQUIRE(config);
    const auto found = app::check(*config);
    CHECK(found.problems.empty());
    for (const char* key : {"platform.local.secrets: ", "server.tls: ", "server.tokens: "})
        CHECK(one_says(found.notes, key, unit + " is there for the running service alone"));
}

TEST_CASE("check: one address for both ports is a problem") {
    Place place;
    const auto found = place.check("listen: ':65001', health: '127.0.0.1:65001'");
    CHECK(one_says(found.problems, "server.health: ", "server.listen as well"));
}

TEST_CASE("check: a journal in use is looked at without a trace") {
    Place place;
    fs::create_directory(place.path() / "state");
    const auto journal = journal::Journal::open({.path = place.path() / "state/journal.db"});
    REQUIRE(journal);
    (void)place.check(kFree);
    const auto before = place.names();
    CHECK(place.check(kFree).problems.empty());
    CHECK(place.names() == before);
    CHECK((*journal)->probe());
}

TEST_CASE("check: a journal that was closed is read whole, and left as it is") {
    Place place;
    fs::create_directory(place.path() / "state");
    const auto file = place.path() / "state/journal.db";
    REQUIRE(journal::Journal::open({.path = file}));
    (void)place.check(kFree);
    const auto before = place.names();
    CHECK(place.check(kFree).problems.empty());
    CHECK(place.names() == before);

    fs::resize_file(file, fs::file_size(file) / 2);
    CHECK(one_says(place.check(kFree).problems, ":3:11: journal.path: ", "is damaged"));
}

TEST_CASE("check: a journal of a newer promotiond is a problem") {
    Place place;
    fs::create_directory(place.path() / "state");
    const auto file = place.path() / "state/journal.db";
    REQUIRE(journal::Journal::open({.path = file}));
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekp(63);  // the last byte of SQLite's user version
    bytes.put('\x7f');
    bytes.close();
    CHECK(one_says(place.check(kFree).problems, "journal.path: ", "has schema 127"));
}

TEST_CASE("check: each secret that a Pipeline names and that is not there is a warning") {
    Place place;
    place.write("pipelines/app.yaml",
                "apiVersion: pipelines.weave.works/v1alpha1\n"
                "kind: Pipeline\n"
                "metadata: {name: shop, namespace: apps}\n"
                "spec:\n"
                "  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: shop}\n"
                "  promotion: {webhook: {url: 'https://h.example/', secretRef: hook}, secretRef: "
                "shop-hmac}\n"
                "  environments:\n"
                "  - {name: dev, targets: [{namespace: dev}]}\n"
                "  - {name: prod, targets: [{namespace: prod}], promotion: {webhook: {url: "
                "'https://h.example/', secretRef: {name: prod-hook}}}}\n");
    fs::create_directories(place.path() / "secrets/apps/hook");
    place.write("secrets/apps/hook/token", "x");
    fs::create_directories(place.path() / "secrets/apps/prod-hook");
    place.write("secrets/secrets_apps_shop_hmac-key", "as systemd hands over apps/shop");
    const auto found = place.check(kFree);
    CHECK(found.warnings.size() == 2);
    CHECK(one_says(found.warnings, "pipelines/app.yaml:", "secret apps/shop-hmac is not there"));
    CHECK(one_says(found.warnings, "pipelines/app.yaml:", "secret apps/prod-hook is not there"));
    CHECK_FALSE(one_says(found.problems, "", "secret"));
}

TEST_CASE("check: for a reload only the configuration counts, not what Pipelines are like") {
    Place place;
    place.write("pipelines/app.yaml", "kind: Pipeline\n");
    place.write("strategies/broken.so", "no library\n");
    place.write("short", "abc\n");
    (void)place.check(kFree);
    const auto file = place.path() / "promotiond.yaml";
    CHECK(app::check_config(app::load_config(file, {}).value()).problems.empty());
    (void)place.check(kFree + ", tokens: [{name: ci, file: short}]");
    CHECK(one_says(app::check_config(app::load_config(file, {}).value()).problems,
                   "server.tokens: ", "'ci'"));
}

TEST_CASE("check: what is wrong with strategies and Pipelines is told with its file") {
    Place place;
    place.write("strategies/broken.so", "no library\n");
    place.write("pipelines/app.yaml", "kind: Pipeline\n");
    const auto found = place.check(kFree);
    CHECK(one_says(found.problems, "strategies.directory: ", "broken.so"));
    CHECK(one_says(found.problems, "pipelines/app.yaml:1:", ""));
}
