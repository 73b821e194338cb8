// Url: an http or https URL taken apart strictly (RFC 3986), for the outbound client only.
//
// Not a general URL library: no relative references, no userinfo, no normalisation of the path;
// what the caller wrote after the host is what is sent. Thread-safety: values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace promotiond::net {

struct Url {
    bool tls = false;
    std::string host;  // lower case, without brackets and without a trailing dot
    std::uint16_t port = 0;
    std::string target;  // path and query as written; at least "/"; the fragment is dropped

    // "host:port", with brackets around an IPv6 address; safe to show.
    [[nodiscard]] std::string authority() const;
    // What the Host header says: the port only if it is not the scheme's own.
    [[nodiscard]] std::string host_header() const;
};

// "http://[user:password@]host:port" of a proxy.
struct ProxyUrl {
    std::string host;
    std::uint16_t port = 0;
    Secret credentials;  // "user:password", decoded; empty = none

    [[nodiscard]] std::string authority() const;
};

// Invalid: another scheme, userinfo, an empty or malformed host or port, blanks, control or
// non-ASCII characters, more than 8192 bytes. Messages never quote the URL: it may hold what must
// not be shown.
[[nodiscard]] Result<Url> parse_url(std::string_view text);
[[nodiscard]] Result<ProxyUrl> parse_proxy_url(std::string_view text);

// "host:port", with brackets if host is an IPv6 address.
[[nodiscard]] std::string authority_of(std::string_view host, std::uint16_t port);

// Lower case without a trailing dot.
[[nodiscard]] std::string normal_host(std::string_view host);

// True for a name or address that may stand in a Host header: no blank, control character or "/".
[[nodiscard]] bool is_host(std::string_view host);

}  // namespace promotiond::net
