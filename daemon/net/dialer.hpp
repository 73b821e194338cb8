// Dialer: the TCP way to a destination, direct or through a proxy, over addresses that the egress
// rules let through. Names are resolved once and the judged address is the one connected to.
//
// Not TLS, not HTTP beyond the CONNECT of a tunnel. Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/connection.hpp"
#include "net/egress.hpp"
#include "net/http_client.hpp"
#include "net/proxy.hpp"
#include "net/resolver.hpp"

namespace promotiond::net {

class Dialer {
public:
    using Proxy = std::optional<ProxyRules::Choice>;  // nothing = direct

    explicit Dialer(const HttpClient::Options& options);

    // The proxy for `host`; `asked` is the caller's own wish and wins. Invalid: it cannot be read.
    [[nodiscard]] Result<Proxy> proxy_for(std::string_view asked, std::string_view host) const;

    // A stream to host:port: a tunnel if there is a proxy. Failures: Refused, Connect, Timeout,
    // Cancelled, and BadAnswer of a proxy that does not speak HTTP.
    [[nodiscard]] Attempt<Connection> dial(const std::string& host, std::uint16_t port,
                                           const Proxy& proxy, const Limit& limit);
    // A stream to the proxy itself, which is going to be asked for `host`.
    [[nodiscard]] Attempt<Connection> dial_proxy(const ProxyRules::Choice& proxy,
                                                 const std::string& host, const Limit& limit);

private:
    enum class Judged { Yes, No };
    [[nodiscard]] Attempt<Connection> connect(const std::string& host, std::uint16_t port,
                                              Judged judged, const Limit& limit);
    [[nodiscard]] bool may_be_allowed(const std::string& host) const;

    std::string user_agent_;
    bool only_allowed_;
    Egress egress_;
    ProxyRules proxies_;
    Resolver resolver_;
};

}  // namespace promotiond::net
