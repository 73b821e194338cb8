#include "platform/kube_credentials.hpp"

#include <chrono>
#include <mutex>
#include <optional>

#include "base/log.hpp"
#include "platform/kube_exec.hpp"
#include "platform/kube_files.hpp"

namespace promotiond::platform {
namespace {

constexpr std::chrono::seconds kPluginTimeout{30};
// A credential is given up before it ends, or a long way to the server would see it expired.
constexpr std::chrono::seconds kEarly{10};

// A KubeText that is read when it is needed.
class Source {
public:
    explicit Source(KubeText text) : text_(std::move(text.text)) {
        if (text_.empty() && !text.file.empty()) file_.emplace(std::move(text.file));
    }
    Result<Secret> text() { return file_ ? file_->text() : text_.duplicate(); }
    void forget() {
        if (file_) file_->forget();
    }

private:
    Secret text_;
    std::optional<WatchedText> file_;
};

// Tokens in files often end with a line break, which no header may hold.
Secret trimmed(const Secret& token) {
    auto text = token.reveal();
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
        text.remove_suffix(1);
    return Secret(text);
}

}  // namespace

class KubeCredentials::State {
public:
    State(KubeConfig config, const Clock& clock)
        : config_(std::move(config)),
          clock_(clock),
          ca_(std::move(config_.ca)),
          token_(std::move(config_.token)),
          certificate_(std::move(config_.client_certificate)),
          key_(std::move(config_.client_key)) {}

    Result<KubeIdentity> current(std::stop_token stop) {
        KubeIdentity identity;
        auto ca = ca_.text();
        if (!ca) return std::move(ca).error();
        identity.ca_pem = ca->reveal();
        if (config_.exec) {
            if (auto given = from_plugin(identity, std::move(stop)); !given)
                return std::move(given).error();
        }
        return from_files(std::move(identity));
    }

    void refused() {
        for (Source* source : {&ca_, &token_, &certificate_, &key_}) source->forget();
        const std::lock_guard held(plugin_);
        kept_.reset();
    }

    [[nodiscard]] const KubeConfig& config() const { return config_; }

private:
    // What stands in the kubeconfig wins over what its plugin gives.
    Result<KubeIdentity> from_files(KubeIdentity identity) {
        auto token = token_.text();
        if (!token) return std::move(token).error();
        if (!token->empty()) {
            identity.token = trimmed(*token);
            log::redact(identity.token.reveal());
        }
        auto certificate = certificate_.text();
        if (!certificate) return std::move(certificate).error();
        auto key = key_.text();
        if (!key) return std::move(key).error();
        if (!key->empty()) {
            identity.client_certificate_pem = certificate->reveal();
            identity.client_key_pem = std::move(*key);
        }
        return identity;
    }

    Result<void> from_plugin(KubeIdentity& identity, std::stop_token stop) {
        const std::lock_guard held(plugin_);
        const bool expired = kept_ && kept_->expires && *kept_->expires - kEarly <= clock_.now();
        if (!kept_ || expired) {
            auto made =
                run_exec_plugin(*config_.exec, config_.server, kPluginTimeout, std::move(stop));
            if (!made) return std::move(made).error();
            log::redact(made->token.reveal());
            kept_.emplace(std::move(*made));
        }
        identity.token = kept_->token.duplicate();
        identity.client_certificate_pem = kept_->client_certificate_pem.reveal();
        identity.client_key_pem = kept_->client_key_pem.duplicate();
        return {};
    }

    KubeConfig config_;
    const Clock& clock_;
    Source ca_;
    Source token_;
    Source certificate_;
    Source key_;
    std::mutex plugin_;  // held while the plugin runs, so that it runs once for all who wait
    std::optional<ExecCredential> kept_;
};

KubeCredentials::KubeCredentials(KubeConfig config, const Clock& clock)
    : state_(std::make_unique<State>(std::move(config), clock)) {}
KubeCredentials::~KubeCredentials() = default;

Result<KubeIdentity> KubeCredentials::current(std::stop_token stop) {
    return state_->current(std::move(stop));
}

void KubeCredentials::refused() { state_->refused(); }

const KubeConfig& KubeCredentials::config() const { return state_->config(); }

}  // namespace promotiond::platform
