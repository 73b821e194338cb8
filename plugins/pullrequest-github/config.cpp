#include "config.hpp"

#include <Poco/Exception.h>
#include <utility>

#include "forge/config.hpp"

namespace promotiond::github {

using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;

Result<Config> read_config(std::string_view config_json, std::string_view settings_json) {
    try {
        const auto config = forge::parse_config(config_json);
        const auto settings = forge::parse_config(settings_json);
        Config out;
        out.pull_request = forge::read_pull_request(*config, *settings);
        auto& options = out.pull_request.options;
        options.team_reviewers = forge::names(*config, "teamReviewers");
        options.assignees = forge::names(*config, "assignees");
        options.auto_merge = config->optValue("autoMerge", false);
        options.merge_method = forge::text_or(*config, "mergeMethod", "merge");
        out.api_url = forge::text_or(*config, "apiUrl", forge::text_or(*settings, "apiUrl"));
        return out;
    } catch (const Poco::Exception& problem) {
        return Error{ErrorKind::Invalid, "cannot read the config: " + problem.displayText()};
    }
}

Result<Keys> read_keys(const sdk::Call& call, const std::string& secret, bool over_ssh) {
    if (secret.empty()) {
        return Error{ErrorKind::Invalid,
                     "secretRef is missing: pull requests need a secret with the key token"};
    }
    forge::SecretReader reader(call, secret);
    Keys keys;
    keys.access.token = reader.key("token");
    keys.app.app_id = reader.open_key("githubAppID");
    keys.app.installation_id = reader.open_key("githubAppInstallationID");
    keys.app.private_key_pem = reader.key("githubAppPrivateKey");
    keys.app.base_url = reader.open_key("githubAppBaseURL");
    keys.git = forge::read_git_credentials(reader);
    if (reader.failure) return *reader.failure;
    if (keys.access.token.empty() && keys.app.app_id.empty()) {
        // Secrets are often made before their tokens, for the key that signs events.
        return Error{ErrorKind::Transient,
                     "secret " + secret +
                         " has neither the key token nor githubAppID; put one "
                         "there, no restart is needed"};
    }
    if (auto whole = forge::settle_git_credentials(keys.git, over_ssh, secret); !whole) {
        return std::move(whole).error();
    }
    keys.access.ca_pem = keys.git.ca_pem;
    keys.access.proxy = keys.git.proxy;
    return keys;
}

}  // namespace promotiond::github
