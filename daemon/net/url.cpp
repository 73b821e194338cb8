#include "net/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace promotiond::net {
namespace {

constexpr std::size_t kMostUrlBytes = 8192;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Error invalid(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

bool is_visible_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    unsigned port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (port == 0 || port > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(port);
}

struct HostPort {
    std::string host;
    std::string_view port;  // empty = none given
};

Result<HostPort> split_authority(std::string_view authority) {
    HostPort parts;
    std::string_view rest;
    if (!authority.empty() && authority.front() == '[') {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return invalid("the URL's IPv6 address has no ']'");
        const auto address = authority.substr(1, end - 1);
        if (address.find(':') == std::string_view::npos ||
            address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos)
            return invalid("the URL's host in brackets is not an IPv6 address");
        parts.host = normal_host(address);
        rest = authority.substr(end + 1);
        if (!rest.empty() && rest.front() != ':') return invalid("the URL's port is malformed");
    } else {
        const auto colon = authority.find(':');
        parts.host = normal_host(authority.substr(0, colon));
        if (!is_host(parts.host) || parts.host.find(':') != std::string::npos)
            return invalid("the URL's host is empty or has characters that no host name has");
        rest = colon == std::string_view::npos ? std::string_view{} : authority.substr(colon);
    }
    if (!rest.empty()) {
        parts.port = rest.substr(1);
        if (parts.port.empty()) return invalid("the URL has ':' after the host but no port");
    }
    return parts;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned value = 0;
        if (i + 2 >= text.size()) return std::nullopt;
        const auto [end, error] = std::from_chars(&text[i + 1], &text[i + 1] + 2, value, 16);
        if (error != std::errc{} || end != &text[i + 1] + 2 || value < 0x20) return std::nullopt;
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

bool take_scheme(std::string_view& text, std::string_view scheme) {
    if (text.size() < scheme.size()) return false;
    if (!std::equal(scheme.begin(), scheme.end(), text.begin(),
                    [](char a, char b) { return a == lower(b); }))
        return false;
    text.remove_prefix(scheme.size());
    return true;
}

}  // namespace

std::string normal_host(std::string_view host) {
    if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
    std::string out(host);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

bool is_host(std::string_view host) {
    constexpr std::string_view kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:";
    return !host.empty() && host.size() <= 253 && host.front() != '-' &&
           host.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string authority_of(std::string_view host, std::uint16_t port) {
    std::string out;
    const bool v6 = host.find(':') != std::string_view::npos;
    if (v6) out += '[';
    out += host;
    if (v6) out += ']';
    return out + ":" + std::to_string(port);
}

std::string Url::authority() const { return authority_of(host, port); }

std::string ProxyUrl::authority() const { return authority_of(host, port); }

std::string Url::host_header() const {
    auto text = authority();
    if (port == (tls ? 443 : 80)) text.erase(text.rfind(':'));
    return text;
}

Result<Url> parse_url(std::string_view text) {
    if (text.size() > kMostUrlBytes) return invalid("the URL is longer than 8192 bytes");
    if (!is_visible_ascii(text))
        return invalid("the URL has a blank, control or non-ASCII character; percent-encode it");
    Url url;
    if (take_scheme(text, "https://")) {
        url.tls = true;
    } else if (!take_scheme(text, "http://")) {
        return invalid("the URL does not begin with http:// or https://");
    }
    text = text.substr(0, text.find('#'));
    const auto end = std::min(text.find_first_of("/?\\"), text.size());
    const auto authority = text.substr(0, end);
    if (authority.find('@') != std::string_view::npos)
        return invalid(
            "the URL holds a user name or password; put credentials into the secret instead");
    auto parts = split_authority(authority);
    if (!parts) return std::move(parts).error();
    url.host = std::move(parts->host);
    url.port = url.tls ? 443 : 80;
    if (!parts->port.empty()) {
        const auto port = parse_port(parts->port);
        if (!port) return invalid("the URL's port is not a number from 1 to 65535");
        url.port = *port;
    }
    url.target = text.substr(end);
    if (url.target.find('\\') != std::string::npos) return invalid("the URL has a backslash");
    if (url.target.empty() || url.target.front() == '?') url.target.insert(0, "/");
    return url;
}

Result<ProxyUrl> parse_proxy_url(std::string_view text) {
    if (text.size() > kMostUrlBytes || !is_visible_ascii(text))
        return invalid("the proxy's URL has a blank, control or non-ASCII character");
    if (!take_scheme(text, "http://"))
        return invalid("the proxy's URL does not begin with http://, the one kind that is served");
    const auto path = text.find_first_of("/?#\\");
    if (path != std::string_view::npos && text.substr(path) != "/")
        return invalid("the proxy's URL has a path; write http://host:port");
    auto authority = text.substr(0, path);
    ProxyUrl proxy;
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        const auto decoded = percent_decoded(authority.substr(0, at));
        if (!decoded)
            return invalid("the proxy's user or password has a malformed percent-encoding");
        proxy.credentials = Secret(*decoded);
        authority.remove_prefix(at + 1);
    }
    auto parts = split_authority(authority);
    if (!parts) return context(std::move(parts).error(), "proxy");
    const auto port = parts->port.empty() ? std::optional<std::uint16_t>{std::uint16_t{3128}}
                                          : parse_port(parts->port);
    if (!port) return invalid("the proxy's port is not a number from 1 to 65535");
    proxy.host = std::move(parts->host);
    proxy.port = *port;
    return proxy;
}

}  // namespace promotiond::net
