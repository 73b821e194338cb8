#include "webhook.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "answer.hpp"
#include "credentials.hpp"
#include "payload.hpp"
#include "shown_url.hpp"
#include "signature.hpp"

namespace promotiond::webhook {
namespace {

namespace json = boost::json;
using sdk::Error;
using sdk::ErrorKind;
using sdk::Outcome;
using sdk::Result;

constexpr std::chrono::seconds kDefaultTimeout{15};  // Flux's Provider has the same
constexpr std::chrono::minutes kLongestTimeout{10};
constexpr std::uint64_t kMostAnswerBytes = 1u << 20;

struct Config {
    std::string url;
    std::string secret;
    std::chrono::milliseconds timeout{kDefaultTimeout};
    CloudEvents cloud_events = CloudEvents::No;
};

std::optional<std::chrono::milliseconds> duration_from(std::string_view text) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (error != std::errc{} || count <= 0 || count > 999'999) return std::nullopt;
    std::chrono::milliseconds duration{count};
    if (unit == "s") duration *= 1000;
    else if (unit == "m") duration *= 60'000;
    else if (unit != "ms") return std::nullopt;
    if (duration > kLongestTimeout) return std::nullopt;
    return duration;
}

// The host has held it against the schema; this only guards the types.
Result<Config> config_from(std::string_view text) {
    json::error_code error;
    const auto value = json::parse(json::string_view(text.data(), text.size()), error);
    if (error || !value.is_object())
        return Error{ErrorKind::Invalid, "the configuration is no JSON object"};
    const auto& object = value.get_object();
    const auto text_of = [&](const char* key) {
        const auto* member = object.if_contains(key);
        return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                        : std::string();
    };
    Config config{text_of("url"), text_of("secretRef")};
    if (const auto timeout = text_of("timeout"); !timeout.empty()) {
        const auto duration = duration_from(timeout);
        if (!duration)
            return Error{ErrorKind::Invalid, "webhook.timeout takes 1ms to 10m, as in 15s"};
        config.timeout = *duration;
    }
    const auto* events = object.if_contains("cloudEvents");
    if (events != nullptr && events->is_bool() && events->get_bool())
        config.cloud_events = CloudEvents::Yes;
    return config;
}

struct Prepared {
    sdk::HttpRequest request;
    Headers shown;  // the headers as people may see them
    std::string shown_url;
};

Result<Prepared> prepare(const sdk::Promotion& promotion, const sdk::Call& call) {
    auto config = config_from(promotion.config);
    if (!config) return std::move(config).error();
    Credentials secret;
    if (!config->secret.empty()) {
        auto read = read_credentials(config->secret, call);
        if (!read) return std::move(read).error();
        secret = std::move(*read);
    }
    Prepared prepared;
    auto& request = prepared.request;
    request.method = "POST";
    request.url = secret.address.empty() ? config->url : secret.address;
    if (request.url.empty())
        return Error{ErrorKind::Invalid,
                     "no address: set webhook.url, or the key address of its secret"};
    prepared.shown_url =
        secret.address.empty() ? shown_url(config->url) : "(address of the secret)";
    request.body = payload_of(promotion);
    request.headers = headers_of(promotion, config->cloud_events);
    prepared.shown = request.headers;
    const auto set_secret = [&](const std::string& name, const std::string& value) {
        set_header(request.headers, name, value);
        set_header(prepared.shown, name, "***");
    };
    if (!secret.authorization.empty()) set_secret("Authorization", secret.authorization);
    for (const auto& [name, value] : secret.headers) set_secret(name, value);
    if (!secret.token.empty())
        set_secret("X-Signature", signature_of(secret.token.reveal(), request.body));
    request.timeout = config->timeout;
    request.max_response_bytes = kMostAnswerBytes;
    request.ca_pem = std::move(secret.ca_pem);
    request.client_certificate_pem = std::move(secret.certificate_pem);
    request.client_key_pem = std::move(secret.key_pem);
    request.proxy = std::move(secret.proxy);
    return prepared;
}

}  // namespace

Webhook::Webhook(const sdk::Settings&) {}

Outcome Webhook::promote(const sdk::Promotion& promotion, sdk::Call& call) {
    const auto prepared = prepare(promotion, call);
    if (!prepared) return Outcome::from(prepared.error());
    call.progress("calling the webhook");
    const auto response = call.http(prepared->request);
    if (!response) return Outcome::from(response.error());
    return outcome_of(*response, call.now());
}

Outcome Webhook::plan(const sdk::Promotion& promotion, sdk::Call& call) {
    const auto prepared = prepare(promotion, call);
    if (!prepared) return Outcome::from(prepared.error());
    json::object headers;
    for (const auto& [name, value] : prepared->shown) headers[name] = value;
    const json::object details{{"request", json::object{{"method", prepared->request.method},
                                                        {"url", prepared->shown_url},
                                                        {"headers", std::move(headers)},
                                                        {"body", prepared->request.body}}}};
    auto done = Outcome::done();
    return std::move(done)
        .with_summary("would send POST " + prepared->shown_url)
        .with_details(json::serialize(details));
}

std::string Webhook::lane(const sdk::Promotion& promotion) const {
    std::string lane(promotion.pipeline_namespace);
    for (const auto part : {promotion.pipeline_name, promotion.environment, promotion.target}) {
        lane += '/';
        lane += part;
    }
    return lane;
}

}  // namespace promotiond::webhook
