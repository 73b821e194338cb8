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
    "the "
    "webhook's secret, Azure DevOps as the password of basic authentication";

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

Result<Secret> key_in(const std::string& name, const std::filesystem::path& file) {
    if (file.empty()) return Secret();
    auto key = read_secret_file("the key of " + name, file);
    if (key) log::redact(key->reveal());
    return key;
}

Hooks::Sender refuse(Exchange& exchange, const std::string& forge, const std::string& why) {
    log::warn("PROMO-4010", "a hook's sender is not known; its hook was refused",
              {{"forge", forge},
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
    return HookKeys{*std::move(github), *std::move(azure)};
}

Hooks::Hooks(Core core, HookKeys keys)
    : core_(core), keys_(std::make_shared<const HookKeys>(std::move(keys))) {}

std::shared_ptr<const HookKeys> Hooks::keys() const { return *keys_.access(); }

void Hooks::use(HookKeys keys) {
    *keys_.access() = std::make_shared<const HookKeys>(std::move(keys));
}

Hooks::Sender Hooks::github(Exchange& exchange) const {
    const Request& request = exchange.request;
    const std::string* header = request.single("x-hub-signature-256");
    const auto signature = header != nullptr ? parse_signature(*header) : std::nullopt;
    const auto known = keys();
    const bool usable = !known->github.empty() && signature && signature->digest == Digest::Sha256;
    if (!usable) compare_in_vain(signature, request.body);
    if (!usable || !signed_with(known->github.reveal(), *signature, request.body)) {
        return refuse(exchange, "github",
                      known->github.empty() ? "server.hooks.github names no key"
                      : !signature          ? "X-Hub-Signature-256 is missing or malformed"
                                            : "the signature is another key's or another body's");
    }
    const std::string* event = request.single("x-github-event");
    take(exchange, read_github_hook(event != nullptr ? *event : std::string(), request.body));
    return Sender::Known;
}

Hooks::Sender Hooks::azure(Exchange& exchange) const {
    const auto shown = password_of(exchange.request);
    const auto known = keys();
    // Digests are of one length, whatever was sent.
    const std::string wanted = sha256_hex(known->azure.reveal());
    const std::string got = sha256_hex(shown ? shown->reveal() : std::string_view("\n"));
    if (!same_in_constant_time(wanted, got) || known->azure.empty()) {
        return refuse(exchange, "azure",
                      known->azure.empty() ? "server.hooks.azure names no key"
                      : !shown             ? "there is no basic authentication"
                                           : "the password is another one");
    }
    take(exchange, read_azure_hook(exchange.request.body));
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
