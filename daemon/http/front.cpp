#include "http/front.hpp"

#include "base/log.hpp"

namespace promotiond::http {
namespace {

Response refusal(const Request& request, unsigned status, std::string_view detail,
                 std::string_view rejected) {
    Response response = problem(status, detail, request);
    response.rejected = rejected;
    return response;
}

std::string_view word_before(std::string_view text, char end) {
    text = text.substr(0, text.find(end));
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool same_letters(std::string_view a, std::string_view small) {
    if (a.size() != small.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
        if (c != small[i]) return false;
    }
    return true;
}

// With the suffix of RFC 6839, too: registries send types of their own.
bool names_json(std::string_view type) {
    constexpr std::string_view kTree = "application/";
    constexpr std::string_view kSuffix = "+json";
    if (same_letters(type, "application/json")) return true;
    return type.size() > kTree.size() + kSuffix.size() &&
           same_letters(type.substr(0, kTree.size()), kTree) &&
           same_letters(type.substr(type.size() - kSuffix.size()), kSuffix);
}

// JSON in UTF-8, or nothing said. Bodies in another coding are not decoded: what was signed must be
// what is read, and a small body must not become a large one.
bool is_json(const Request& request) {
    if (request.count("content-encoding") > 0) {
        const std::string* coding = request.single("content-encoding");
        if (coding == nullptr || !same_letters(*coding, "identity")) return false;
    }
    if (request.count("content-type") == 0) return true;
    const std::string* type = request.single("content-type");
    if (type == nullptr || !names_json(word_before(*type, ';'))) return false;
    const std::size_t charset = type->find("charset=");
    if (charset == std::string::npos) return true;
    std::string_view name = word_before(std::string_view(*type).substr(charset + 8), ';');
    if (name.size() > 1 && name.front() == '"' && name.back() == '"') {
        name = name.substr(1, name.size() - 2);
    }
    return same_letters(name, "utf-8") || same_letters(name, "us-ascii");
}

// A browser that was lured to a name of the attacker's which resolves to loopback says that name
// here.
bool names_this_machine(std::string_view host) {
    if (host.starts_with('[')) {
        const auto address = Address::parse(host.substr(1, host.find(']') - 1));
        return address && address->is_loopback();
    }
    host = host.substr(0, host.find(':'));
    if (same_letters(host, "localhost")) return true;
    const auto address = Address::parse(host);
    return address && address->is_loopback();
}

// Each holds one request that waits for the leader's answer, which may be asked to take its time.
constexpr std::size_t kForwarders = 32;
constexpr std::size_t kForwardsWaiting = 256;

// A replica that stands by says this name in Via (RFC 9110 7.6.3). Who hears its own name stands by
// as well: two that took each other for the leader would else pass a request to and fro.
bool came_from_replica(const Request& request) {
    for (const auto& [name, value] : request.headers) {
        if (name == "via" && lists(value, kReplicaHop)) return true;
    }
    return false;
}

Response unavailable(const Request& request, std::string_view detail, std::string_view rejected) {
    Response response = refusal(request, 503, detail, rejected);
    response.headers.emplace_back("Retry-After", "5");
    return response;
}

// A leader that was paused may wake up as one no more, with an answer in its hand.
Send while_leading(const Forwarding& forwarding, const Request& request, Send send) {
    Request asked;
    asked.request_id = request.request_id;
    return [&forwarding, asked = std::move(asked), send = std::move(send)](Response response) {
        if (forwarding.may_answer()) return send(std::move(response));
        send(unavailable(asked, "another replica leads now; send it again", "no-leader"));
    };
}

}  // namespace

Front::Front(const Options& options, Core core, AddressRanges trusted, Tokens tokens, HookKeys keys,
             Intake::Post post, Metrics& metrics)
    : prefix_(options.path_prefix),
      trusted_(std::move(trusted)),
      tokens_(std::make_shared<const Tokens>(std::move(tokens))),
      clock_(core.clock),
      metrics_(metrics),
      forwarding_(core.forwarding),
      rate_(options.rate_requests, options.rate_interval),
      intake_(core, options, post),
      releases_(core, options.images),
      hooks_(core, releases_, std::move(keys)),
      api_(core),
      // Back on the I/O thread, where everything else begins.
      guard_(core,
             [this, post = std::move(post)](const ExchangePtr& exchange) {
                 post([this, exchange] { hand_over(exchange); });
             }),
      connections_(metrics.gauge("promotiond_http_connections", "Connections now open.")),
      in_flight_(metrics.gauge("promotiond_http_in_flight", "Requests now being answered.")),
      forwarders_("http-forward", kForwarders, kForwardsWaiting) {}

std::shared_ptr<const Tokens> Front::tokens() const { return *tokens_.access(); }

void Front::use(Tokens tokens, HookKeys keys) {
    *tokens_.access() = std::make_shared<const Tokens>(std::move(tokens));
    hooks_.use(std::move(keys));
}

std::optional<Response> Front::over_limit(const Request& request, Counted counted) {
    const auto client = Address::parse(request.client);
    const std::string key = client ? client->limit_key() : request.client;
    const auto left = counted == Counted::Yes ? rate_.hit(key, clock_.steady_now())
                                              : rate_.look(key, clock_.steady_now());
    if (!left) return std::nullopt;
    Response response =
        refusal(request, 429,
                "too many requests from this address; come back when Retry-After says, or let the "
                "daemon's operator raise server.rateLimit",
                "rate-limit");
    const auto until = std::chrono::ceil<std::chrono::seconds>(clock_.now() + *left);
    response.headers.emplace_back("Retry-After", http_date(until.time_since_epoch().count()));
    return response;
}

std::optional<Response> Front::head(Request& request) {
    request.forwarded = is_forwarded(request.headers);
    if (const auto peer = Address::parse(request.peer)) {
        request.client = client_of(*peer, request.headers, trusted_).text();
    }
    const auto target = parse_target(request.target);
    const auto match = target ? find_route(request.method, *target, prefix_) : std::nullopt;
    // Whatever is no API call counts against the limit, so that guessing paths and keys does. Of
    // forges' hooks only those that are refused do: a forge sends one for each check of a fleet,
    // and does not send them again.
    const Route* found = match ? match->route : nullptr;
    if (found == nullptr || found->access == Access::Signature || found->access == Access::Hook) {
        const bool hook = found != nullptr && found->access == Access::Hook;
        if (auto response = over_limit(request, hook ? Counted::No : Counted::Yes)) return response;
    }
    if (!target) {
        const bool broken = target.error().kind == ErrorKind::Invalid;
        return refusal(request, broken ? 400 : 404, target.error().message, "path");
    }
    if (!match) return refusal(request, 404, "there is nothing at this address", "path");
    if (match->route == nullptr) {
        Response response =
            refusal(request, 405, "this address takes " + match->allow + " only", "method");
        response.headers.emplace_back("Allow", match->allow);
        return response;
    }
    const Route& route = *match->route;
    request.route = route.pattern;
    if (route.body == Body::Json && !request.has_body) {
        return refusal(request, 411, "Content-Length is needed", "malformed");
    }
    if (route.body == Body::Json && !is_json(request)) {
        return refusal(
            request, 415,
            "only JSON (application/json) in UTF-8 and without a content coding is taken",
            "media-type");
    }
    if (forwarding_ == nullptr || !forwarding_->stands_by()) return authorize(request, route);
    // The leader will authorize it, by the same headers and bytes.
    if (came_from_replica(request)) {
        return unavailable(request, "no replica leads now; send it again", "no-leader");
    }
    request.forwards = true;
    return std::nullopt;
}

void Front::forward(Request request, Send send) {
    const auto shared = std::make_shared<Request>(std::move(request));
    const bool taken = forwarders_.run([this, shared, send](const std::stop_token& stop) {
        auto answer = forwarding_->forward(*shared, stop);
        if (answer) return send(std::move(*answer));
        send(unavailable(*shared, answer.error().message, "no-leader"));
    });
    if (!taken) send(unavailable(*shared, "too many requests wait for the leader", "no-leader"));
}

std::optional<Response> Front::authorize(Request& request, const Route& route) {
    if (route.access == Access::Public || route.access == Access::Hook) return std::nullopt;
    const bool by_signature = route.access == Access::Signature;
    // An operator may approve by token where a machine does by signature.
    if (by_signature &&
        (route.action != Action::ReceiveApproval || request.count("authorization") == 0)) {
        return std::nullopt;
    }
    const auto known = tokens();
    if (known->empty() && !guard_.on_duty()) {
        if (by_signature) return std::nullopt;
        return authorize_loopback(request);
    }
    const auto bearer = known->who(request);
    if (!bearer && guard_.on_duty() && bearer_of(request)) return review_later(request);
    if (!bearer) return no_token(request, guard_.on_duty());
    const bool needs_operate = route.access != Access::Read;
    if (needs_operate && bearer->scope != AccessScope::Operate) {
        return refusal(request, 403, "this needs a token of scope operate", "token");
    }
    request.actor = bearer->name;
    return std::nullopt;
}

// The platform is asked when the request is whole, but only so often for each client: a token that
// is guessed costs a question.
std::optional<Response> Front::review_later(Request& request) {
    request.unknown_bearer = true;
    if (guard_.remembers(request)) return std::nullopt;
    return over_limit(request, Counted::Yes);
}

std::optional<Response> Front::authorize_loopback(Request& request) const {
    const auto peer = Address::parse(request.peer);
    const std::string* host = request.single("host");
    const bool here = peer && peer->is_loopback() && !request.forwarded &&
                      request.count("origin") == 0 && host != nullptr && names_this_machine(*host);
    if (!here) {
        return refusal(request, 403,
                       "without tokens the API answers this machine only, and no proxies or "
                       "browsers' scripts; configure server.tokens",
                       "token");
    }
    request.actor = "local";
    return std::nullopt;
}

void Front::serve(Request request, Send send) {
    if (request.forwards) return forward(std::move(request), std::move(send));
    if (forwarding_ != nullptr) send = while_leading(*forwarding_, request, std::move(send));
    auto target = parse_target(request.target);
    auto match = target ? find_route(request.method, *target, prefix_) : std::nullopt;
    if (!match || match->route == nullptr) {
        return send(problem(404, "there is nothing at this address", request));
    }
    const auto exchange = std::make_shared<Exchange>(std::move(request), std::move(*target),
                                                     std::move(*match), std::move(send));
    if (exchange->request.unknown_bearer) return guard_.check(exchange);
    hand_over(exchange);
}

void Front::hand_over(const ExchangePtr& exchange) {
    switch (exchange->match.route->action) {
        case Action::ReceiveEvent: return intake_.event(exchange);
        case Action::ReceiveApproval: return intake_.approval(exchange);
        case Action::ReceiveGitHubHook: return count(*exchange, hooks_.github(exchange));
        case Action::ReceiveAzureHook: return count(*exchange, hooks_.azure(*exchange));
        case Action::ReceiveRegistryHook: return count(*exchange, hooks_.registry(exchange));
        case Action::Release: return releases_.told(exchange);
        default: return api_.serve(exchange);
    }
}

void Front::count(const Exchange& exchange, Hooks::Sender sender) {
    if (sender == Hooks::Sender::Unknown) (void)over_limit(exchange.request, Counted::Yes);
}

void Front::stop() {
    guard_.stop();
    api_.stop();
    forwarders_.stop();
}

void Front::answered(std::string_view route, const Response& response) {
    if (route.empty()) route = "none";
    Counter*& counter = requests_[{route, response.status}];
    if (counter == nullptr) {
        counter = &metrics_.counter(
            "promotiond_http_requests_total", "Requests answered, by route and status.",
            {{"route", std::string(route)}, {"code", std::to_string(response.status)}});
    }
    counter->add();
    if (response.rejected.empty()) return;
    metrics_
        .counter("promotiond_events_rejected_total",
                 "Requests to the promotion endpoints that were turned down, by reason.",
                 {{"reason", response.rejected}})
        .add();
}

void Front::load(std::size_t connections, std::size_t in_flight) {
    connections_.set(static_cast<double>(connections));
    in_flight_.set(static_cast<double>(in_flight));
}

}  // namespace promotiond::http
