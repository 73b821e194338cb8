// Where a repository is: its URL taken apart, after the rules of check_repository_url.
#ifndef PROMOTIOND_GITOPS_GIT_ADDRESS_HPP
#define PROMOTIOND_GITOPS_GIT_ADDRESS_HPP

#include <cstdint>
#include <string>
#include <string_view>

#include <promotiond/result.hpp>

namespace promotiond::sdk::inline v1::gitops {

enum class GitScheme { Https, Ssh };

struct GitAddress {
    GitScheme scheme = GitScheme::Https;
    std::string user;  // SSH only; empty = the credentials', else "git"
    std::string host;  // without the brackets of an IPv6 literal
    std::uint16_t port = 0;
    std::string path;  // as the server wants it: "/org/app.git", or "org/app.git" from host:path

    [[nodiscard]] std::string host_and_port() const;  // as in a Host header
    [[nodiscard]] std::string display() const;        // host and path, for people
};

// Invalid with the reason; the text never repeats what could be a password.
[[nodiscard]] Result<GitAddress> parse_git_address(std::string_view url);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
