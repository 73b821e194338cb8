#include "net/http_client.hpp"

#include <fcntl.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/guarded.hpp"
#include "net/connection.hpp"
#include "net/dialer.hpp"
#include "net/exchange.hpp"
#include "net/pool.hpp"
#include "net/proxy.hpp"
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

std::chrono::milliseconds bounded(std::chrono::milliseconds timeout) {
    return std::clamp<std::chrono::milliseconds>(timeout, std::chrono::milliseconds{0},
                                                 kLongestTimeout);
}

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

bool held_back(const Request& request) { return request.may_send && !request.may_send(); }

HttpError not_sent() { return {Failure::Cancelled, "the request is not to be sent any more"}; }

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
        : options_(with_user_agent(std::move(options))),
          metrics_(metrics),
          seconds_(metrics.histogram("promotiond_outbound_seconds",
                                     "Time of outbound HTTP exchanges, whatever came of them.",
                                     {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60})),
          dialer_(options_) {}

    std::variant<Response, HttpError> send(const Request& request, std::stop_token stop) {
        const auto started = std::chrono::steady_clock::now();
        const auto end = end_of(request, request.timeout.value_or(options_.timeout));
        Response response;
        const StreamHandler collect{[&](const Response& head) {
                                        response = head;
                                        return true;
                                    },
                                    [&](std::string_view piece) {
                                        response.body.append(piece);
                                        return true;
                                    }};
        ExchangeOptions options{
            .max_body_bytes = request.max_response_bytes.value_or(options_.max_response_bytes)};
        auto error = perform(request, collect, options, {end, std::move(stop)});
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
        seconds_.observe(taken.count());
        count(request.method, error, response.code);
        if (error) return std::move(*error);
        return response;
    }

    std::optional<HttpError> stream(const Request& request, const StreamHandler& handler,
                                    std::stop_token stop) {
        const auto end = request.timeout ? end_of(request, *request.timeout) : request.deadline;
        int code = 0;
        const StreamHandler watched{[&](const Response& head) {
                                        code = head.code;
                                        return handler.head(head);
                                    },
                                    handler.piece};
        ExchangeOptions options{
            .max_body_bytes = request.max_response_bytes,
            .idle_timeout = bounded(request.idle_timeout.value_or(options_.timeout))};
        auto error = perform(request, watched, options, {end, std::move(stop)});
        count(request.method, error, code);
        return error;
    }

    std::variant<int, HttpError> dial(const std::string& host, std::uint16_t port,
                                      const std::string& proxy, const Limit& limit) {
        const auto chosen = dialer_.proxy_for(proxy, host);
        if (!chosen) return invalid(chosen.error());
        auto made = dialer_.dial(host, port, *chosen, limit.within(options_.connect_timeout));
        if (auto* error = std::get_if<HttpError>(&made)) return std::move(*error);
        const int fd = std::get<Connection>(made).release();
        const int flags = ::fcntl(fd, F_GETFL);
        (void)::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
        return fd;
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
        Dialer::Proxy proxy;
        TlsContext tls;        // null for http
        std::string tls_name;  // whom the certificate must name
        std::string key;       // of the pool
        Wire wire;
    };

    static Options with_user_agent(Options options) {
        if (options.user_agent.empty()) options.user_agent = "promotiond";
        return options;
    }

    static SteadyTime end_of(const Request& request, std::chrono::milliseconds timeout) {
        return std::min<SteadyTime>(std::chrono::steady_clock::now() + bounded(timeout),
                                    request.deadline);
    }

    void count(const std::string& method, const std::optional<HttpError>& error, int code) {
        metrics_
            .counter("promotiond_outbound_requests_total",
                     "Outbound HTTP exchanges by method and class of the answer or failure.",
                     {{"method", method_label(method)},
                      {"code", error ? std::string(name_of(error->failure))
                                     : std::to_string(code / 100) + "xx"}})
            .add();
    }

    std::variant<Prepared, HttpError> prepare(const Request& request) {
        auto url = parse_url(request.url);
        if (!url) return invalid(url.error());
        auto chosen = dialer_.proxy_for(request.proxy, url->host);
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
            const auto& name = request.tls_server_name;
            prepared.tls_name = name.empty() ? prepared.url.host : normal_host(name);
        }
        prepared.key = (prepared.url.tls ? "https " : "http ") + prepared.url.authority() + " ";
        if (prepared.url.tls) prepared.key += prepared.tls_name + " " + identity;
        if (prepared.proxy) {
            const auto& proxy = prepared.proxy->proxy;
            prepared.key += proxy.authority() + " " + digest_of({}, {}, proxy.credentials);
        }
        return prepared;
    }

    // The answer goes to `handler`; nothing if it came to a proper end.
    std::optional<HttpError> perform(const Request& request, const StreamHandler& handler,
                                     ExchangeOptions& options, const Limit& limit) {
        auto ready = prepare(request);
        if (auto* error = std::get_if<HttpError>(&ready)) return std::move(*error);
        const auto& prepared = std::get<Prepared>(ready);
        options.head = request.method == "HEAD";
        const bool again = is_idempotent(request.method);
        if (auto pooled = pool_.take(prepared.key, again ? kAnyIdle : kHardlyIdle)) {
            if (held_back(request)) return not_sent();
            auto result = exchange(*pooled, prepared.wire, options, handler, limit);
            const auto* failed = std::get_if<ExchangeFailure>(&result);
            const bool stale = failed != nullptr && failed->no_answer_begun &&
                               failed->error.failure == Failure::Connect;
            if (!stale || !again) return finish(prepared, std::move(*pooled), std::move(result));
        }
        auto made = make_connection(prepared, limit.within(options_.connect_timeout));
        if (auto* error = std::get_if<HttpError>(&made)) return std::move(*error);
        auto connection = std::get<Connection>(std::move(made));
        if (held_back(request)) return not_sent();
        auto result = exchange(connection, prepared.wire, options, handler, limit);
        return finish(prepared, std::move(connection), std::move(result));
    }

    std::optional<HttpError> finish(const Prepared& prepared, Connection connection,
                                    std::variant<ExchangeEnd, ExchangeFailure> result) {
        if (auto* failed = std::get_if<ExchangeFailure>(&result)) return std::move(failed->error);
        if (std::get<ExchangeEnd>(result) == ExchangeEnd::Reusable)
            pool_.give(prepared.key, std::move(connection));
        return std::nullopt;
    }

    Attempt<Connection> make_connection(const Prepared& prepared, const Limit& limit) {
        const auto& url = prepared.url;
        auto made = prepared.proxy && !url.tls
                        ? dialer_.dial_proxy(*prepared.proxy, url.host, limit)
                        : dialer_.dial(url.host, url.port, prepared.proxy, limit);
        auto* connection = std::get_if<Connection>(&made);
        if (connection == nullptr || !prepared.tls) return made;
        if (auto error = connection->start_tls(*prepared.tls, prepared.tls_name, limit))
            return *error;
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
    Dialer dialer_;
    Pool pool_;
    Guarded<std::map<std::string, TlsContext>> contexts_;
};

HttpClient::HttpClient(Options options, Metrics& metrics)
    : state_(std::make_unique<State>(std::move(options), metrics)) {}
HttpClient::~HttpClient() = default;

std::variant<Response, HttpError> HttpClient::send(const Request& request, std::stop_token stop) {
    return state_->send(request, std::move(stop));
}

std::optional<HttpError> HttpClient::stream(const Request& request, const StreamHandler& handler,
                                            std::stop_token stop) {
    return state_->stream(request, handler, std::move(stop));
}

std::variant<int, HttpError> HttpClient::dial(const std::string& host, std::uint16_t port,
                                              const std::string& proxy, SteadyTime deadline,
                                              std::stop_token stop) {
    const auto plain =
        host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
    if (!is_host(plain) || port == 0)
        return HttpError{Failure::Invalid, "the host or port to connect to is malformed"};
    return state_->dial(normal_host(plain), port, proxy, {deadline, std::move(stop)});
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
