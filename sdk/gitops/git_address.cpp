#include "git_address.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <promotiond/gitops/mirror.hpp>

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxHostBytes = 253;
constexpr std::size_t kMaxBranchBytes = 200;

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

Error invalid(const std::string& why) {
    return {ErrorKind::Invalid, "repository URL refused: " + why};
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Percent escapes may stand for spaces and letters of other scripts, but not for what the plain
// rules forbid: control characters, a slash, a dot (as in "%2e%2e").
bool harmless_escape(std::string_view path, std::size_t at) {
    if (at + 2 >= path.size()) return false;
    const int high = hex_value(path[at + 1]);
    const int low = hex_value(path[at + 2]);
    if (high < 0 || low < 0) return false;
    const int value = high * 16 + low;
    return value >= 0x20 && value != 0x7f && !is_one_of(static_cast<char>(value), "/\\.%'\"`$");
}

std::optional<std::string> path_fault(std::string_view path) {
    for (std::size_t i = 0; i < path.size(); ++i) {
        const char c = path[i];
        if (c == '%' && harmless_escape(path, i)) continue;
        if (!is_letter_or_digit(c) && !is_one_of(c, "._~/+-@"))
            return "the path holds a character other than letters, digits and . _ ~ / + - @ "
                   "(write others as %XX)";
    }
    if (path.empty() || path == "/") return "it names no repository";
    if (path.front() == '-') return "the path begins with '-'";
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const auto segment = path.substr(begin, end - begin);
        if (segment == "." || segment == "..") return "the path holds '.' or '..'";
        if (!segment.empty() && segment.front() == '-') return "a part of the path begins with '-'";
        begin = end + 1;
    }
    return std::nullopt;
}

std::optional<std::string> host_fault(std::string_view host) {
    if (host.empty()) return "it names no host";
    if (host.size() > kMaxHostBytes) return "the host's name is longer than 253 bytes";
    if (host.find(':') != std::string_view::npos) {  // came from brackets
        const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
            return hex_value(c) >= 0 || c == ':' || c == '.';
        });
        if (plain) return std::nullopt;
        return "an IPv6 address may not have a scope";
    }
    if (is_one_of(host.front(), "-.") || host.back() == '-')
        return "the host begins or ends with '-' or '.'";
    for (const char c : host)
        if (!is_letter_or_digit(c) && !is_one_of(c, "-."))
            return "the host holds a character other than letters, digits, '-' and '.' (write "
                   "international names in their xn-- form)";
    if (host.find("..") != std::string_view::npos) return "the host holds an empty label";
    return std::nullopt;
}

bool good_user(std::string_view user) {
    if (user.empty() || user.size() > 64 || user.front() == '-' || user.front() == '.')
        return false;
    return std::all_of(user.begin(), user.end(),
                       [](char c) { return is_letter_or_digit(c) || is_one_of(c, "._-"); });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (failure != std::errc() || end != text.data() + text.size() || port == 0) return {};
    return port;
}

// "host", "host:port", "[v6]", "[v6]:port"
std::optional<std::string> take_host_and_port(std::string_view authority, GitAddress& address) {
    std::string_view port;
    if (!authority.empty() && authority.front() == '[') {
        const auto close = authority.find(']');
        if (close == std::string_view::npos) return "the bracket of the IPv6 address is not closed";
        address.host = authority.substr(1, close - 1);
        if (address.host.find(':') == std::string::npos) return "brackets are for IPv6 addresses";
        const auto rest = authority.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return "text follows the IPv6 address";
        if (!rest.empty()) port = rest.substr(1);
        if (rest == ":") return "the port is not a number from 1 to 65535";
    } else {
        const auto colon = authority.find(':');
        address.host = authority.substr(0, colon);
        if (colon != std::string_view::npos) {
            port = authority.substr(colon + 1);
            if (port.empty()) return "the port is not a number from 1 to 65535";
        }
    }
    if (!port.empty()) {
        const auto number = parse_port(port);
        if (!number) return "the port is not a number from 1 to 65535";
        address.port = *number;
    }
    return host_fault(address.host);
}

Result<GitAddress> parse_with_scheme(std::string_view rest, GitScheme scheme) {
    GitAddress address;
    address.scheme = scheme;
    address.port = scheme == GitScheme::Https ? 443 : 22;
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return invalid("it names no repository");
    auto authority = rest.substr(0, slash);
    address.path = rest.substr(slash);
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        if (scheme == GitScheme::Https)
            return invalid("it holds a user name or password; put them into the secret");
        if (!good_user(authority.substr(0, at)))
            return invalid("the user must be letters, digits and . _ - without a password");
        address.user = authority.substr(0, at);
        authority = authority.substr(at + 1);
    }
    if (auto fault = take_host_and_port(authority, address)) return invalid(*fault);
    if (auto fault = path_fault(address.path)) return invalid(*fault);
    if (scheme == GitScheme::Ssh && address.path.size() > 1 && address.path[1] == '~')
        address.path.erase(0, 1);
    return address;
}

// user@host:path, as git and scp write it.
Result<GitAddress> parse_short_form(std::string_view url) {
    const auto at = url.find('@');
    const auto colon = url.find(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon < at ||
        url.find("::") != std::string_view::npos)
        return invalid("it must be https://host/path, ssh://user@host/path or user@host:path");
    GitAddress address;
    address.scheme = GitScheme::Ssh;
    address.port = 22;
    address.user = url.substr(0, at);
    address.host = url.substr(at + 1, colon - at - 1);
    address.path = url.substr(colon + 1);
    if (!good_user(address.user)) return invalid("the user must be letters, digits and . _ -");
    if (auto fault = host_fault(address.host)) return invalid(*fault);
    if (auto fault = path_fault(address.path)) return invalid(*fault);
    return address;
}

std::optional<std::string> branch_fault(std::string_view branch) {
    if (branch.empty()) return "it is empty";
    if (branch.size() > kMaxBranchBytes) return "it is longer than 200 bytes";
    if (!is_letter_or_digit(branch.front())) return "it does not begin with a letter or digit";
    for (const char c : branch)
        if (!is_letter_or_digit(c) && !is_one_of(c, "._/-"))
            return "it holds a character other than letters, digits and . _ / -";
    if (branch.find("..") != std::string_view::npos) return "it holds '..'";
    if (branch.substr(0, 5) == "refs/") return "it begins with refs/; give the short name";
    if (branch == "HEAD") return "HEAD is not a branch";
    for (std::size_t begin = 0; begin <= branch.size();) {
        const std::size_t end = std::min(branch.find('/', begin), branch.size());
        const auto part = branch.substr(begin, end - begin);
        if (part.empty()) return "it holds an empty part between slashes";
        if (part.front() == '.' || part.back() == '.') return "a part begins or ends with '.'";
        if (part.front() == '-') return "a part begins with '-'";
        if (part.size() >= 5 && part.substr(part.size() - 5) == ".lock")
            return "a part ends with .lock";
        begin = end + 1;
    }
    return std::nullopt;
}

}  // namespace

std::string GitAddress::host_and_port() const {
    const bool literal = host.find(':') != std::string::npos;
    std::string text = literal ? "[" + host + "]" : host;
    const std::uint16_t usual = scheme == GitScheme::Https ? 443 : 22;
    if (port != usual) text += ":" + std::to_string(port);
    return text;
}

std::string GitAddress::display() const {
    return host_and_port() + (path.front() == '/' ? "" : ":") + path;
}

Result<GitAddress> parse_git_address(std::string_view url) {
    if (url.size() > kMaxUrlBytes) return invalid("it is longer than 2048 bytes");
    for (const char c : url)
        if (c <= 0x20 || c >= 0x7f)
            return invalid("it holds a space, a control character or a non-ASCII character");
    if (url.substr(0, 8) == "https://") return parse_with_scheme(url.substr(8), GitScheme::Https);
    if (url.substr(0, 6) == "ssh://") return parse_with_scheme(url.substr(6), GitScheme::Ssh);
    if (url.substr(0, 7) == "http://")
        return invalid("plain http would show the credentials to the network; use https");
    if (url.find("://") != std::string_view::npos) return invalid("only https and ssh are taken");
    return parse_short_form(url);
}

Result<void> check_repository_url(std::string_view url) {
    auto address = parse_git_address(url);
    if (!address) return address.error();
    return {};
}

Result<void> check_branch_name(std::string_view branch) {
    if (auto fault = branch_fault(branch))
        return Error{ErrorKind::Invalid, "branch name refused: " + *fault};
    return {};
}

}  // namespace promotiond::sdk::inline v1::gitops
