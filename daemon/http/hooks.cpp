#include "http/hooks.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/log.hpp"
#include "http/auth.hpp"

namespace promotiond::http {
namespace {

constexpr std::size_t kBasicMost = 8192;  // more than any key needs

// One text for everything that is wrong with a sender, so that it tells nothing.
constexpr std::string_view kUnknownSender =
    "the hook's sender is not known: it needs the key whose file server.hooks names - GitHub as "
    "the webhook's secret, Azure DevOps as the password of basic authentication, a registry in the "
    "header Authorization";

// Nothing unless it is whole groups of four, padded.
std::optional<Secret> from_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0 || text.size() > kBasicMost) return std::nullopt;
    const auto padding = static_cast<std::size_t>(text.ends_with("==")  ? 2
                                                  : text.ends_with('=') ? 1
                                                                        : 0);
    std::string bytes(text.size() / 4 * 3, '\0');
    const int got = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()));
    if (got < static_cast<int>(padding)) return std::nullopt;
    Secret decoded(std::string_view(bytes).substr(0, static_cast<std::size_t>(got) - padding));
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return decoded;
}

// The password of an Authorization header with the scheme Basic (RFC 7617); nothing without one.
std::optional<Secret> password_of(const Request& request) {
    const std::string* header = request.single("authorization");
    constexpr std::string_view kScheme = "Basic ";
    if (header == nullptr || !header->starts_with(kScheme)) return std::nullopt;
    const auto pair = from_base64(std::string_view(*header).substr(kScheme.size()));
    if (!pair) return std::nullopt;
    const auto colon = pair->reveal().find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    return Secret(pair->reveal().substr(colon + 1));
}

// The password of basic authentication, a bearer token, the whole header, or ?key=.
std::optional<Secret> shown_by_registry(const Exchange& exchange) {
    const Request& request = exchange.request;
    if (request.count("authorization") == 0) {
        const std::string* key = exchange.target.parameter("key");
        return key != nullptr ? std::optional(Secret(*key)) : std::nullopt;
    }
    if (auto password = password_of(request)) return password;
    if (const auto token = bearer_of(request)) return Secret(*token);
    const std::string* header = request.single("authorization");
    return header != nullptr ? std::optional(Secret(*header)) : std::nullopt;
}

// Digests are of one length, whatever was sent.
bool is_key(const Secret& key, const std::optional<Secret>& shown) {
    const std::string wanted = sha256_hex(key.reveal());
    const std::string got = sha256_hex(shown ? shown->reveal() : std::string_view("\n"));
    return same_in_constant_time(wanted, got) && !key.empty();
}

Result<Secret> key_in(const std::string& name, const std::filesystem::path& file) {
    if (file.empty()) return Secret();
    auto key = read_secret_file("the key of " + name, file);
    if (key) log::redact(key->reveal());
    return key;
}

Hooks::Sender refuse_sender(Exchange& exchange, const std::string& hook, const std::string& why) {
    log::warn("PROMO-4010", "a hook's sender is not known; its hook was refused",
              {{"hook", hook},
               {"client", exchange.request.client},
               {"request", exchange.request.request_id},
               {"reason", why}});
    exchange.refuse(401, kUnknownSender, "hook");
    return Hooks::Sender::Unknown;
}

}  // namespace

Result<HookKeys> HookKeys::load(const HookFiles& files) {
    auto github = key_in("server.hooks.github", files.github);
    if (!github) return std::move(github).error();
    auto azure = key_in("server.hooks.azure", files.azure);
    if (!azure) return std::move(azure).error();
    auto registry = key_in("server.hooks.registry", files.registry);
    if (!registry) return std::move(registry).error();
    return HookKeys{*std::move(github), *std::move(azure), *std::move(registry)};
}

Hooks::Hooks(Core core, const Releases& releases, HookKeys keys)
    : core_(core), releases_(releases), keys_(std::make_shared<const HookKeys>(std::move(keys))) {}

std::shared_ptr<const HookKeys> Hooks::keys() const { return *keys_.access(); }

void Hooks::use(HookKeys keys) {
    *keys_.access() = std::make_shared<const HookKeys>(std::move(keys));
}

Hooks::Sender Hooks::github(const ExchangePtr& exchange) const {
    const Request& request = exchange->request;
    const std::string* header = request.single("x-hub-signature-256");
    const auto signature = header != nullptr ? parse_signature(*header) : std::nullopt;
    const auto known = keys();
    const bool usable = !known->github.empty() && signature && signature->digest == Digest::Sha256;
    if (!usable) compare_in_vain(signature, request.body);
    if (!usable || !signed_with(known->github.reveal(), *signature, request.body)) {
        return refuse_sender(*exchange, "github",
                             known->github.empty() ? "server.hooks.github names no key"
                             : !signature          ? "X-Hub-Signature-256 is missing or malformed"
                                          : "the signature is another key's or another body's");
    }
    const std::string* header_event = request.single("x-github-event");
    const std::string event = header_event != nullptr ? *header_event : std::string();
    if (event == "repository_dispatch") {
        releases_.dispatched(exchange);
    } else if (event == "package" || event == "registry_package") {
        releases_.pushed(exchange);
    } else {
        take(*exchange, read_github_hook(event, request.body));
    }
    return Sender::Known;
}

Hooks::Sender Hooks::azure(Exchange& exchange) const {
    const auto shown = password_of(exchange.request);
    const auto known = keys();
    if (!is_key(known->azure, shown)) {
        return refuse_sender(exchange, "azure",
                             known->azure.empty() ? "server.hooks.azure names no key"
                             : !shown             ? "there is no basic authentication"
                                                  : "the password is another one");
    }
    take(exchange, read_azure_hook(exchange.request.body));
    return Sender::Known;
}

Hooks::Sender Hooks::registry(const ExchangePtr& exchange) const {
    const auto shown = shown_by_registry(*exchange);
    const auto known = keys();
    if (!is_key(known->registry, shown)) {
        return refuse_sender(*exchange, "registry",
                             known->registry.empty() ? "server.hooks.registry names no key"
                             : !shown                ? "there is no header Authorization"
                                                     : "the key is another one");
    }
    releases_.pushed(exchange);
    return Sender::Known;
}

void Hooks::take(Exchange& exchange, const Result<Sighting>& sighting) const {
    if (!sighting) return exchange.refuse(400, sighting.error().message, "malformed");
    if (!sighting->locations.empty() || !sighting->commit.empty()) {
        core_.commands.look(sighting->locations, sighting->commit);
    }
    exchange.answer({.status = 202});
}

}  // namespace promotiond::http
