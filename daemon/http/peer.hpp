// Who a request comes from: the TCP peer, or whoever a trusted proxy says it speaks for.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/message.hpp"

namespace promotiond::http {

// An address as 16 bytes; IPv4 is held as IPv4-mapped IPv6 (RFC 4291 2.5.5.2).
struct Address {
    std::array<unsigned char, 16> bytes{};

    [[nodiscard]] static std::optional<Address> parse(std::string_view text);
    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] bool is_loopback() const;
    // What limits count by: an IPv4 address, or the /64 of an IPv6 one, since one host has all of
    // it.
    [[nodiscard]] std::string limit_key() const;
    [[nodiscard]] std::string text() const;
};

// Address ranges, "10.0.0.0/8", "fd00::/8" or a single address.
class AddressRanges {
public:
    // Invalid: names the entry that is not a range.
    [[nodiscard]] static Result<AddressRanges> parse(const std::vector<std::string>& ranges);
    [[nodiscard]] bool contain(const Address& address) const;
    [[nodiscard]] bool empty() const { return ranges_.empty(); }

private:
    struct Range {
        Address first;
        unsigned bits = 128;
    };
    std::vector<Range> ranges_;
};

// True if any header of a proxy is there, believed or not.
[[nodiscard]] bool is_forwarded(const Headers& headers);

// The client of a request. Headers are believed only if the peer itself is a trusted proxy:
// X-Forwarded-For read from the right up to the first address that is no trusted proxy, else
// X-Real-IP.
[[nodiscard]] Address client_of(const Address& peer, const Headers& headers,
                                const AddressRanges& trusted);

}  // namespace promotiond::http
