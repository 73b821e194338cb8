// Egress: which names and addresses the daemon may connect to (EgressRules, compiled).
//
// A rule is judged on the address that will be connected to, so that no spelling of an address
// (decimal, hexadecimal, IPv4 inside IPv6) and no second name lookup gets around it. Thread-safety:
// const functions from any thread.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace promotiond::net {

// An IP address; IPv4 is kept as IPv4-mapped IPv6, so that both spellings are one.
class Address {
public:
    static constexpr std::size_t kBytes = 16;

    // Dotted decimal or RFC 4291 text only; not the loose forms that getaddrinfo takes.
    [[nodiscard]] static std::optional<Address> parse(std::string_view text);
    // Nothing for families other than IPv4 and IPv6.
    [[nodiscard]] static std::optional<Address> from(const sockaddr& address);

    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] std::string text() const;
    [[nodiscard]] const std::array<std::uint8_t, kBytes>& bytes() const noexcept { return bytes_; }

private:
    std::array<std::uint8_t, kBytes> bytes_{};
};

class Range {
public:
    // "10.0.0.0/8", "fd00::/8" or a single address.
    [[nodiscard]] static std::optional<Range> parse(std::string_view text);
    [[nodiscard]] bool contains(const Address& address) const;

private:
    Address first_;
    unsigned bits_ = 0;  // of the 128
};

// Ranges and host name patterns ("example.com", "*.example.com", "*").
class RuleList {
public:
    explicit RuleList(const std::vector<std::string>& rules);
    [[nodiscard]] bool matches(std::string_view host) const;
    [[nodiscard]] bool matches(const Address& address) const;
    // An entry that is neither a range nor a pattern.
    [[nodiscard]] bool broken() const noexcept { return broken_; }

private:
    std::vector<Range> ranges_;
    std::vector<std::string> names_;
    bool broken_ = false;
};

class Egress {
public:
    explicit Egress(const EgressRules& rules);

    // Why `host`, to be connected to at `address`, is refused; nothing if it may be. Without an
    // address (a proxy resolves the name) only the rules about names apply.
    [[nodiscard]] std::optional<std::string> refusal(std::string_view host,
                                                     const std::optional<Address>& address) const;

private:
    RuleList allow_;
    RuleList deny_;
    bool only_allowed_;
};

}  // namespace promotiond::net
