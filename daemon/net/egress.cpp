#include "net/egress.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "net/url.hpp"

namespace promotiond::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// RFC 6052 well-known prefix: a NAT64 gateway turns such an address into the IPv4 one at its end.
constexpr std::array<std::uint8_t, 12> kNat64Prefix{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};

struct BuiltIn {
    std::string_view range;
    std::string_view what;
};

// RFC 3927, 4291, 1122; the metadata addresses of AWS, Google and Azure (their documentation).
constexpr BuiltIn kRefused[] = {
    {"169.254.169.254", "a cloud metadata address"},
    {"fd00:ec2::254", "a cloud metadata address"},
    {"168.63.129.16", "a cloud metadata address"},
    {"169.254.0.0/16", "link-local"},
    {"fe80::/10", "link-local"},
    {"0.0.0.0/8", "unspecified"},
    {"::", "unspecified"},
    {"224.0.0.0/4", "multicast"},
    {"ff00::/8", "multicast"},
    {"255.255.255.255", "broadcast"},
};
constexpr std::string_view kMetadataName = "metadata.google.internal";

bool looks_like_range(std::string_view rule) {
    return rule.find('/') != std::string_view::npos || rule.find(':') != std::string_view::npos;
}

bool name_matches(std::string_view pattern, std::string_view host) {
    if (pattern == "*") return true;
    if (!pattern.starts_with("*.")) return pattern == host;
    const auto suffix = pattern.substr(1);
    return host.size() > suffix.size() && host.ends_with(suffix);
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
    const std::string copy(text);
    Address out;
    in_addr v4{};
    if (inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
        std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.bytes_.begin());
        std::memcpy(out.bytes_.data() + kMappedPrefix.size(), &v4, sizeof v4);
        return out;
    }
    if (inet_pton(AF_INET6, copy.c_str(), out.bytes_.data()) != 1) return std::nullopt;
    return out;
}

std::optional<Address> Address::from(const sockaddr& address) {
    Address out;
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.bytes_.begin());
        std::memcpy(out.bytes_.data() + kMappedPrefix.size(), &v4.sin_addr, sizeof v4.sin_addr);
        return out;
    }
    if (address.sa_family != AF_INET6) return std::nullopt;
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    std::memcpy(out.bytes_.data(), &v6.sin6_addr, kBytes);
    if (std::equal(kNat64Prefix.begin(), kNat64Prefix.end(), out.bytes_.begin()))
        std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.bytes_.begin());
    return out;
}

bool Address::is_v4() const {
    return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes_.begin());
}

std::string Address::text() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    if (is_v4()) {
        inet_ntop(AF_INET, bytes_.data() + kMappedPrefix.size(), buffer, sizeof buffer);
    } else {
        inet_ntop(AF_INET6, bytes_.data(), buffer, sizeof buffer);
    }
    return buffer;
}

std::optional<Range> Range::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto first = Address::parse(text.substr(0, slash));
    if (!first) return std::nullopt;
    Range range;
    range.first_ = *first;
    const unsigned most = first->is_v4() ? 32 : 128;
    unsigned bits = most;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (error != std::errc{} || end != digits.data() + digits.size() || bits > most)
            return std::nullopt;
    }
    range.bits_ = bits + (128 - most);
    return range;
}

bool Range::contains(const Address& address) const {
    const auto& a = first_.bytes();
    const auto& b = address.bytes();
    const std::size_t whole = bits_ / 8;
    if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin()))
        return false;
    const unsigned rest = bits_ % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xffu << (8 - rest));
    return (a[whole] & mask) == (b[whole] & mask);
}

RuleList::RuleList(const std::vector<std::string>& rules) {
    for (const auto& rule : rules) {
        if (const auto range = Range::parse(rule)) {
            ranges_.push_back(*range);
        } else if (looks_like_range(rule) || rule.empty()) {
            broken_ = true;
        } else {
            names_.push_back(normal_host(rule));
        }
    }
}

bool RuleList::matches(std::string_view host) const {
    const auto name = normal_host(host);
    return std::any_of(names_.begin(), names_.end(),
                       [&](const auto& pattern) { return name_matches(pattern, name); });
}

bool RuleList::matches(const Address& address) const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [&](const auto& range) { return range.contains(address); });
}

Egress::Egress(const EgressRules& rules)
    : allow_(rules.allow), deny_(rules.deny), only_allowed_(rules.only_allowed) {}

std::optional<std::string> Egress::refusal(std::string_view host,
                                           const std::optional<Address>& resolved) const {
    const auto address = resolved ? resolved : Address::parse(host);
    if (allow_.matches(host) || (address && allow_.matches(*address))) return std::nullopt;
    if (deny_.matches(host)) return "the name is on the deny list";
    if (address && deny_.matches(*address)) return address->text() + " is on the deny list";
    // A rule that cannot be read might have meant anything.
    if (deny_.broken()) return "the deny list has an entry that is no address range and no name";
    if (normal_host(host) == kMetadataName) return "it names a cloud metadata service";
    if (address) {
        for (const auto& rule : kRefused) {
            const auto range = Range::parse(rule.range);
            if (range && range->contains(*address))
                return address->text() + " is " + std::string(rule.what);
        }
    }
    if (only_allowed_) return "it is not on the allow list";
    return std::nullopt;
}

Result<void> check(const EgressRules& rules) {
    for (const auto* list : {&rules.allow, &rules.deny}) {
        for (const auto& rule : *list) {
            if (!RuleList({rule}).broken()) continue;
            return Error{ErrorKind::Invalid,
                         "egress rule \"" + rule +
                             "\" is neither an address range such as 10.0.0.0/8 nor a host name "
                             "such as *.example.com"};
        }
    }
    return {};
}

}  // namespace promotiond::net
