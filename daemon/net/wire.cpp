#include "net/wire.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace promotiond::net {
namespace {

// The client frames the message and owns the connection, so these are not the caller's to say.
constexpr std::string_view kOwnHeaders[] = {
    "connection",          "transfer-encoding", "te",     "trailer", "upgrade", "keep-alive",
    "proxy-authorization", "proxy-connection",  "expect",
};

bool same_name(std::string_view a, std::string_view b) {
    return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

bool is_token(std::string_view text) {
    constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kPunctuation.find(c) != std::string_view::npos;
    });
}

bool is_field_value(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

Error invalid(std::string message) { return Error{ErrorKind::Invalid, std::move(message)}; }

Result<void> check_headers(const Request& request) {
    int hosts = 0;
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name)) return invalid("a header's name is empty or no RFC 9110 token");
        if (!is_field_value(value))
            return invalid("the value of header " + name +
                           " has a line break or control character");
        if (same_name(name, "host") && ++hosts > 1)
            return invalid("the Host header is given twice");
        if (same_name(name, "content-length") && value != std::to_string(request.body.size()))
            return invalid("the Content-Length header does not fit the body; leave it out");
        for (const auto own : kOwnHeaders) {
            if (same_name(name, own))
                return invalid("header " + name + " belongs to the connection; leave it out");
        }
    }
    return {};
}

void append(std::string& head, std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool is_idempotent(std::string_view method) {
    constexpr std::string_view kMethods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

std::optional<std::string_view> header(const Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
        if (same_name(key, name)) return value;
    }
    return std::nullopt;
}

Result<Wire> to_wire(const Request& request, const Url& url, const WireOptions& options) {
    if (!is_token(request.method)) return invalid("the method is no RFC 9110 token");
    if (request.method == "CONNECT") return invalid("CONNECT is not a request; use dial");
    if (auto checked = check_headers(request); !checked) return std::move(checked).error();
    Wire wire;
    wire.body = request.body;
    auto& head = wire.head;
    head.append(request.method).append(" ");
    if (options.absolute_form) head.append("http://").append(url.host_header());
    head.append(url.target).append(" HTTP/1.1\r\n");
    if (!header(request.headers, "host")) append(head, "Host", url.host_header());
    if (!header(request.headers, "user-agent")) append(head, "User-Agent", options.user_agent);
    if (!header(request.headers, "accept-encoding")) append(head, "Accept-Encoding", "identity");
    if (!options.proxy_authorization.empty())
        append(head, "Proxy-Authorization", options.proxy_authorization);
    for (const auto& [name, value] : request.headers) {
        if (!same_name(name, "content-length")) append(head, name, value);
    }
    const bool has_body = !request.body.empty() || request.method == "POST" ||
                          request.method == "PUT" || request.method == "PATCH";
    if (has_body) append(head, "Content-Length", std::to_string(request.body.size()));
    head.append("\r\n");
    return wire;
}

}  // namespace promotiond::net
