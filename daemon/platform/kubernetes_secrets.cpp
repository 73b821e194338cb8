#include <atomic>
#include <map>
#include <optional>

#include "base/guarded.hpp"
#include "base/log.hpp"
#include "model/node_reader.hpp"
#include "platform/base64.hpp"
#include "platform/kubernetes.hpp"
#include "platform/secret_keys.hpp"

namespace promotiond::platform {
namespace {

using model::NameRule;

constexpr const char* kPart = "secrets";  // in /readyz?verbose

// The values of one Secret object.
struct Kept {
    SteadyTime got;
    std::map<std::string, Secret> values;
};

class KubeSecrets final : public SecretStore {
public:
    KubeSecrets(KubeClient& client, const Clock& clock, KubeSecretsOptions options)
        : client_(client), clock_(clock), options_(options) {}

    Result<Secret> get(const std::string& ns, const std::string& name,
                       const std::string& key) override {
        // Checked before they become part of an address: nothing leads out of the namespace.
        for (const auto& [what, text, rule] :
             {std::tuple{"the namespace ", &ns, NameRule::Label},
              {"the secret's name ", &name, NameRule::Subdomain}}) {
            if (const auto complaint = model::complaint_about(*text, rule))
                return Error{ErrorKind::Invalid, what + *complaint};
        }
        const KubeName secret{ns, name};
        if (auto kept = kept_value(secret, key, options_.fresh)) return std::move(*kept);
        auto body = client_.get(kSecrets, secret,
                                {.deadline = std::chrono::steady_clock::now() + options_.timeout});
        if (!body) return failed(secret, key, std::move(body).error());
        if (refused_.exchange(false)) client_.tell(kPart, nullptr);
        keep(secret, JsonView(*body)["data"]);
        std::fill(body->begin(), body->end(), '\0');
        if (auto kept = kept_value(secret, key, options_.fresh)) return std::move(*kept);
        return absent(secret, key);
    }

private:
    static Error absent(const KubeName& secret, const std::string& key) {
        return {ErrorKind::NotFound, "key " + model_key(key) + " of secret " + secret.text() +
                                         " is missing or empty; write its value"};
    }
    static std::string model_key(const std::string& key) {
        return model::complaint_about(key, NameRule::Text) ? "(unprintable)" : key;
    }

    // None: not kept, or for too long. A kept Secret without the key is an answer, too.
    std::optional<Result<Secret>> kept_value(const KubeName& secret, const std::string& key,
                                             std::chrono::milliseconds age) {
        auto kept = kept_.access();
        const auto found = kept->find(secret);
        if (found == kept->end() || clock_.steady_now() - found->second.got >= age)
            return std::nullopt;
        const auto value = found->second.values.find(key);
        if (value == found->second.values.end() || value->second.empty())
            return Result<Secret>(absent(secret, key));
        return Result<Secret>(value->second.duplicate());
    }

    Result<Secret> failed(const KubeName& secret, const std::string& key, KubeError error) {
        const bool down =
            error.error.kind == ErrorKind::Transient || error.error.kind == ErrorKind::Throttled;
        if (down) {
            // Events go on to be verified while the server restarts: nobody can take a secret back
            // from a server that is not there.
            if (auto kept = kept_value(secret, key, options_.stale)) return std::move(*kept);
            return std::move(error.error);
        }
        kept_.access()->erase(secret);
        if (error.reason == KubeReason::Forbidden) {
            client_.tell(kPart, &error);
            if (!refused_.exchange(true)) {
                log::warn("PROMO-5108", "a Secret may not be read",
                          {{"secret", secret.text()}, {"err", error.error.message}});
            }
        }
        if (error.reason == KubeReason::NotFound) {
            return Error{ErrorKind::NotFound, "secret " + secret.text() + " does not exist at " +
                                                  client_.server_name() + "; create it"};
        }
        return std::move(error.error);
    }

    void keep(const KubeName& secret, JsonView values) {
        Kept fresh;
        fresh.got = clock_.steady_now();
        values.each_member([&](std::string_view key, JsonView value) {
            const auto text = value.text();
            auto decoded = base64_decoded(text);
            if (!decoded) return true;
            if (!is_public_key(key)) log::redact(decoded->reveal());
            fresh.values.emplace(key, std::move(*decoded));
            return true;
        });
        auto kept = kept_.access();
        if (kept->size() >= options_.most) kept->clear();
        kept->insert_or_assign(secret, std::move(fresh));
    }

    KubeClient& client_;
    const Clock& clock_;
    const KubeSecretsOptions options_;
    std::atomic<bool> refused_{false};  // the last answer was a 403
    Guarded<std::map<KubeName, Kept>> kept_;
};

}  // namespace

std::unique_ptr<SecretStore> kube_secrets(KubeClient& client, const Clock& clock,
                                          KubeSecretsOptions options) {
    return std::make_unique<KubeSecrets>(client, clock, options);
}

}  // namespace promotiond::platform
