// Cluster: the real kube-apiserver over the real etcd, on loopback, for one test program.
//
// It is an API server and nothing else: no controllers, no scheduler, no nodes. So what the API
// server itself does is real (validation, CRDs, RBAC, watches, tokens, audit), while a Deployment
// makes no pods, and a deleted namespace stays Terminating: take a new namespace for each test.
// Programs come from tests/kubernetes/setup. Everything else is temporary: certificates, ports,
// the database, the kubeconfig of the administrator.
//
// Thread-safety: send() and requests() from any thread; the rest from the thread that made it, with
// which the programs die. Failure throws std::runtime_error with the server's last words.
#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.hpp"
#include "net/http_client.hpp"
#include "tests/kubernetes/api_request.hpp"
#include "tests/kubernetes/authority.hpp"
#include "tests/kubernetes/program.hpp"

namespace promotiond::tests {

// Who a bearer token stands for.
struct User {
    std::string token;
    std::string name;
    std::vector<std::string> groups = {};
};

// Goes with all that is in it.
class ScratchDirectory {
public:
    ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    ~ScratchDirectory();
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

struct ClusterOptions {
    // More bearer tokens than the administrator's.
    std::vector<User> users = {};
    // More or other flags; the last of a name wins.
    std::vector<std::string> flags = {};
};

class Cluster {
public:
    explicit Cluster(ClusterOptions options = {});
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;
    ~Cluster();

    // The one that tests of a program share, started at first use.
    static Cluster& shared();

    [[nodiscard]] std::string url() const;  // https://127.0.0.1:<port>
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] const std::string& admin_token() const noexcept { return admin_token_; }
    [[nodiscard]] const std::string& ca_pem() const noexcept { return authority_.pem(); }
    [[nodiscard]] std::filesystem::path ca_file() const { return directory_.path() / "ca.pem"; }
    // Of the administrator.
    [[nodiscard]] std::filesystem::path kubeconfig_file() const;
    // With one context, "test"; any server URL, for a proxy in between.
    [[nodiscard]] std::string kubeconfig(std::string_view token,
                                         std::string_view server = {}) const;
    // A client certificate that the server accepts.
    [[nodiscard]] Identity client(const std::string& user, const std::string& group = {});

    // The administrator's kubectl.
    [[nodiscard]] Output kubectl(const std::vector<std::string>& words,
                                 const std::string& input = {}) const;
    // Throws with kubectl's words if it fails; else its output.
    std::string must(const std::vector<std::string>& words, const std::string& input = {}) const;
    // helm, from where kubectl is or, with programs of one's own, from the path.
    [[nodiscard]] Output helm(const std::vector<std::string>& words) const;
    // Applies documents (server side) or a file; CRDs are waited for until they are served.
    void apply(const std::string& documents) const;
    void apply_file(const std::filesystem::path& file) const;
    // A namespace that no other test has, with its ServiceAccount "default".
    [[nodiscard]] std::string make_namespace(const std::string& prefix = "test");
    // A token of a ServiceAccount, good for 1 h or until some ten seconds after the account is
    // deleted: so long the server remembers a token that was good.
    [[nodiscard]] std::string service_account_token(const std::string& space,
                                                    const std::string& name) const;

    // One request as the administrator, in milliseconds where kubectl needs a tenth of a second.
    net::Response send(const std::string& method, const std::string& path,
                       const std::string& body = {},
                       const std::string& content_type = "application/json") const;

    // Requests so far, in order. A watch counts once, when it is answered. The line of a request
    // may come a moment after its answer: ask again until a deadline.
    [[nodiscard]] std::vector<ApiRequest> requests() const;
    [[nodiscard]] std::size_t count(std::string_view verb, std::string_view resource,
                                    std::string_view user = {}) const;

    // Of the API server: stop and start() on the same port and database; pause() stops it in the
    // middle of whatever it does, connections stay open.
    void stop();
    void start();
    void restart();
    void pause() { api_server_.signal(SIGSTOP); }
    void resume() { api_server_.signal(SIGCONT); }
    // From the next start on.
    void set_users(std::vector<User> users) { options_.users = std::move(users); }
    // Compacts the database and restarts, so that no memory is left either: every `continue` token
    // and every resourceVersion from before answers 410 Gone.
    void forget_past();

private:
    void write_files();
    void start_etcd();
    void compact() const;
    [[nodiscard]] bool ready() const;

    ClusterOptions options_;
    std::filesystem::path assets_;
    ScratchDirectory directory_;
    Authority authority_;
    std::string admin_token_ = "administrator";
    std::uint16_t port_ = 0;
    std::uint16_t etcd_port_ = 0;
    int namespaces_ = 0;
    mutable Metrics metrics_;
    mutable net::HttpClient http_;
    Program etcd_;
    Program api_server_;
};

}  // namespace promotiond::tests
