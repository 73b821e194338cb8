#include "tests/kubernetes/cluster.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/kubernetes/eventually.hpp"

namespace promotiond::tests {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kStartMost = 240s;  // on a machine that is busy with other tests
constexpr auto kPollEvery = 20ms;
constexpr int kPortTries = 3;

fs::path assets_directory() {
    if (const char* set = std::getenv("KUBEBUILDER_ASSETS"); set != nullptr && *set != '\0')
        return set;
    const char* cache = std::getenv("PROMOTIOND_CACHE");
    const char* home = std::getenv("HOME");
    const fs::path root = cache != nullptr && *cache != '\0'
                              ? fs::path(cache)
                              : fs::path(home != nullptr ? home : "/root") / ".cache/promotiond";
    return root / "kubernetes" / KUBERNETES_VERSION;
}

bool is_free(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return bound;
}

// None of those that connections get (ip_local_port_range of ip(7)): while the server is away for a
// restart, any connection of this machine could take its port, even one that is meant for it. A
// server of another test may take it before ours does; then the start is repeated.
std::uint16_t free_port() {
    constexpr int kLeast = 10'000;
    constexpr int kTries = 1'000;
    int first = 32'768;
    std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first;
    static std::minstd_rand lot{std::random_device{}()};
    std::uniform_int_distribution<int> ports(kLeast, std::max(first, kLeast + 1) - 1);
    for (int i = 0; i < kTries; ++i) {
        const auto port = static_cast<std::uint16_t>(ports(lot));
        if (is_free(port)) return port;
    }
    throw std::runtime_error("no free port on loopback");
}

void write(const fs::path& file, std::string_view text) {
    std::ofstream(file) << text;
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
}

std::string read(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string loopback(std::string_view scheme, std::uint16_t port) {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(port);
}

// Metadata of every request once it is answered; a watch is a request that goes on after that.
constexpr std::string_view kAuditPolicy = R"(apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
)";

net::Request bearing(const std::string& token, const std::string& url) {
    net::Request request;
    request.url = url;
    request.headers = {{"Authorization", "Bearer " + token}};
    return request;
}

std::string last_words(const fs::path& log) {
    constexpr std::size_t kMost = 2'000;
    const std::string text = read(log);
    return text.size() < kMost ? text : text.substr(text.size() - kMost);
}

net::HttpClient::Options patient() {
    net::HttpClient::Options options;
    options.timeout = 30s;
    return options;
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
    std::string name = (fs::temp_directory_path() / "promotiond-kubernetes-XXXXXX").native();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

Cluster::Cluster(ClusterOptions options)
    : options_(std::move(options)), assets_(assets_directory()), http_(patient(), metrics_) {
    for (const char* program : {"kube-apiserver", "etcd", "kubectl"})
        if (!fs::exists(assets_ / program))
            throw std::runtime_error((assets_ / program).native() +
                                     " is missing; tests/kubernetes/setup gets it");
    const Identity server = authority_.server();
    write(directory_.path() / "server.pem", server.certificate);
    write(directory_.path() / "server.key", server.key);
    const Identity tokens = authority_.server();  // signs ServiceAccounts' tokens
    write(directory_.path() / "tokens.pem", tokens.certificate);
    write(directory_.path() / "tokens.key", tokens.key);
    write(ca_file(), ca_pem());
    write(directory_.path() / "audit.yaml", kAuditPolicy);
    for (int tries = 1; port_ == 0; ++tries) {
        start_etcd();
        port_ = free_port();
        try {
            start();
        } catch (const std::runtime_error&) {
            if (tries == kPortTries) throw;
            port_ = 0;
        }
    }
}

Cluster::~Cluster() {
    api_server_.kill();  // nothing of theirs is needed any more
    etcd_.kill();
}

Cluster& Cluster::shared() {
    static Cluster cluster;
    return cluster;
}

std::string Cluster::url() const { return loopback("https", port_); }

fs::path Cluster::kubeconfig_file() const { return directory_.path() / "kubeconfig"; }

std::string Cluster::kubeconfig(std::string_view token, std::string_view server) const {
    return "apiVersion: v1\nkind: Config\ncurrent-context: test\n"
           "clusters: [{name: test, cluster: {server: '" +
           (server.empty() ? url() : std::string(server)) + "', certificate-authority: '" +
           ca_file().native() +
           "'}}]\n"
           "users: [{name: test, user: {token: '" +
           std::string(token) +
           "'}}]\n"
           "contexts: [{name: test, context: {cluster: test, user: test}}]\n";
}

Identity Cluster::client(const std::string& user, const std::string& group) {
    return authority_.client(user, group);
}

Output Cluster::kubectl(const std::vector<std::string>& words, const std::string& input) const {
    std::vector<std::string> all{(assets_ / "kubectl").native()};
    all.insert(all.end(), words.begin(), words.end());
    return run(all, input,
               {"KUBECONFIG=" + kubeconfig_file().native(), "HOME=" + directory_.path().native()});
}

Output Cluster::helm(const std::vector<std::string>& words) const {
    const auto ours = assets_ / "helm";
    std::vector<std::string> all{fs::exists(ours) ? ours.native() : "helm"};
    all.insert(all.end(), words.begin(), words.end());
    return run(all, {},
               {"KUBECONFIG=" + kubeconfig_file().native(), "HOME=" + directory_.path().native()});
}

std::string Cluster::must(const std::vector<std::string>& words, const std::string& input) const {
    Output output = kubectl(words, input);
    if (output.code == 0) return std::move(output.out);
    std::string line = "kubectl";
    for (const auto& word : words) line += " " + word;
    throw std::runtime_error(line + ": " + output.err);
}

void Cluster::apply(const std::string& documents) const {
    must({"apply", "--server-side", "--force-conflicts", "-f", "-"}, documents);
    if (documents.find("kind: CustomResourceDefinition") == std::string::npos) return;
    const std::vector<std::string> wait{"wait", "--for=condition=Established", "--timeout=180s",
                                        "-f", "-"};
    // kubectl cannot wait for a status that has no conditions at all yet.
    (void)eventually([&] {
        return kubectl(wait, documents).err.find(".status.conditions accessor") ==
               std::string::npos;
    });
    must(wait, documents);
    // Established is said before all parts of the server know the kind.
    std::istringstream made(must({"get", "-f", "-", "-o", "name"}, documents));
    for (std::string line; std::getline(made, line);) {
        if (!line.starts_with("customresourcedefinition")) continue;
        const auto name = line.substr(line.find('/') + 1);
        if (!eventually([&] { return kubectl({"get", name}).code == 0; }))
            throw std::runtime_error("kubectl does not come to know " + name);
    }
}

void Cluster::apply_file(const fs::path& file) const {
    if (!fs::exists(file)) throw std::runtime_error("there is no file " + file.native());
    apply(read(file));
}

std::string Cluster::make_namespace(const std::string& prefix) {
    const std::string name = prefix + "-" + std::to_string(++namespaces_);
    const std::string meta = R"({"apiVersion":"v1","metadata":{"name":")";
    send("POST", "/api/v1/namespaces", meta + name + R"("},"kind":"Namespace"})");
    send("POST", "/api/v1/namespaces/" + name + "/serviceaccounts",
         meta + R"(default"},"kind":"ServiceAccount"})");
    return name;
}

std::string Cluster::service_account_token(const std::string& space,
                                           const std::string& name) const {
    std::string token = must({"create", "token", name, "-n", space, "--duration=1h"});
    while (!token.empty() && token.back() == '\n') token.pop_back();
    return token;
}

net::Response Cluster::send(const std::string& method, const std::string& path,
                            const std::string& body, const std::string& content_type) const {
    net::Request request = bearing(admin_token_, url() + path);
    request.method = method;
    request.headers.emplace_back("Content-Type", content_type);
    request.body = body;
    request.ca_pem = ca_pem();
    auto answer = http_.send(request);
    if (const auto* error = std::get_if<net::HttpError>(&answer))
        throw std::runtime_error(method + " " + path + ": " + error->message);
    return std::get<net::Response>(std::move(answer));
}

std::vector<ApiRequest> Cluster::requests() const {
    return read_audit_log(directory_.path() / "audit.log");
}

std::size_t Cluster::count(std::string_view verb, std::string_view resource,
                           std::string_view user) const {
    const auto all = requests();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& each) {
        return each.verb == verb && each.resource == resource &&
               (user.empty() || each.user == user);
    }));
}

void Cluster::stop() { api_server_.stop(); }

void Cluster::restart() {
    stop();
    start();
}

void Cluster::start() {
    write_files();
    const auto file = [this](const char* name) { return (directory_.path() / name).native(); };
    std::vector<std::string> words{
        (assets_ / "kube-apiserver").native(), "--etcd-servers=" + loopback("http", etcd_port_),
        "--etcd-compaction-interval=0",  // tests forget the past when they mean to
        "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none", "--secure-port=" + std::to_string(port_),
        "--tls-cert-file=" + file("server.pem"), "--tls-private-key-file=" + file("server.key"),
        "--client-ca-file=" + ca_file().native(), "--token-auth-file=" + file("tokens.csv"),
        "--authorization-mode=RBAC",
        // It would refuse pods until a controller has made their namespace's ServiceAccount.
        "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=" + file("tokens.pem"),
        "--service-account-signing-key-file=" + file("tokens.key"),
        "--service-cluster-ip-range=10.0.0.0/24", "--audit-policy-file=" + file("audit.yaml"),
        "--audit-log-path=" + file("audit.log"), "--shutdown-delay-duration=0s",
        "--profiling=false"};
    words.insert(words.end(), options_.flags.begin(), options_.flags.end());
    api_server_ = Program(words, directory_.path() / "kube-apiserver.log");
    const auto deadline = std::chrono::steady_clock::now() + kStartMost;
    while (!ready()) {
        const bool runs = api_server_.running() && etcd_.running();
        if (runs && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(kPollEvery);
            continue;
        }
        api_server_.kill();
        throw std::runtime_error("kube-apiserver does not become ready: " +
                                 last_words(directory_.path() / "kube-apiserver.log") +
                                 last_words(directory_.path() / "etcd.log"));
    }
}

void Cluster::forget_past() {
    compact();
    restart();
}

void Cluster::compact() const {
    // etcd's own gateway from JSON: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
    const auto ask = [this](const std::string& path, const std::string& body) {
        net::Request request;
        request.method = "POST";
        request.url = loopback("http", etcd_port_) + path;
        request.body = body;
        const auto answer = http_.send(request);
        const auto* response = std::get_if<net::Response>(&answer);
        if (response == nullptr || response->code != 200)
            throw std::runtime_error("etcd refuses " + path);
        return boost::json::parse(response->body);
    };
    const auto status = ask("/v3/maintenance/status", "{}");
    const std::string revision(status.at("header").at("revision").as_string().c_str());
    ask("/v3/kv/compaction", R"({"physical":true,"revision":")" + revision + R"("})");
}

void Cluster::write_files() {
    std::string tokens = admin_token_ + ",administrator,administrator,system:masters\n";
    for (const auto& user : options_.users) {
        tokens += user.token + "," + user.name + "," + user.name + ",\"";
        for (const auto& group : user.groups)
            tokens += group + (&group == &user.groups.back() ? "" : ",");
        tokens += "\"\n";
    }
    write(directory_.path() / "tokens.csv", tokens);
    write(kubeconfig_file(), kubeconfig(admin_token_));
}

void Cluster::start_etcd() {
    etcd_port_ = free_port();
    const std::string client = loopback("http", etcd_port_);
    const std::string peer = loopback("http", free_port());
    const auto data = directory_.path() / "etcd";
    etcd_.kill();
    fs::remove_all(data);
    etcd_ = Program({(assets_ / "etcd").native(), "--name=test", "--data-dir=" + data.native(),
                     "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
                     "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
                     "--initial-cluster=test=" + peer, "--logger=zap", "--log-level=warn"},
                    directory_.path() / "etcd.log");
}

bool Cluster::ready() const {
    net::Request request = bearing(admin_token_, url() + "/readyz");
    request.timeout = 5s;
    request.ca_pem = ca_pem();
    const auto answer = http_.send(request);
    const auto* response = std::get_if<net::Response>(&answer);
    return response != nullptr && response->code == 200;
}

}  // namespace promotiond::tests
