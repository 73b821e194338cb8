// proxy: which proxy a destination is reached through, and the way through it.
//
// Thread-safety: const functions from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/connection.hpp"
#include "net/egress.hpp"
#include "net/url.hpp"

namespace promotiond::net {

class ProxyRules {
public:
    // A proxy that cannot be read fails each exchange that would need it, with the reason.
    ProxyRules(std::string own, const std::vector<std::string>& no_proxy);

    struct Choice {
        ProxyUrl proxy;
        bool own = false;  // the operator's, not the caller's
    };
    // Nothing = direct. `asked` is the caller's own wish and wins.
    [[nodiscard]] Result<std::optional<Choice>> choose(std::string_view asked,
                                                       std::string_view host) const;

private:
    [[nodiscard]] bool is_direct(std::string_view host) const;

    std::string own_;
    std::vector<Range> direct_ranges_;
    std::vector<std::string> direct_suffixes_;
};

// "Basic ..." or empty.
[[nodiscard]] std::string proxy_authorization(const ProxyUrl& proxy);

// CONNECT through a connected proxy. Connect: it refused (its status code is named).
[[nodiscard]] std::optional<HttpError> open_tunnel(Connection& connection, const ProxyUrl& proxy,
                                                   const std::string& authority,
                                                   std::string_view user_agent, const Limit& limit);

}  // namespace promotiond::net
