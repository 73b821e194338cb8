#include "net/proxy.hpp"

#include <openssl/evp.h>

#include <algorithm>

#include "net/exchange.hpp"

namespace promotiond::net {
namespace {

std::string base64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

}  // namespace

ProxyRules::ProxyRules(std::string own, const std::vector<std::string>& no_proxy)
    : own_(std::move(own)) {
    for (const auto& entry : no_proxy) {
        if (const auto range = Range::parse(entry)) {
            direct_ranges_.push_back(*range);
            continue;
        }
        auto suffix = normal_host(entry);
        if (suffix.starts_with("*.")) suffix.erase(0, 1);
        if (suffix.starts_with(".")) suffix.erase(0, 1);
        if (!suffix.empty()) direct_suffixes_.push_back(std::move(suffix));
    }
}

bool ProxyRules::is_direct(std::string_view host) const {
    if (const auto address = Address::parse(host)) {
        return std::any_of(direct_ranges_.begin(), direct_ranges_.end(),
                           [&](const auto& range) { return range.contains(*address); });
    }
    const auto name = normal_host(host);
    return std::any_of(direct_suffixes_.begin(), direct_suffixes_.end(),
                       [&](const std::string& suffix) {
                           return suffix == "*" || name == suffix ||
                                  (name.size() > suffix.size() && name.ends_with(suffix) &&
                                   name[name.size() - suffix.size() - 1] == '.');
                       });
}

Result<std::optional<ProxyRules::Choice>> ProxyRules::choose(std::string_view asked,
                                                             std::string_view host) const {
    const bool own = asked.empty();
    if (own && (own_.empty() || is_direct(host))) return std::optional<Choice>{};
    auto proxy = parse_proxy_url(own ? std::string_view(own_) : asked);
    if (!proxy) return std::move(proxy).error();
    return std::optional<Choice>(Choice{std::move(*proxy), own});
}

std::string proxy_authorization(const ProxyUrl& proxy) {
    if (proxy.credentials.empty()) return {};
    return "Basic " + base64(proxy.credentials.reveal());
}

std::optional<HttpError> open_tunnel(Connection& connection, const ProxyUrl& proxy,
                                     const std::string& authority, std::string_view user_agent,
                                     const Limit& limit) {
    std::string head = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
    head.append("User-Agent: ").append(user_agent).append("\r\n");
    if (const auto authorization = proxy_authorization(proxy); !authorization.empty())
        head += "Proxy-Authorization: " + authorization + "\r\n";
    head += "\r\n";
    if (auto error = connection.write_all(head, limit)) return error;
    const auto answer = read_connect_answer(connection, limit);
    if (const auto* error = std::get_if<HttpError>(&answer)) return *error;
    const int code = std::get<int>(answer);
    if (code / 100 == 2) return std::nullopt;
    return HttpError{Failure::Connect, "the proxy " + proxy.authority() +
                                           " refuses to connect to " + authority + ": it answers " +
                                           std::to_string(code) +
                                           (code == 407 ? " (check its user and password)" : "")};
}

}  // namespace promotiond::net
