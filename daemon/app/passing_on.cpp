#include "app/passing_on.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace promotiond::app {
namespace {

// What either side of an exchange says for itself: of one connection (RFC 9110 7.6.1), or of every
// message alike.
constexpr std::array<std::string_view, 15> kOwnHeaders{"connection",
                                                       "keep-alive",
                                                       "transfer-encoding",
                                                       "te",
                                                       "trailer",
                                                       "upgrade",
                                                       "proxy-connection",
                                                       "proxy-authorization",
                                                       "expect",
                                                       "content-length",
                                                       "host",
                                                       "date",
                                                       "cache-control",
                                                       "x-content-type-options",
                                                       "content-type"};

bool is_own(std::string_view name) {
    return std::any_of(kOwnHeaders.begin(), kOwnHeaders.end(),
                       [name](std::string_view own) { return http::lists(name, own); });
}

// A sender may name more headers that are for the next one alone.
bool is_for_here(const http::Headers& headers, std::string_view name) {
    return std::any_of(headers.begin(), headers.end(), [name](const auto& each) {
        return each.first == "connection" && http::lists(each.second, name);
    });
}

std::string joined_values(const http::Headers& headers, std::string_view name,
                          const std::string& own) {
    std::string all;
    for (const auto& [each, value] : headers) {
        if (each == name) all += value + ", ";
    }
    return all + own;
}

}  // namespace

net::Request passed_on(const http::Request& from, const std::string& address) {
    net::Request to;
    to.method = from.method;
    to.url = address + from.target;
    to.body = from.body;
    for (const auto& header : from.headers) {
        const auto& name = header.first;
        const bool rewritten = name == "x-forwarded-for" || name == "via";
        const bool passes = name == "content-type" || !is_own(name);
        if (passes && !rewritten && !is_for_here(from.headers, name)) to.headers.push_back(header);
    }
    to.headers.emplace_back("x-forwarded-for",
                            joined_values(from.headers, "x-forwarded-for", from.peer));
    to.headers.emplace_back("via",
                            joined_values(from.headers, "via", std::string(http::kReplicaHop)));
    return to;
}

http::Response handed_back(net::Response from) {
    http::Response to;
    to.status = static_cast<unsigned>(from.code);
    to.body = std::move(from.body);
    to.media = std::string(net::header(from.headers, "Content-Type").value_or(""));
    for (auto& header : from.headers) {
        if (!is_own(header.first)) to.headers.push_back(std::move(header));
    }
    return to;
}

}  // namespace promotiond::app
