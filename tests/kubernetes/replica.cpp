#include "tests/kubernetes/replica.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "tests/kubernetes/eventually.hpp"

namespace promotiond::tests {
namespace {

const std::string kToken = "0123456789abcdef-replicas";

net::Response ask(const std::string& method, const std::string& url, const std::string& body = {},
                  net::Headers headers = {}) {
    Metrics metrics;
    net::HttpClient http({}, metrics);
    net::Request request;
    request.method = method;
    request.url = url;
    request.body = body;
    request.headers = std::move(headers);
    auto answer = http.send(request);
    auto* response = std::get_if<net::Response>(&answer);
    return response == nullptr ? net::Response{} : std::move(*response);
}

}  // namespace

Replica::Replica(const Cluster& cluster, const std::string& space, const ReplicaOptions& options)
    : log_(folder_.path() / "log") {
    namespace fs = std::filesystem;
    fs::create_directory(folder_.path() / "strategies");
    fs::copy(PROMOTIOND_BUILD "/strategies/" + options.strategy + ".so",
             folder_.path() / "strategies");
    std::ofstream(folder_.path() / "token") << kToken;
    fs::permissions(folder_.path() / "token", fs::perms::owner_read | fs::perms::owner_write);
    const auto journal =
        options.journal.empty() ? folder_.path() / "state/journal.db" : options.journal;
    std::ofstream config(folder_.path() / "promotiond.yaml");
    config << "server: {listen: 127.0.0.1:0, health: 127.0.0.1:0, " << options.server
           << ", tokens: [{name: ci, scope: operate, file: token}]}\n"
           << "journal: {path: " << journal.native() << "}\n"
           << "cache: {directory: cache}\n"
           << "strategies: {directory: strategies}\n"
           << "platform:\n  kubernetes:\n    kubeconfig: " << cluster.kubeconfig_file().native()
           << "\n    namespaces: [" << space << "]\n    applications: false"
           << "\n    leaderElection: {enabled: true, namespace: " << space << options.lease
           << "}\n";
    if (!options.promotions.empty()) config << "promotions: " << options.promotions << "\n";
    config.close();
    program_ = Program({PROMOTIOND_BUILD "/bin/promotiond", "--config",
                        (folder_.path() / "promotiond.yaml").native()},
                       log_);
    const bool up = eventually([this] { return !field("listen").empty() || !program_.running(); });
    if (!up || (field("listen").empty() && options.journal.empty())) {
        throw std::runtime_error("the replica does not listen:\n" + log());
    }
}

std::string Replica::log() const {
    std::ifstream in(log_);
    return {std::istreambuf_iterator<char>(in), {}};
}

bool Replica::says(const std::string& id) const {
    return log().find("id=" + id) != std::string::npos;
}

bool Replica::leads() const { return measures("promotiond_leader 1") && ready(); }

bool Replica::ready() const {
    return ask("GET", "http://" + field("health") + "/readyz").code == 200;
}

bool Replica::measures(const std::string& line) const {
    const auto all = ask("GET", "http://" + field("health") + "/metrics").body;
    return all.find("\n" + line + "\n") != std::string::npos;
}

std::string Replica::url() const { return "http://" + field("listen"); }

net::Response Replica::get(const std::string& path) const {
    return ask("GET", url() + path, {}, {{"Authorization", "Bearer " + kToken}});
}

net::Response Replica::post(const std::string& path, const std::string& body,
                            net::Headers headers) const {
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    return ask("POST", url() + path, body, std::move(headers));
}

Output Replica::promotionctl(std::vector<std::string> words) const {
    words.insert(words.begin(), PROMOTIOND_BUILD "/bin/promotionctl");
    for (const auto& word : {std::string("--server"), url(), std::string("--token-file"),
                             (folder_.path() / "token").native()}) {
        words.push_back(word);
    }
    return run(words);
}

std::string Replica::field(const std::string& name) const {
    const auto text = log();
    const auto line = text.find("id=PROMO-0002");
    const auto at = line == std::string::npos ? line : text.find(" " + name + "=", line);
    if (at == std::string::npos) return {};
    const auto from = at + name.size() + 2;
    return text.substr(from, text.find_first_of(" \n", from) - from);
}

}  // namespace promotiond::tests
