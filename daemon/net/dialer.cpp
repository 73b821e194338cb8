#include "net/dialer.hpp"

#include <vector>

#include "net/url.hpp"

namespace promotiond::net {
namespace {

HttpError refused(const std::string& name, const std::string& why) {
    return {Failure::Refused, "connecting to " + name + " is refused: " + why +
                                  "; allow it in the egress rules if it is meant"};
}

}  // namespace

Dialer::Dialer(const HttpClient::Options& options)
    : user_agent_(options.user_agent),
      only_allowed_(options.egress.only_allowed),
      egress_(options.egress),
      proxies_(options.proxy, options.no_proxy) {}

Result<Dialer::Proxy> Dialer::proxy_for(std::string_view asked, std::string_view host) const {
    return proxies_.choose(asked, host);
}

Attempt<Connection> Dialer::dial(const std::string& host, std::uint16_t port, const Proxy& proxy,
                                 const Limit& limit) {
    if (!proxy) return connect(host, port, Judged::Yes, limit);
    auto made = dial_proxy(*proxy, host, limit);
    auto* connection = std::get_if<Connection>(&made);
    if (connection == nullptr) return made;
    const auto authority = authority_of(host, port);
    if (auto error = open_tunnel(*connection, proxy->proxy, authority, user_agent_, limit))
        return *error;
    connection->rename(authority);
    return made;
}

Attempt<Connection> Dialer::dial_proxy(const ProxyRules::Choice& proxy, const std::string& host,
                                       const Limit& limit) {
    // The proxy resolves the name, so only the name (or literal address) can be judged here.
    if (const auto why = egress_.refusal(host, std::nullopt)) return refused(host, *why);
    auto made =
        connect(proxy.proxy.host, proxy.proxy.port, proxy.own ? Judged::No : Judged::Yes, limit);
    if (auto* error = std::get_if<HttpError>(&made)) error->message.insert(0, "proxy: ");
    return made;
}

// Each address the name has is judged; the first one that may be and can be connected to is.
Attempt<Connection> Dialer::connect(const std::string& host, std::uint16_t port, Judged judged,
                                    const Limit& limit) {
    const auto name = authority_of(host, port);
    // Names are judged before the name server hears of them.
    if (judged == Judged::Yes && !may_be_allowed(host))
        return refused(name, egress_.refusal(host, std::nullopt).value_or("by its name"));
    auto resolved = resolver_.resolve(host, limit);
    if (auto* error = std::get_if<HttpError>(&resolved)) return std::move(*error);
    std::optional<std::string> refusal;
    std::optional<HttpError> last;
    const auto& addresses = std::get<std::vector<Address>>(resolved);
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (auto why = judged == Judged::Yes ? egress_.refusal(host, addresses[i]) : std::nullopt) {
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
    return refused(name, refusal.value_or("it has no address"));
}

// A name that is denied or names a metadata service need not be looked up. One that only fails
// to be on the allow list may still have an address that is.
bool Dialer::may_be_allowed(const std::string& host) const {
    return only_allowed_ || !egress_.refusal(host, std::nullopt).has_value();
}

}  // namespace promotiond::net
