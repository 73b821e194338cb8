#include "http/peer.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace promotiond::http {
namespace {

constexpr std::array<unsigned char, 12> kV4Mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711", as proxies write them.
std::optional<Address> forwarded_address(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        return end == std::string_view::npos ? std::nullopt
                                             : Address::parse(text.substr(1, end - 1));
    }
    if (std::count(text.begin(), text.end(), ':') == 1) text = text.substr(0, text.find(':'));
    return Address::parse(text);
}

std::vector<std::string_view> forwarded_for(const Headers& headers) {
    std::vector<std::string_view> hops;
    for (const auto& [name, value] : headers) {
        if (name != "x-forwarded-for") continue;
        std::string_view rest = value;
        while (true) {
            const std::size_t comma = rest.find(',');
            hops.push_back(rest.substr(0, comma));
            if (comma == std::string_view::npos) break;
            rest.remove_prefix(comma + 1);
        }
    }
    return hops;
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
    const std::string copy(text.substr(0, 64));
    Address address;
    if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
    std::copy(kV4Mapped.begin(), kV4Mapped.end(), address.bytes.begin());
    if (inet_pton(AF_INET, copy.c_str(), address.bytes.data() + 12) == 1) return address;
    return std::nullopt;
}

bool Address::is_v4() const {
    return std::equal(kV4Mapped.begin(), kV4Mapped.end(), bytes.begin());
}

bool Address::is_loopback() const {
    if (is_v4()) return bytes[12] == 127;
    static const Address kLoopback = *Address::parse("::1");
    return bytes == kLoopback.bytes;
}

std::string Address::limit_key() const {
    const auto* begin = reinterpret_cast<const char*>(bytes.data());
    return {begin, is_v4() ? bytes.size() : bytes.size() / 2};
}

std::string Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_v4()) {
        inet_ntop(AF_INET, bytes.data() + 12, text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
    }
    return text.data();
}

Result<AddressRanges> AddressRanges::parse(const std::vector<std::string>& ranges) {
    AddressRanges out;
    for (const std::string& text : ranges) {
        const std::size_t slash = text.find('/');
        const auto address = Address::parse(std::string_view(text).substr(0, slash));
        unsigned bits = 128;
        bool good = address.has_value();
        if (good && slash != std::string::npos) {
            const char* const end = text.data() + text.size();
            const auto [at, error] = std::from_chars(text.data() + slash + 1, end, bits);
            good = error == std::errc{} && at == end && bits <= (address->is_v4() ? 32 : 128);
            if (address->is_v4()) bits += 96;
        }
        if (!good) {
            return Error{ErrorKind::Invalid, "'" + text +
                                                 "' is no address range; write it as 10.0.0.0/8, "
                                                 "fd00::/8 or a single address"};
        }
        out.ranges_.push_back({*address, bits});
    }
    return out;
}

bool AddressRanges::contain(const Address& address) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
        const std::size_t whole = range.bits / 8;
        if (!std::equal(range.first.bytes.begin(),
                        range.first.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                        address.bytes.begin())) {
            return false;
        }
        const unsigned rest = range.bits % 8;
        if (rest == 0) return true;
        const unsigned difference =
            static_cast<unsigned>(range.first.bytes[whole] ^ address.bytes[whole]);
        return difference >> (8 - rest) == 0;
    });
}

bool is_forwarded(const Headers& headers) {
    return std::any_of(headers.begin(), headers.end(), [](const auto& header) {
        return header.first == "x-forwarded-for" || header.first == "x-real-ip" ||
               header.first == "forwarded" || header.first == "via";
    });
}

Address client_of(const Address& peer, const Headers& headers, const AddressRanges& trusted) {
    if (!trusted.contain(peer)) return peer;
    const auto hops = forwarded_for(headers);
    Address client = peer;
    for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
        const auto address = forwarded_address(*hop);
        if (!address) return client;
        client = *address;
        if (!trusted.contain(client)) return client;
    }
    if (!hops.empty()) return client;
    for (const auto& [name, value] : headers) {
        if (name != "x-real-ip") continue;
        if (const auto address = forwarded_address(value)) return *address;
    }
    return client;
}

}  // namespace promotiond::http
