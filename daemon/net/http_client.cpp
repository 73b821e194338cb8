#include "net/http_client.hpp"

#include <fcntl.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/guarded.hpp"
#include "net/connection.hpp"
#include "net/egress.hpp"
#include "net/exchange.hpp"
#include "net/pool.hpp"
#include "net/proxy.hpp"
#include "net/resolver.hpp"
#include "net/tls.hpp"
#include "net/url.hpp"

namespace promotiond::net {
namespace {

constexpr std::size_t kMostTlsContexts = 32;
constexpr std::chrono::hours kLongestTimeout{24};
constexpr std::chrono::milliseconds kAnyIdle{std::chrono::minutes{10}};
// What cannot be sent twice goes out only on a connection that the other side has hardly had time
// to give up; common servers keep idle ones for 5 s or more.
constexpr std::chrono::milliseconds kHardlyIdle{2'000};

HttpError invalid(const Error& error) { return {Failure::Invalid, error.message}; }

std::string digest_of(const std::string& ca, const std::string& certificate, const Secret& key) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
    for (const std::string_view part :
         {std::string_view(ca), std::string_view(certificate), key.reveal()}) {
        const auto length = std::to_string(part.size()) + ":";
        EVP_DigestUpdate(context.get(), length.data(), length.size());
        EVP_DigestUpdate(context.get(), part.data(), part.size());
    }
    EVP_DigestFinal_ex(context.get(), digest.data(), &size);
    return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string_view name_of(Failure failure) {
    switch (failure) {
        case Failure::Invalid: return "invalid";
        case Failure::Refused: return "refused";
        case Failure::Connect: return "connect";
        case Failure::Tls: return "tls";
        case Failure::Timeout: return "timeout";
        case Failure::BadAnswer: return "bad-answer";
        case Failure::Cancelled: return "cancelled";
    }
    return "connect";
}

// Labels are bounded sets, whatever a plugin asks for.
std::string method_label(std::string_view method) {
    constexpr std::string_view kKnown[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    const bool known = std::find(std::begin(kKnown), std::end(kKnown), method) != std::end(kKnown);
    return known ? std::string(method) : "other";
}

}  // namespace

class HttpClient::State {
public:
    State(Options options, Metrics& metrics)
        : options_(std::move(options)),
          metrics_(metrics),
          seconds_(metrics.histogram("promotiond_outbound_seconds",
                                     "Time of outbound HTTP exchanges, whatever came of them.",
                                     {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60})),
          egress_(options_.egress),
          proxies_(options_.proxy, options_.no_proxy) {
        if (options_.user_agent.empty()) options_.user_agent = "promotiond";
    }

    std::variant<Response, HttpError> send(const Request& request, std::stop_token stop) {
        const auto started = std::chrono::steady_clock::now();
        const auto timeout =
            std::clamp<std::chrono::milliseconds>(request.timeout.value_or(options_.timeout),
                                                  std::chrono::milliseconds{0}, kLongestTimeout);
        const auto end = std::min<SteadyTime>(started + timeout, request.deadline);
        auto result = perform(request, {end, std::move(stop)});
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
        seconds_.observe(taken.count());
        count(request.method, result);
        return result;
    }

    Attempt<Connection> connect(const std::string& host, std::uint16_t port,
                                const std::string& proxy, const Limit& limit) {
        auto chosen = proxies_.choose(proxy, host);
        if (!chosen) return invalid(chosen.error());
        if (!*chosen) return connect_to(host, port, true, limit);
        return tunnel(**chosen, host, port, limit);
    }

    [[nodiscard]] std::chrono::milliseconds connect_timeout() const {
        return options_.connect_timeout;
    }

    [[nodiscard]] const std::string* ca_for(std::string_view host) const {
        const auto name = normal_host(host);
        for (const auto& [key, pem] : options_.ca_by_host) {
            if (normal_host(key) == name) return &pem;
        }
        return nullptr;
    }

private:
    // Everything that is settled before the first byte goes out.
    struct Prepared {
        Url url;
        std::optional<ProxyRules::Choice> proxy;
        TlsContext tls;   // null for http
        std::string key;  // of the pool
        Wire wire;
        ExchangeOptions exchange;
    };

    void count(const std::string& method, const std::variant<Response, HttpError>& result) {
        std::string code;
        if (const auto* error = std::get_if<HttpError>(&result)) {
            code = name_of(error->failure);
        } else {
            code = std::to_string(std::get<Response>(result).code / 100) + "xx";
        }
        metrics_
            .counter("promotiond_outbound_requests_total",
                     "Outbound HTTP exchanges by method and class of the answer or failure.",
                     {{"method", method_label(method)}, {"code", std::move(code)}})
            .add();
    }

    std::variant<Prepared, HttpError> prepare(const Request& request) {
        auto url = parse_url(request.url);
        if (!url) return invalid(url.error());
        auto chosen = proxies_.choose(request.proxy, url->host);
        if (!chosen) return invalid(chosen.error());
        Prepared prepared{std::move(*url), std::move(*chosen), nullptr, {}, {}, {}};
        const bool absolute = prepared.proxy && !prepared.url.tls;
        auto wire =
            to_wire(request, prepared.url,
                    {options_.user_agent, absolute,
                     absolute ? proxy_authorization(prepared.proxy->proxy) : std::string()});
        if (!wire) return invalid(context(wire.error(), prepared.url.authority()));
        prepared.wire = std::move(*wire);
        const auto* own_ca = ca_for(prepared.url.host);
        const auto& ca = request.ca_pem.empty() && own_ca != nullptr ? *own_ca : request.ca_pem;
        const auto identity = digest_of(ca, request.client_certificate_pem, request.client_key_pem);
        if (prepared.url.tls) {
            auto made = tls_context(identity, ca, request);
            if (!made) return invalid(context(made.error(), prepared.url.authority()));
            prepared.tls = std::move(*made);
        }
        prepared.key = (prepared.url.tls ? "https " : "http ") + prepared.url.authority() + " ";
        if (prepared.url.tls) prepared.key += identity;
        if (prepared.proxy) {
            const auto& proxy = prepared.proxy->proxy;
            prepared.key += proxy.authority() + " " + digest_of({}, {}, proxy.credentials);
        }
        prepared.exchange.head = request.method == "HEAD";
        prepared.exchange.max_body_bytes =
            request.max_response_bytes.value_or(options_.max_response_bytes);
        return prepared;
    }

    std::variant<Response, HttpError> perform(const Request& request, const Limit& limit) {
        auto ready = prepare(request);
        if (auto* error = std::get_if<HttpError>(&ready)) return std::move(*error);
        const auto& prepared = std::get<Prepared>(ready);
        const bool again = is_idempotent(request.method);
        if (auto pooled = pool_.take(prepared.key, again ? kAnyIdle : kHardlyIdle)) {
            auto result = exchange(*pooled, prepared.wire, prepared.exchange, limit);
            const auto* failed = std::get_if<ExchangeFailure>(&result);
            const bool stale = failed != nullptr && failed->no_answer_begun &&
                               failed->error.failure == Failure::Connect;
            if (!stale || !again) return finish(prepared, std::move(*pooled), std::move(result));
        }
        auto made = make_connection(prepared, limit.within(options_.connect_timeout));
        if (auto* error = std::get_if<HttpError>(&made)) return std::move(*error);
        auto connection = std::get<Connection>(std::move(made));
        auto result = exchange(connection, prepared.wire, prepared.exchange, limit);
        return finish(prepared, std::move(connection), std::move(result));
    }

    std::variant<Response, HttpError> finish(const Prepared& prepared, Connection connection,
                                             std::variant<Answer, ExchangeFailure> result) {
        if (auto* failed = std::get_if<ExchangeFailure>(&result)) return std::move(failed->error);
        auto& answer = std::get<Answer>(result);
        if (answer.reusable) pool_.give(prepared.key, std::move(connection));
        return std::move(answer.response);
    }

    Attempt<Connection> make_connection(const Prepared& prepared, const Limit& limit) {
        const auto& url = prepared.url;
        auto made = !prepared.proxy ? connect_to(url.host, url.port, true, limit)
                    : url.tls       ? tunnel(*prepared.proxy, url.host, url.port, limit)
                                    : connect_to_proxy(*prepared.proxy, url.host, limit);
        auto* connection = std::get_if<Connection>(&made);
        if (connection == nullptr || !prepared.tls) return made;
        if (auto error = connection->start_tls(*prepared.tls, url.host, limit)) return *error;
        return made;
    }

    // Each address the name has is judged; the first one that may be and can be connected to is.
    Attempt<Connection> connect_to(const std::string& host, std::uint16_t port, bool judged,
                                   const Limit& limit) {
        const auto name = authority_of(host, port);
        const auto refused = [&](const std::string& why) {
            return HttpError{Failure::Refused, "connecting to " + name + " is refused: " + why +
                                                   "; allow it in the egress rules if it is meant"};
        };
        // Names are judged before the name server hears of them.
        if (judged && !maybe_allowed(host))
            return refused(egress_.refusal(host, std::nullopt).value_or("by its name"));
        auto resolved = resolver_.resolve(host, limit);
        if (auto* error = std::get_if<HttpError>(&resolved)) return std::move(*error);
        std::optional<std::string> refusal;
        std::optional<HttpError> last;
        auto addresses = std::get<std::vector<Address>>(std::move(resolved));
        for (std::size_t i = 0; i < addresses.size(); ++i) {
            if (auto why = judged ? egress_.refusal(host, addresses[i]) : std::nullopt) {
                refusal = std::move(why);
                continue;
            }
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                limit.deadline - std::chrono::steady_clock::now());
            const auto share = left / static_cast<long>(addresses.size() - i);
            auto made = Connection::open(addresses[i], port, name, limit.within(share));
            auto* error = std::get_if<HttpError>(&made);
            if (error == nullptr || error->failure == Failure::Cancelled) return made;
            last = std::move(*error);
        }
        if (last) return std::move(*last);
        return refused(refusal.value_or("it has no address"));
    }

    // A name that is denied or names a metadata service need not be looked up. One that only fails
    // to be on the allow list may still have an address that is.
    bool maybe_allowed(const std::string& host) const {
        if (options_.egress.only_allowed) return true;
        return !egress_.refusal(host, std::nullopt).has_value();
    }

    Attempt<Connection> connect_to_proxy(const ProxyRules::Choice& choice, const std::string& host,
                                         const Limit& limit) {
        // The proxy resolves the name, so only the name (or literal address) can be judged here.
        if (const auto why = egress_.refusal(host, std::nullopt))
            return HttpError{Failure::Refused, "connecting to " + host + " is refused: " + *why +
                                                   "; allow it in the egress rules if it is meant"};
        auto made = connect_to(choice.proxy.host, choice.proxy.port, !choice.own, limit);
        if (auto* error = std::get_if<HttpError>(&made)) error->message.insert(0, "proxy: ");
        return made;
    }

    Attempt<Connection> tunnel(const ProxyRules::Choice& choice, const std::string& host,
                               std::uint16_t port, const Limit& limit) {
        auto made = connect_to_proxy(choice, host, limit);
        auto* connection = std::get_if<Connection>(&made);
        if (connection == nullptr) return made;
        const auto authority = authority_of(host, port);
        if (auto error =
                open_tunnel(*connection, choice.proxy, authority, options_.user_agent, limit))
            return *error;
        connection->rename(authority);
        return made;
    }

    Result<TlsContext> tls_context(const std::string& identity, const std::string& ca,
                                   const Request& request) {
        {
            auto contexts = contexts_.access();
            if (const auto known = contexts->find(identity); known != contexts->end())
                return known->second;
        }
        auto made = make_tls_context(ca, request.client_certificate_pem, request.client_key_pem);
        if (!made) return made;
        auto contexts = contexts_.access();
        if (contexts->size() >= kMostTlsContexts) contexts->clear();
        (*contexts)[identity] = *made;
        return made;
    }

    Options options_;
    Metrics& metrics_;
    Histogram& seconds_;
    Egress egress_;
    ProxyRules proxies_;
    Resolver resolver_;
    Pool pool_;
    Guarded<std::map<std::string, TlsContext>> contexts_;
};

HttpClient::HttpClient(Options options, Metrics& metrics)
    : state_(std::make_unique<State>(std::move(options), metrics)) {}
HttpClient::~HttpClient() = default;

std::variant<Response, HttpError> HttpClient::send(const Request& request, std::stop_token stop) {
    return state_->send(request, std::move(stop));
}

std::variant<int, HttpError> HttpClient::dial(const std::string& host, std::uint16_t port,
                                              const std::string& proxy, SteadyTime deadline,
                                              std::stop_token stop) {
    const auto plain =
        host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
    if (!is_host(plain) || port == 0)
        return HttpError{Failure::Invalid, "the host or port to connect to is malformed"};
    const Limit limit{deadline, std::move(stop)};
    auto made =
        state_->connect(normal_host(plain), port, proxy, limit.within(state_->connect_timeout()));
    if (auto* error = std::get_if<HttpError>(&made)) return std::move(*error);
    const int fd = std::get<Connection>(made).release();
    const int flags = ::fcntl(fd, F_GETFL);
    (void)::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
}

const std::string* HttpClient::ca_for(std::string_view host) const { return state_->ca_for(host); }

Error to_error(const HttpError& error) {
    switch (error.failure) {
        case Failure::Invalid: return {ErrorKind::Invalid, error.message};
        case Failure::Refused: return {ErrorKind::Unauthorized, error.message};
        case Failure::Cancelled: return {ErrorKind::Cancelled, error.message};
        case Failure::Connect:
        case Failure::Tls:
        case Failure::Timeout:
        case Failure::BadAnswer: return {ErrorKind::Transient, error.message};
    }
    return {ErrorKind::Internal, error.message};
}

}  // namespace promotiond::net
