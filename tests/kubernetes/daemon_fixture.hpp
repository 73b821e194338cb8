// A running promotiond on a real API server, and the objects that its tests make and look at.
//
// Thread-safety: none but the cluster's own.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "net/http_client.hpp"
#include "tests/kubernetes/cluster.hpp"
#include "tests/kubernetes/eventually.hpp"
#include "tests/simulators/http_server.hpp"

namespace promotiond::tests {

// The program's shared cluster, with the kinds that the daemon reads.
[[nodiscard]] Cluster& management();

struct DaemonOptions {
    bool applications = true;
    std::string kubeconfig = {};  // text; empty = the administrator's
    std::string server = {};      // more keys of `server`: "unsignedEvents: allow"
    std::string kubernetes = {};  // more keys of `platform.kubernetes`
    std::string config = {};      // more lines
    std::vector<simulators::ScriptedAnswer> receives = {simulators::whole(202, "")};
};

// A daemon that sees one namespace (empty: all); what it promotes arrives at the receiver.
class Daemon {
public:
    explicit Daemon(std::string ns, const DaemonOptions& options = {});
    // Shows the log where a promise was broken.
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    void start();
    void kill() { program_.kill(); }
    [[nodiscard]] bool running() { return program_.running(); }
    [[nodiscard]] std::string log() const;
    // How many lines of the log have the text.
    [[nodiscard]] std::size_t lines_with(const std::string& text) const;
    // The messages of the events that arrived.
    [[nodiscard]] std::vector<std::string> promoted() const;

    // Of its HTTP server, once it listens; a connection of its own each.
    [[nodiscard]] net::Response ask(const std::string& method, const std::string& path,
                                    const std::string& body = {},
                                    const net::Headers& headers = {}) const;
    [[nodiscard]] net::Response get(const std::string& path, const std::string& token = {}) const;
    // Of its health port.
    [[nodiscard]] net::Response health(const std::string& path) const;
    [[nodiscard]] bool ready() const { return health("/readyz").code == 200; }

    simulators::HttpServer receiver;

private:
    [[nodiscard]] std::string address(const std::string& which) const;

    ScratchDirectory directory_;
    std::size_t begun_ = 0;  // bytes of the log when it was started last
    mutable Metrics metrics_;
    mutable net::HttpClient http_;
    Program program_;
};

// A namespace and, beside it, <namespace>-prod.
[[nodiscard]] std::string make_spaces(Cluster& cluster);

// A Pipeline "app" of two environments, dev and prod; dev's target perhaps on another cluster.
struct PipelineText {
    std::string ns;
    std::string name = "app";
    std::string kind = "HelmRelease";
    std::string version = "helm.toolkit.fluxcd.io/v2";
    std::string dev_cluster = {};
    std::string promotion = {};  // YAML in one line
};
[[nodiscard]] std::string pipeline(const PipelineText& text);
// To be promoted by notification, which arrives at a daemon's receiver.
inline constexpr const char* kNotify = "{strategy: {notification: {}}}";

void make_application(const Cluster& cluster, const std::string& ns,
                      const std::string& kind = "HelmRelease", const std::string& version = "v2");
// As make_spaces(), with applications that run nothing yet in both namespaces of management().
[[nodiscard]] std::string make_target_spaces();
// As its controller would.
void runs(const Cluster& cluster, const std::string& ns, const std::string& revision,
          const std::string& kind = "HelmRelease");

void make_cluster(const std::string& ns, const std::string& name, const std::string& secret);
void make_cluster_ready(const std::string& ns, const std::string& name, bool ready);
// A kubeconfig as a Secret may hold it, without files: the token's, or the administrator's.
[[nodiscard]] std::string portable_kubeconfig(const Cluster& cluster,
                                              const std::string& token = {});

// Of the Pipeline: the object's status; empty if there is none.
[[nodiscard]] boost::json::object status_of(const std::string& ns, const std::string& name = "app");
// "True Reason", or nothing.
[[nodiscard]] std::string condition(const std::string& ns, const std::string& type,
                                    const std::string& name = "app");
// Waits for the Pipeline's Ready.
[[nodiscard]] bool is_ready(const std::string& ns, const std::string& name = "app");
// A member of the dev target's status, as JSON; empty if there is none.
[[nodiscard]] std::string target(const std::string& ns, const char* member);
// Reasons of the Events about the namespace's Pipelines whose note has the text, in the order of
// their making.
[[nodiscard]] std::vector<std::string> event_reasons(const std::string& ns,
                                                     const std::string& note = "");

}  // namespace promotiond::tests
