#include "site.hpp"

#include <Poco/Exception.h>
#include <Poco/URI.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "forge/answer.hpp"
#include "forge/names.hpp"

namespace promotiond::azdo {
namespace {

using forge::is_same;
using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using Segments = std::vector<std::string>;

constexpr std::string_view kHttps = "https://";
constexpr std::string_view kSsh = "ssh://";
constexpr std::string_view kOldCloud = ".visualstudio.com";

// An address in its parts, before anybody knows whose it is.
struct Address {
    std::string scheme;  // "https://", "ssh://" or "" for user@host:path
    std::string user;
    std::string host;  // lower case
    std::string port;  // with its colon, or empty
    Segments path;     // decoded

    [[nodiscard]] bool ssh() const { return scheme != kHttps; }
};

// What neither Azure allows in a name nor an address can carry safely.
bool is_name(const std::string& text) {
    if (text.empty() || text == "." || text == "..") return false;
    return std::none_of(text.begin(), text.end(), [](unsigned char c) {
        return c < 0x20 || c == 0x7F ||
               std::string_view("/\\:*?\"<>|%#").find(static_cast<char>(c)) !=
                   std::string_view::npos;
    });
}

std::optional<Segments> segments_of(std::string_view path) {
    Segments out;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        std::string name;
        try {
            Poco::URI::decode(std::string(path.substr(0, end)), name);
        } catch (const Poco::Exception&) {
            return std::nullopt;
        }
        if (!is_name(name)) return std::nullopt;
        out.push_back(std::move(name));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return out;
}

// A name, or an IPv6 address in its brackets.
bool is_host(std::string_view text) {
    return !text.empty() &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._[:]") == text.npos;
}

// With its colon; none is fine.
bool is_port(std::string_view text) {
    return text.empty() ||
           (text.size() > 1 && text.find_first_not_of("0123456789", 1) == text.npos);
}

std::optional<Address> address_of(std::string_view url) {
    Address address;
    for (const auto scheme : {kHttps, kSsh}) {
        if (!url.starts_with(scheme)) continue;
        address.scheme = scheme;
        url.remove_prefix(scheme.size());
    }
    const bool scp = address.scheme.empty();
    const auto cut = url.find(scp ? ':' : '/');
    if (cut == std::string_view::npos) return std::nullopt;
    std::string_view authority = url.substr(0, cut);
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        address.user = authority.substr(0, at);
        authority.remove_prefix(at + 1);
    } else if (scp) {
        return std::nullopt;
    }
    const auto colon = authority.find(':', authority.starts_with('[') ? authority.find(']') : 0);
    address.host = forge::lower(authority.substr(0, colon));
    if (colon != std::string_view::npos) address.port = authority.substr(colon);
    auto path = segments_of(url.substr(cut + 1));
    if (!is_host(address.host) || !is_port(address.port) || !path) return std::nullopt;
    address.path = *std::move(path);
    return address;
}

// Of a collection, which may end in a slash or not.
std::optional<Address> collection_of(const std::string& url) {
    return address_of(url.ends_with('/') ? url : url + "/");
}

std::string joined(const Segments& segments) {
    std::string out;
    for (const auto& each : segments) out += (out.empty() ? "" : "/") + encoded(each);
    return out;
}

// One name is the project's and the repository's.
bool take_names(Site& site, const Segments& names) {
    site.project = names.front();
    site.repo = names.back();
    return true;
}

// v3/ORG/PROJECT/REPO, how both ssh hosts of the service have it.
bool read_v3(Site& site, const Segments& path) {
    if (path.size() != 4 || path[0] != "v3") return false;
    site.collection = "https://dev.azure.com/" + encoded(path[1]);
    return take_names(site, {path[2], path[3]});
}

bool is_mark(const std::string& segment) { return segment == "_git" || segment == "_ssh"; }

// [PROJECT/]_git/REPO or PROJECT/_git, behind what is skipped.
bool read_names(Site& site, const Segments& path, std::size_t skipped) {
    const auto from = path.begin() + static_cast<std::ptrdiff_t>(std::min(skipped, path.size()));
    const Segments rest(from, path.end());
    if (rest.size() == 3 && is_mark(rest[1])) return take_names(site, {rest[0], rest[2]});
    if (rest.size() == 2 && is_mark(rest[0])) return take_names(site, {rest[1]});
    return rest.size() == 2 && is_mark(rest[1]) && take_names(site, {rest[0]});
}

// COLLECTION or tfs/COLLECTION; a virtual directory of another name needs apiUrl.
std::size_t collection_size(const Segments& path) {
    return !path.empty() && is_same(path[0], "tfs") ? 2 : 1;
}

bool read_server(Site& site, const Address& address, const std::string& api_url) {
    std::size_t size = collection_size(address.path);
    const auto mark = std::find_if(address.path.begin(), address.path.end(), is_mark);
    const auto before = static_cast<std::size_t>(mark - address.path.begin());
    if (before > size + 1) size = before - 1;  // another virtual directory, seen by its depth
    if (!api_url.empty()) {
        const auto given = collection_of(api_url);
        if (given && given->path.size() <= before) size = given->path.size();
    }
    if (size > before) return false;
    // The port of an ssh address says nothing about the API's.
    site.collection =
        std::string(kHttps) + address.host + (address.ssh() ? "" : address.port) + "/" +
        joined({address.path.begin(), address.path.begin() + static_cast<std::ptrdiff_t>(size)});
    return read_names(site, address.path, size);
}

bool read_cloud(Site& site, const Address& address) {
    const auto& path = address.path;
    if (address.host == "ssh.dev.azure.com") return read_v3(site, path);
    if (address.host == "dev.azure.com") {
        if (path.empty()) return false;
        site.collection = "https://dev.azure.com/" + encoded(path[0]);
        return read_names(site, path, 1);
    }
    if (address.host == "vs-ssh.visualstudio.com" && !path.empty() && path[0] == "v3") {
        return read_v3(site, path);
    }
    const std::string org = address.host == "vs-ssh.visualstudio.com"
                                ? address.user
                                : address.host.substr(0, address.host.size() - kOldCloud.size());
    if (!is_name(org)) return false;
    site.collection = "https://dev.azure.com/" + encoded(org);
    return read_names(site, path, !path.empty() && is_same(path[0], "DefaultCollection") ? 1 : 0);
}

bool is_cloud(const std::string& host) {
    return host == "dev.azure.com" || host == "ssh.dev.azure.com" || host.ends_with(kOldCloud);
}

// Azure's own clone addresses name the organisation as user; anything else may be a token.
bool is_harmless_user(const Address& address) {
    if (address.user.empty() || address.ssh()) return true;
    return address.host == "dev.azure.com" && !address.path.empty() &&
           is_same(address.user, encoded(address.path[0]));
}

// No user, which would be a password on the way to logs, no query, and a host to ask.
bool is_api_address(const std::string& url) {
    const auto address = collection_of(url);
    return address && address->scheme == kHttps && address->user.empty() &&
           std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

// One address for all spellings over https, so that they share what is kept for it; over ssh as it
// was given.
std::string git_url_of(const Address& address, const Site& site) {
    if (!address.ssh()) return site.web;
    const std::string user = address.user.empty() ? "" : address.user + "@";
    return address.scheme + user + address.host + address.port +
           (address.scheme.empty() ? ":" : "/") + joined(address.path);
}

}  // namespace

std::string encoded(const std::string& text) {
    std::string out;
    Poco::URI::encode(text, "!*'();:@&=+$,/?#[]", out);
    return out;
}

std::string Site::api() const {
    return collection + "/" + encoded(project) + "/_apis/git/repositories/" + encoded(repo);
}

std::string Site::page_of(std::uint64_t number) const {
    return web + "/pullrequest/" + std::to_string(number);
}

Result<Site> site_of(const std::string& url, const std::string& api_url) {
    auto address = address_of(url);
    if (address && !is_harmless_user(*address)) {
        return Error{ErrorKind::Invalid,
                     "url holds a user name or password; put them into the secret"};
    }
    if (!api_url.empty() && !is_api_address(api_url)) {
        return Error{ErrorKind::Invalid,
                     "apiUrl is not the address of a collection, https://HOST/COLLECTION"};
    }
    Site site;
    if (address && !address->path.empty()) {
        auto& last = address->path.back();
        if (last.ends_with(".git") && last.size() > 4) last.resize(last.size() - 4);
    }
    const bool read = address && (is_cloud(address->host) ? read_cloud(site, *address)
                                                          : read_server(site, *address, api_url));
    if (!read) {
        return Error{ErrorKind::Invalid,
                     "url is none of an Azure repository: "
                     "https://dev.azure.com/ORGANISATION/PROJECT/_git/REPOSITORY, "
                     "git@ssh.dev.azure.com:v3/ORGANISATION/PROJECT/REPOSITORY or "
                     "https://HOST/COLLECTION/PROJECT/_git/REPOSITORY"};
    }
    site.web = site.collection + "/" + encoded(site.project) + "/_git/" + encoded(site.repo);
    site.identities = site.collection;
    if (is_cloud(address->host)) {
        site.identities.replace(0, kHttps.size(), std::string(kHttps) + "vssps.");
    }
    if (!api_url.empty()) {
        site.collection = api_url;
        while (site.collection.ends_with('/')) site.collection.pop_back();
        site.identities = site.collection;
    }
    site.ssh = address->ssh();
    site.git_url = git_url_of(*address, site);
    return site;
}

}  // namespace promotiond::azdo
