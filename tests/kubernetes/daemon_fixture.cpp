#include "tests/kubernetes/daemon_fixture.hpp"

#include <algorithm>
#include <exception>
#include <fstream>
#include <stdexcept>

#include "catch.hpp"
#include "tests/kubernetes/base64.hpp"

namespace promotiond::tests {
namespace {

namespace json = boost::json;

const std::string kSource = PROMOTIOND_SOURCE;
const std::string kBuild = PROMOTIOND_BUILD;

std::string group_of(const std::string& kind) {
    return kind == "HelmRelease" ? "helm.toolkit.fluxcd.io" : "kustomize.toolkit.fluxcd.io";
}

}  // namespace

Cluster& management() {
    static const bool prepared = [] {
        Cluster& cluster = Cluster::shared();
        cluster.apply_file(kSource + "/config/crd/pipelines.yaml");
        cluster.apply_file(kSource + "/tests/kubernetes/crds/applications.yaml");
        cluster.apply_file(kSource + "/tests/kubernetes/crds/gitopsclusters.yaml");
        return true;
    }();
    (void)prepared;
    return Cluster::shared();
}

Daemon::Daemon(std::string ns, const DaemonOptions& options)
    : receiver(options.receives), http_({}, metrics_) {
    auto kubeconfig = management().kubeconfig_file();
    if (!options.kubeconfig.empty()) {
        kubeconfig = directory_.path() / "kubeconfig";
        std::ofstream(kubeconfig) << options.kubeconfig;
    }
    const auto more = [](const std::string& keys) { return keys.empty() ? "" : ", " + keys; };
    std::ofstream(directory_.path() / "promotiond.yaml")
        << "server: {listen: 127.0.0.1:0, health: 127.0.0.1:0" << more(options.server) << "}\n"
        << "platform: {kubernetes: {kubeconfig: " << kubeconfig.native()
        << ", applications: " << (options.applications ? "true" : "false")
        << (ns.empty() ? "" : ", namespaces: [" + ns + "]") << more(options.kubernetes) << "}}\n"
        << "journal: {path: ./journal.db}\n"
        << "strategies: {directory: " << kBuild << "/strategies, settings: {notification-flux: "
        << "{address: \"" << receiver.url() << "\"}}}\n"
        << options.config;
    start();
}

Daemon::~Daemon() {
    program_.stop();
    if (std::uncaught_exceptions() > 0 || !Catch::getResultCapture().lastAssertionPassed())
        WARN(log());
}

void Daemon::start() {
    begun_ = log().size();
    program_ = Program(
        {kBuild + "/bin/promotiond", "--config", (directory_.path() / "promotiond.yaml").native()},
        directory_.path() / "log");
}

std::string Daemon::log() const {
    std::ifstream file(directory_.path() / "log");
    return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t Daemon::lines_with(const std::string& text) const {
    const auto all = log();
    std::size_t count = 0;
    for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at)) {
        ++count;
        at = std::min(all.find('\n', at), all.size());
    }
    return count;
}

std::vector<std::string> Daemon::promoted() const {
    std::vector<std::string> messages;
    for (const auto& request : receiver.requests()) {
        const auto body = request.find("\r\n\r\n");
        const auto event = json::parse(request.substr(body + 4));
        messages.emplace_back(event.at("message").as_string());
    }
    return messages;
}

std::string Daemon::address(const std::string& which) const {
    std::string found;
    const bool listens = eventually([&] {
        const auto text = log();
        const auto line = text.find("id=PROMO-0002", begun_);
        if (line == std::string::npos) return false;
        const auto at = text.find(which + "=", line) + which.size() + 1;
        found = text.substr(at, text.find_first_of(" \n", at) - at);
        return true;
    });
    if (!listens) throw std::runtime_error("the daemon does not listen: " + log());
    return "http://" + found;
}

net::Response Daemon::ask(const std::string& method, const std::string& path,
                          const std::string& body, const net::Headers& headers) const {
    net::Request request;
    request.method = method;
    request.url = address("listen") + path;
    request.body = body;
    request.headers = headers;
    const auto result = http_.send(request);
    if (const auto* error = std::get_if<net::HttpError>(&result))
        throw std::runtime_error(path + ": " + error->message);
    return std::get<net::Response>(result);
}

net::Response Daemon::get(const std::string& path, const std::string& token) const {
    if (token.empty()) return ask("GET", path);
    return ask("GET", path, {}, {{"Authorization", "Bearer " + token}});
}

net::Response Daemon::health(const std::string& path) const {
    net::Request request;
    request.url = address("health") + path;
    const auto result = http_.send(request);
    if (const auto* error = std::get_if<net::HttpError>(&result))
        throw std::runtime_error(path + ": " + error->message);
    return std::get<net::Response>(result);
}

std::string make_spaces(Cluster& cluster) {
    auto ns = cluster.make_namespace();
    cluster.must({"create", "namespace", ns + "-prod"});
    return ns;
}

std::string pipeline(const PipelineText& text) {
    const std::string reference =
        text.dev_cluster.empty()
            ? ""
            : ", clusterRef: {kind: GitopsCluster, name: " + text.dev_cluster + "}";
    return "apiVersion: pipelines.weave.works/v1alpha1\nkind: Pipeline\nmetadata: {name: " +
           text.name + ", namespace: " + text.ns +
           "}\nspec:\n  appRef: {apiVersion: " + text.version + ", kind: " + text.kind +
           ", name: app}\n" +
           (text.promotion.empty() ? "" : "  promotion: " + text.promotion + "\n") +
           "  environments:\n  - {name: dev, targets: [{namespace: " + text.ns + reference +
           "}]}\n  - {name: prod, targets: [{namespace: " + text.ns + "-prod}]}\n";
}

void make_application(const Cluster& cluster, const std::string& ns, const std::string& kind,
                      const std::string& version) {
    cluster.apply("apiVersion: " + group_of(kind) + "/" + version + "\nkind: " + kind +
                  "\nmetadata: {name: app, namespace: " + ns + "}\nspec: {}\n");
}

std::string make_target_spaces() {
    auto ns = make_spaces(management());
    make_application(management(), ns);
    make_application(management(), ns + "-prod");
    return ns;
}

void runs(const Cluster& cluster, const std::string& ns, const std::string& revision,
          const std::string& kind) {
    const bool helm = kind == "HelmRelease";
    const std::string where = "/apis/" + group_of(kind) + (helm ? "/v2" : "/v1") + "/namespaces/" +
                              ns + "/" + (helm ? "helmreleases" : "kustomizations") + "/app/status";
    const std::string ready = R"("conditions":[{"type":"Ready","status":"True"}])";
    const std::string what =
        helm ? R"("history":[{"chartVersion":")" + revision + R"(","status":"deployed"}])"
             : R"("lastAppliedRevision":")" + revision + "\"";
    const auto answer = cluster.send("PATCH", where, "{\"status\":{" + ready + "," + what + "}}",
                                     "application/merge-patch+json");
    INFO(answer.body);
    REQUIRE(answer.code == 200);
}

json::object status_of(const std::string& ns, const std::string& name) {
    const auto answer = management().send(
        "GET", "/apis/pipelines.weave.works/v1alpha1/namespaces/" + ns + "/pipelines/" + name);
    const auto object = json::parse(answer.body);
    const auto* status = object.as_object().if_contains("status");
    return status == nullptr || !status->is_object() ? json::object() : status->as_object();
}

std::string condition(const std::string& ns, const std::string& type, const std::string& name) {
    const auto status = status_of(ns, name);
    const auto* list = status.if_contains("conditions");
    if (list == nullptr || !list->is_array()) return "";
    for (const auto& each : list->as_array()) {
        if (each.at("type") != json::value(type)) continue;
        return std::string(each.at("status").as_string()) + " " +
               std::string(each.at("reason").as_string());
    }
    return "";
}

bool is_ready(const std::string& ns, const std::string& name) {
    return eventually(
        [&] { return condition(ns, "Ready", name) == "True ReconciliationSucceeded"; });
}

std::string target(const std::string& ns, const char* member) {
    const auto status = status_of(ns);
    const auto* all = status.if_contains("environments");
    if (all == nullptr || !all->is_object()) return "";
    const auto* dev = all->as_object().if_contains("dev");
    const auto* targets = dev == nullptr ? nullptr : dev->as_object().if_contains("targets");
    if (targets == nullptr || targets->as_array().empty()) return "";
    const auto* found = targets->as_array()[0].as_object().if_contains(member);
    return found == nullptr ? "" : json::serialize(*found);
}

std::vector<std::string> event_reasons(const std::string& ns, const std::string& note) {
    const auto answer =
        management().send("GET", "/apis/events.k8s.io/v1/namespaces/" + ns + "/events");
    std::vector<std::pair<std::string, std::string>> found;
    const auto list = json::parse(answer.body);
    for (const auto& item : list.at("items").as_array()) {
        const std::string text(item.at("note").as_string());
        if (text.find(note) == std::string::npos) continue;
        found.emplace_back(item.at("eventTime").as_string(), item.at("reason").as_string());
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> reasons;
    for (auto& [time, reason] : found) reasons.push_back(std::move(reason));
    return reasons;
}

std::string portable_kubeconfig(const Cluster& cluster, const std::string& token) {
    std::string text = cluster.kubeconfig(token.empty() ? cluster.admin_token() : token);
    const std::string file = "certificate-authority: '" + cluster.ca_file().native() + "'";
    const auto at = text.find(file);
    REQUIRE(at != std::string::npos);
    return text.replace(at, file.size(),
                        "certificate-authority-data: " + base64_of(cluster.ca_pem()));
}

void make_cluster_ready(const std::string& ns, const std::string& name, bool ready) {
    const auto answer =
        management().send("PATCH",
                          "/apis/gitops.weave.works/v1alpha1/namespaces/" + ns +
                              "/gitopsclusters/" + name + "/status",
                          std::string(R"({"status":{"conditions":[{"type":"Ready","status":")") +
                              (ready ? "True" : "False") + "\"}]}}",
                          "application/merge-patch+json");
    REQUIRE(answer.code == 200);
}

void make_cluster(const std::string& ns, const std::string& name, const std::string& secret) {
    management().apply(
        "apiVersion: gitops.weave.works/v1alpha1\nkind: GitopsCluster\nmetadata: "
        "{name: " +
        name + ", namespace: " + ns + "}\nspec: {secretRef: {name: " + secret + "}}\n");
}

}  // namespace promotiond::tests
