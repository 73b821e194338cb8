// Two daemons, a real API server and a forge: whatever the paused leader was in the middle of,
// there is one branch and one pull request.
#include <boost/json.hpp>
#include <ctime>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "catch.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/kubernetes/replica.hpp"

using namespace promotiond;
using namespace promotiond::tests;
namespace json = boost::json;

namespace {

const std::string kEvent =
    R"({"involvedObject":{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","namespace":"dev","name":"podinfo"},)"
    R"("severity":"info","reason":"UpgradeSucceeded","message":"done","timestamp":"2026-03-02T10:15:30Z",)"
    R"("metadata":{"revision":"6.0.1"},"reportingController":"helm-controller"})";
const std::string kForgeToken = "ghp_forgeToken0123456789";

std::string text_of(const std::filesystem::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

// The simulator (tests/simulators/forge) with the repository acme/fleet.
class Forge {
public:
    explicit Forge(const std::string& space)
        : program_(
              {NODE_PROGRAM, PROMOTIOND_SOURCE "/tests/simulators/forge/main.mjs", "--root",
               (folder_.path() / "root").native(), "--tls-dir", (folder_.path() / "tls").native()},
              folder_.path() / "log") {
        const auto line = [this] { return text_of(folder_.path() / "log"); };
        if (!eventually([&] { return line().find('\n') != std::string::npos; }) ||
            !line().starts_with('{')) {
            throw std::runtime_error("the forge does not start: " + line());
        }
        const auto said = json::parse(line().substr(0, line().find('\n')));
        url = said.at("url").as_string();
        ca = text_of(said.at("ca").as_string().c_str());
        act("tokens", {{"token", kForgeToken}, {"login", "promotiond-bot"}});
        act("repositories", {{"owner", "acme"},
                             {"name", "fleet"},
                             {"files",
                              {{"prod.yaml", "version: \"6.0.0\" # {\"$promotion\": \"" + space +
                                                 ":podinfo:prod\"}\n"}}}});
    }

    // Holds the first request of that method to a path that ends so, before any work or before the
    // answer.
    void hold(const char* kind, const char* method, const std::string& path) const {
        act("fault", {{"kind", kind}, {"match", {{"method", method}, {"path", path}}}});
    }
    [[nodiscard]] bool holds_one() const { return see("held").as_int64() == 1; }
    void release() const { act("release", json::object()); }

    [[nodiscard]] std::size_t pulls() const {
        return see("pulls?repository=acme/fleet").as_array().size();
    }
    // Of the promotion; main is there anyway.
    [[nodiscard]] std::size_t branches() const {
        return see("branches?repository=acme/fleet").as_object().size() - 1;
    }
    // Requests so far, held ones included.
    [[nodiscard]] std::size_t requests(const std::string& method, const std::string& path) const {
        return see("requests?method=" + method + "&path=" + path).as_array().size();
    }

    std::string url;
    std::string ca;

private:
    void act(const std::string& what, const json::value& with) const {
        const auto answer = ask("POST", what, json::serialize(with));
        if (answer.code / 100 != 2) throw std::runtime_error(what + ": " + answer.body);
    }
    [[nodiscard]] json::value see(const std::string& what) const {
        const auto answer = ask("GET", what, {});
        if (answer.code != 200) throw std::runtime_error(what + ": " + answer.body);
        return json::parse(answer.body);
    }
    [[nodiscard]] net::Response ask(const std::string& method, const std::string& what,
                                    const std::string& body) const {
        Metrics metrics;
        net::HttpClient http({}, metrics);
        net::Request request;
        request.method = method;
        request.url = url + "/_sim/" + what;
        request.ca_pem = ca;
        request.body = body;
        if (!body.empty()) request.headers = {{"Content-Type", "application/json"}};
        auto answer = http.send(request);
        if (const auto* error = std::get_if<net::HttpError>(&answer)) {
            throw std::runtime_error(what + ": " + error->message);
        }
        return std::move(std::get<net::Response>(answer));
    }

    ScratchDirectory folder_;
    Program program_;
};

struct House {
    House() : space(cluster.make_namespace()), forge(space) {
        cluster.apply_file(PROMOTIOND_SOURCE "/config/crd/pipelines.yaml");
        json::object secret{{"apiVersion", "v1"},
                            {"kind", "Secret"},
                            {"metadata", {{"name", "forge"}, {"namespace", space}}},
                            {"stringData", {{"token", kForgeToken}, {"caFile", forge.ca}}}};
        cluster.apply(json::serialize(secret));
        cluster.apply(R"(apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata: {name: podinfo, namespace: )" +
                      space + R"(}
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: podinfo}
  environments:
  - {name: dev, targets: [{namespace: dev}]}
  - {name: prod, targets: [{namespace: prod}]}
  promotion:
    strategy:
      pull-request:
        type: github
        url: )" + forge.url +
                      R"(/acme/fleet.git
        baseBranch: main
        secretRef: {name: forge}
)");
    }

    [[nodiscard]] std::string phase_told() const {
        return cluster
            .kubectl({"get", "pipeline", "podinfo", "-n", space, "-o",
                      "jsonpath={.status.environments.prod.lastPromotion.phase}"})
            .out;
    }

    // When the Lease was renewed last, by the clock of who did it; in whole seconds.
    [[nodiscard]] std::time_t renewed() const {
        const auto text = cluster
                              .kubectl({"get", "lease", "promotiond", "-n", space, "-o",
                                        "jsonpath={.spec.renewTime}"})
                              .out;
        std::tm time{};
        REQUIRE(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time) != nullptr);
        return timegm(&time);
    }

    Cluster& cluster = Cluster::shared();
    const std::string space;
    const Forge forge;
};

}  // namespace

TEST_CASE("replicas: whatever a leader was paused in, there is one branch and one pull request") {
    struct Moment {
        const char* name;
        const char* kind;
        const char* method;
        const char* path;
    };
    const auto [name, kind, method, path] =
        GENERATE(Moment{"before its push", "hold-answer", "GET", "service=git-receive-pack"},
                 Moment{"with its push on the way", "hold", "POST", "git-receive-pack$"},
                 Moment{"with its push done", "hold-answer", "POST", "git-receive-pack$"},
                 Moment{"between push and pull request", "hold-answer", "GET", "/pulls\\?"},
                 Moment{"with its pull request on the way", "hold", "POST", "/pulls$"},
                 Moment{"with its pull request made", "hold-answer", "POST", "/pulls$"});
    INFO(name);
    const House house;
    const ReplicaOptions options{.strategy = "pullrequest-github",
                                 .promotions = "{backoff: {first: 50ms, most: 200ms}}"};
    Replica first(house.cluster, house.space, options);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(house.cluster, house.space, options);
    REQUIRE(eventually([&] { return second.ready(); }));

    house.forge.hold(kind, method, path);
    REQUIRE(second.post("/promotion/" + house.space + "/podinfo/dev", kEvent).code == 202);
    REQUIRE(eventually([&] { return house.forge.holds_one(); }));
    REQUIRE(eventually([&] { return house.phase_told() == "Running"; }));

    first.program().signal(SIGSTOP);
    REQUIRE(eventually([&] { return second.leads(); }));
    const bool carried = eventually([&] { return house.phase_told() == "Pending"; });
    INFO(second.log());
    REQUIRE(carried);
    CHECK(house.forge.pulls() == 1);
    const auto asked = house.forge.requests("POST", "/pulls$");

    // What was on its way arrives only now, and the leader of before wakes up.
    house.forge.release();
    first.program().signal(SIGCONT);
    CHECK(eventually([&] { return !first.program().running(); }));
    CHECK(first.program().code() == 75);
    CHECK(house.forge.pulls() == 1);
    CHECK(house.forge.branches() == 1);
    CHECK(house.forge.requests("POST", "/pulls$") == asked);
    CHECK(house.phase_told() == "Pending");
}

TEST_CASE("replicas: a leader killed between push and pull request is followed, with one of each") {
    const House house;
    const ReplicaOptions options{.strategy = "pullrequest-github"};
    Replica first(house.cluster, house.space, options);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(house.cluster, house.space, options);
    REQUIRE(eventually([&] { return second.ready(); }));
    house.forge.hold("hold", "POST", "/pulls$");
    REQUIRE(second.post("/promotion/" + house.space + "/podinfo/dev", kEvent).code == 202);
    REQUIRE(eventually([&] { return house.forge.holds_one(); }));
    REQUIRE(eventually([&] { return house.phase_told() == "Running"; }));
    first.program().kill();
    house.forge.release();
    REQUIRE(eventually([&] { return second.leads(); }));
    CHECK(eventually([&] { return house.phase_told() == "Pending"; }));
    CHECK(house.forge.pulls() == 1);
    CHECK(house.forge.branches() == 1);
}

TEST_CASE("replicas: a leader paused for 30 s makes no second pull request, by the default lease") {
    const House house;
    const ReplicaOptions options{.strategy = "pullrequest-github",
                                 .promotions = "{backoff: {first: 50ms, most: 200ms}}",
                                 .lease = ""};
    Replica first(house.cluster, house.space, options);
    REQUIRE(eventually([&] { return first.leads(); }));
    Replica second(house.cluster, house.space, options);
    REQUIRE(eventually([&] { return second.ready(); }));
    // The pause is in the worst moment: all but the pull request is done.
    house.forge.hold("hold", "POST", "/pulls$");
    REQUIRE(second.post("/promotion/" + house.space + "/podinfo/dev", kEvent).code == 202);
    REQUIRE(eventually([&] { return house.forge.holds_one(); }));
    REQUIRE(eventually([&] { return house.phase_told() == "Running"; }));

    first.program().signal(SIGSTOP);
    const auto paused = house.renewed();
    REQUIRE(eventually([&] { return second.leads(); }));
    REQUIRE(eventually([&] { return house.phase_told() == "Pending"; }));
    REQUIRE(eventually([&] { return house.renewed() - paused > 30; }));
    house.forge.release();
    first.program().signal(SIGCONT);
    CHECK(eventually([&] { return !first.program().running(); }));
    CHECK(first.program().code() == 75);
    CHECK(second.leads());
    CHECK(house.forge.pulls() == 1);
    CHECK(house.forge.branches() == 1);
    CHECK(house.phase_told() == "Pending");
}
