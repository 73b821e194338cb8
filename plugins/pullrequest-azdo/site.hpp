// Where an Azure repository and its API are: from any spelling of its address. Pure; any thread.
//
// Spellings (Azure DevOps documentation and command line, 2026-11):
//   https://[ORG@]dev.azure.com/ORG/PROJECT/_git/REPO
//   https://ORG.visualstudio.com/[DefaultCollection/]PROJECT/_git/REPO
//   git@ssh.dev.azure.com:v3/ORG/PROJECT/REPO, ORG@vs-ssh.visualstudio.com:v3/ORG/PROJECT/REPO
//   https://HOST/[tfs/]COLLECTION/PROJECT/_git/REPO     Azure DevOps Server, and ssh://HOST:22/...
// PROJECT is left out, or REPO, where both have the same name. Names may hold spaces, as they are
// or as %20.
#pragma once

#include <promotiond/result.hpp>

#include <cstdint>
#include <string>

namespace promotiond::azdo {

struct Site {
    std::string collection;  // https://dev.azure.com/ORG or https://HOST/COLLECTION; no slash at
                             // the end; the API is below it
    std::string identities;  // where people and groups are looked up, likewise
    std::string project;     // names as people write them
    std::string repo;
    std::string web;      // the repository's page
    std::string git_url;  // for git; the same for all spellings of one address, without a user
    bool ssh = false;

    // https://dev.azure.com/ORG/PROJECT/_apis/git/repositories/REPO
    [[nodiscard]] std::string api() const;
    // The page of a pull request, for people.
    [[nodiscard]] std::string page_of(std::uint64_t number) const;
};

// api_url replaces the collection's address where it does not follow from url. Invalid with the
// reason, in which no user name is repeated: it may be a token.
[[nodiscard]] sdk::Result<Site> site_of(const std::string& url, const std::string& api_url);

// Percent-encoded for one segment of a path, or one value of a query.
[[nodiscard]] std::string encoded(const std::string& text);

}  // namespace promotiond::azdo
