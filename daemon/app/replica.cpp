#include "app/replica.hpp"

#include <cstdlib>
#include <utility>

#include "app/passing_on.hpp"
#include "app/version.hpp"

namespace promotiond::app {
namespace {

using std::chrono::milliseconds;

net::HttpClient::Options client_options(const Config& config) {
    net::HttpClient::Options options;
    options.user_agent = std::string("promotiond/") + kVersion;
    options.ca_by_host = config.outbound.ca_by_host;
    options.connect_timeout = milliseconds{3'000};
    // A request may ask the leader to wait.
    options.timeout = config.server.wait_most + milliseconds{30'000};
    options.max_response_bytes = 64u << 20;
    return options;
}

Error no_leader(const std::string& why) {
    return {.kind = ErrorKind::Transient, .message = why + "; nothing was taken; send it again"};
}

// The leader may have taken it before it fell silent.
Error unanswered(const std::string& why) {
    return {.kind = ErrorKind::Transient,
            .message = why + "; send it again: what was taken already is not done twice"};
}

}  // namespace

Result<std::string> reachable_host(const std::string& listen_address) {
    const auto host = listen_address.substr(0, listen_address.rfind(':'));
    const char* pod = std::getenv("POD_IP");
    const bool any = host == "0.0.0.0" || host == "[::]";
    const bool here_alone = host.starts_with("127.") || host == "[::1]";
    if ((any && pod == nullptr) || (here_alone && pod != nullptr)) {
        return Error{ErrorKind::Invalid,
                     "the other replicas cannot tell how to reach " + listen_address +
                         ": listen on an address of the pod and have POD_IP in its environment, or "
                         "set platform.kubernetes.leaderElection.advertise"};
    }
    if (!any) return host;
    const std::string address = pod;
    return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

Replica::Replica(const Config& config, platform::KubeClient& client, Metrics& metrics)
    : options_(config.leader_election),
      tls_(config.server.tls.has_value()),
      client_(client),
      metrics_(metrics),
      http_(client_options(config), metrics),
      identity_(platform::lease_identity()) {}

Replica::~Replica() = default;

Result<void> Replica::start(const std::string& listen_address,
                            platform::LeaderCallbacks callbacks) {
    auto lease = options_.lease;
    lease.identity = identity_;
    lease.address = options_.advertise;
    if (lease.address.empty()) {
        auto host = reachable_host(listen_address);
        if (!host) return std::move(host).error();
        lease.address = (tls_ ? "https://" : "http://") + *host +
                        listen_address.substr(listen_address.rfind(':'));
    }
    callbacks.changed = [this] {
        auto over = std::exchange(*reign_.access(), std::stop_source());
        (void)over.request_stop();
    };
    owned_ = std::make_unique<platform::LeaderElector>(client_, clock_, metrics_, std::move(lease),
                                                       std::move(callbacks));
    elector_ = owned_.get();
    owned_->start();
    return {};
}

void Replica::stop() {
    if (owned_) owned_->stop();
}

bool Replica::may_act() const {
    const auto* elector = elector_.load();
    return elector != nullptr && elector->valid();
}

Result<std::string> Replica::leader_address() const {
    const auto* elector = elector_.load();
    const auto leader = elector == nullptr ? std::nullopt : elector->leader();
    if (!leader) return no_leader("no replica leads now");
    if (leader->identity == identity_) return no_leader("this replica leads and is not ready yet");
    if (leader->address.empty()) {
        return no_leader("the leader " + leader->identity + " tells no address");
    }
    return leader->address;
}

Result<void> Replica::ready() const {
    const auto address = leader_address();
    if (!address) return address.error();
    return {};
}

Result<http::Response> Replica::forward(const http::Request& request, const std::stop_token& stop) {
    if (serves_) return no_leader("this replica has just become the leader");
    // A leader that is paused takes connections and never answers: its successor ends the wait.
    std::stop_source over;
    const auto give_up = [&over] { (void)over.request_stop(); };
    const std::stop_callback when_stopping(stop, give_up);
    const std::stop_callback when_another(reign_.access()->get_token(), give_up);
    const auto address = leader_address();
    if (!address) return address.error();
    auto answer = http_.send(passed_on(request, *address), over.get_token());
    if (auto* response = std::get_if<net::Response>(&answer)) {
        return handed_back(std::move(*response));
    }
    const auto& error = std::get<net::HttpError>(answer);
    if (over.stop_requested()) return unanswered("the leader changed before it answered");
    return unanswered("the leader does not answer: " + error.message);
}

}  // namespace promotiond::app
