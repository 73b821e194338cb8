// The daemon under RBAC: as its own account, with the rights of config/kubernetes or fewer.
#include <boost/json.hpp>
#include <sstream>

#include "catch.hpp"
#include "tests/kubernetes/daemon_fixture.hpp"

using namespace promotiond::tests;
namespace json = boost::json;

namespace {

// The daemon's own account, at first without any right.
class Account {
public:
    explicit Account(std::string ns) : ns_(std::move(ns)) {
        // The binding in that file lacks the namespace that kustomize adds; the role is what
        // counts.
        (void)management().kubectl({"apply", "--server-side", "-n", ns_, "-f",
                                    PROMOTIOND_SOURCE "/config/kubernetes/base/rbac.yaml"});
    }
    // The rights of config/kubernetes, everywhere.
    void give() const {
        management().must({"create", "clusterrolebinding", ns_, "--clusterrole=promotiond",
                           "--serviceaccount=" + ns_ + ":promotiond"});
    }
    void take() const { management().must({"delete", "clusterrolebinding", ns_}); }
    // Those of a ClusterRole, in one namespace.
    void give_in(const std::string& space, const std::string& role = "promotiond") const {
        management().must({"create", "rolebinding", "promotiond-" + ns_, "-n", space,
                           "--clusterrole=" + role, "--serviceaccount=" + ns_ + ":promotiond"});
    }
    [[nodiscard]] std::string kubeconfig() const {
        return management().kubeconfig(management().service_account_token(ns_, "promotiond"));
    }

private:
    std::string ns_;
};

// The name of a ClusterRole like the one of config/kubernetes, without Secrets.
std::string make_role_without_secrets(const std::string& ns) {
    const auto whole =
        json::parse(management().must({"get", "clusterrole", "promotiond", "-o", "json"}));
    json::array rules;
    for (const auto& rule : whole.at("rules").as_array()) {
        if (rule.at("resources") != json::array{"secrets"}) rules.push_back(rule);
    }
    management().apply(
        json::serialize(json::object{{"apiVersion", "rbac.authorization.k8s.io/v1"},
                                     {"kind", "ClusterRole"},
                                     {"metadata", {{"name", "without-secrets-" + ns}}},
                                     {"rules", std::move(rules)}}));
    return "without-secrets-" + ns;
}

// Runs the commands of a text from "kubectl" to its end, joined by "&&".
void run_commands_of(const std::string& text) {
    std::istringstream words(text.substr(text.find("kubectl ")));
    std::vector<std::string> command;
    const auto run = [&command] {
        REQUIRE(command.size() > 1);
        management().must({command.begin() + 1, command.end()});
        command.clear();
    };
    for (std::string word; words >> word;) {
        if (word != "&&") {
            command.push_back(word);
        } else {
            run();
        }
    }
    run();
}

}  // namespace

TEST_CASE("rights: what is taken away is named on /readyz, and used when it is back") {
    const auto ns = make_target_spaces();
    const Account account(ns);
    account.give();
    management().apply(pipeline({.ns = ns}));
    const Daemon daemon(ns, {.kubeconfig = account.kubeconfig()});
    REQUIRE(is_ready(ns));
    REQUIRE(daemon.ready());
    account.take();
    // Its watches go on while they are open; what it writes is refused.
    const auto told = [&] { return daemon.health("/readyz?verbose").body; };
    int revision = 0;
    CHECK(eventually([&] {
        runs(management(), ns, "1.0." + std::to_string(++revision));
        return told().find("[!] status: degraded: cannot patch") != std::string::npos;
    }));
    CHECK(daemon.ready());
    account.give();
    const std::string last = "\"1.0." + std::to_string(revision) + "\"";
    CHECK(eventually([&] { return target(ns, "revision") == last; }));
    CHECK(eventually([&] { return told().find("[+] status") != std::string::npos; }));
}

TEST_CASE("rights: with `namespaces` those of its and of the targets' namespaces are enough") {
    const auto ns = make_target_spaces();
    const Account account(ns);
    account.give_in(ns);
    account.give_in(ns + "-prod");
    management().apply(pipeline({.ns = ns, .promotion = kNotify}));
    management().apply(pipeline({.ns = ns, .name = "far", .dev_cluster = "nowhere"}));
    const Daemon daemon(ns, {.kubeconfig = account.kubeconfig()});
    REQUIRE(is_ready(ns));
    CHECK(eventually([&] {
        return json::serialize(status_of(ns, "far")).find("nowhere\\\" not found") !=
               std::string::npos;
    }));
    runs(management(), ns, "1.0.0");
    CHECK(eventually([&] { return daemon.promoted().size() == 1; }));
    const auto told = daemon.health("/readyz?verbose").body;
    INFO(told);
    CHECK(told.find("[!] watch") == std::string::npos);
}

TEST_CASE("rights: a target's namespace without any is told of, with what grants them") {
    const auto ns = make_target_spaces();
    const Account account(ns);
    account.give_in(ns);
    management().apply(pipeline({.ns = ns}));
    const Daemon daemon(ns, {.kubeconfig = account.kubeconfig()});
    const std::string words =
        "cannot list resource \\\"helmreleases\\\" in API group "
        "\\\"helm.toolkit.fluxcd.io\\\" in the namespace \\\"" +
        ns + "-prod";
    CHECK(eventually(
        [&] { return json::serialize(status_of(ns)).find(words) != std::string::npos; }));
    const auto error = std::string(
        status_of(ns).at("environments").at("prod").at("targets").at(0).at("error").as_string());
    run_commands_of(error);
    CHECK(eventually([&] { return condition(ns, "Ready") == "True ReconciliationSucceeded"; }));
}

TEST_CASE("rights: a Secret that may not be read says who lacks which right, and what grants it") {
    const auto ns = make_target_spaces();
    const Account account(ns);
    account.give_in(ns, make_role_without_secrets(ns));
    account.give_in(ns + "-prod");
    management().must(
        {"create", "secret", "generic", "hook", "-n", ns, "--from-literal=token=0123456789"});
    const Daemon daemon(ns, {.kubeconfig = account.kubeconfig(), .kubernetes = "tokens: false"});
    management().apply(pipeline({.ns = ns,
                                 .promotion = "{webhook: {url: '" + daemon.receiver.url("/hook") +
                                              "', secretRef: {name: hook}}}"}));
    REQUIRE(is_ready(ns));
    runs(management(), ns, "1.0.0");
    const auto last = [&](const char* member) -> std::string {
        const auto status = json::serialize(status_of(ns));
        if (status.find("lastPromotion") == std::string::npos) return "";
        return std::string(json::parse(status)
                               .at("environments")
                               .at("prod")
                               .at("lastPromotion")
                               .at(member)
                               .as_string());
    };
    const std::string words = "User \"system:serviceaccount:" + ns +
                              ":promotiond\" cannot get resource \"secrets\" in API group \"\" in "
                              "the namespace \"" +
                              ns + "\"";
    REQUIRE(eventually([&] { return last("reason").find(words) != std::string::npos; }));
    const auto why = daemon.get("/api/v1/pipelines/" + ns + "/app/why").body;
    INFO(why);
    CHECK(why.find("cannot get resource") != std::string::npos);
    CHECK(why.find("kubectl create role promotiond-secrets -n " + ns) != std::string::npos);
    run_commands_of(last("reason"));
    CHECK(eventually([&] { return last("phase") == "Succeeded"; }));
    CHECK(daemon.receiver.requests().size() == 1);
}
