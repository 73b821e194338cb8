// Config and secrets of a pull-request strategy, as far as they are the same for all forges.
#pragma once

#include <Poco/JSON/Object.h>

#include <promotiond/gitops/pull_request.hpp>
#include <promotiond/strategy.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace promotiond::forge {

// An object; empty text is an empty one. Throws Poco::Exception.
[[nodiscard]] Poco::JSON::Object::Ptr parse_config(std::string_view json);
[[nodiscard]] std::string text_or(const Poco::JSON::Object& object, const std::string& key,
                                  const std::string& other = {});
[[nodiscard]] std::vector<std::string> names(const Poco::JSON::Object& object,
                                             const std::string& key);

// url, branch, secretRef (a name, or an object with the name), labels, reviewers, draft, image,
// mergeAfter and author; the author from the settings where the config names none. Throws
// Poco::Exception.
[[nodiscard]] sdk::gitops::PullRequestConfig read_pull_request(const Poco::JSON::Object& config,
                                                               const Poco::JSON::Object& settings);

// A secret's values, one after the other; the first failure stays.
class SecretReader {
public:
    SecretReader(const sdk::Call& call, std::string secret);

    // Without the line break at the end that files written by hand have. Empty: no such key, or
    // failure is set.
    [[nodiscard]] sdk::Secret key(std::string_view name);
    [[nodiscard]] std::string open_key(std::string_view name);
    // The first of the two that is there.
    [[nodiscard]] sdk::Secret either(std::string_view name, std::string_view other);

    std::optional<sdk::Error> failure;

private:
    const sdk::Call& call_;
    std::string secret_;
};

// What git needs: username, password, caFile or ca.crt, identity, known_hosts, proxy. Look at
// reader.failure afterwards.
[[nodiscard]] sdk::gitops::Credentials read_git_credentials(SecretReader& reader);
// What has to go together: identity and known_hosts for ssh, where the password is the key's
// passphrase; username and password otherwise. Invalid: the secret lacks one.
[[nodiscard]] sdk::Result<void> settle_git_credentials(sdk::gitops::Credentials& git, bool over_ssh,
                                                       const std::string& secret);

}  // namespace promotiond::forge
