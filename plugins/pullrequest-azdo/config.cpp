#include "config.hpp"

#include <Poco/Exception.h>

#include <utility>

#include "forge/config.hpp"

namespace promotiond::azdo {
namespace {

using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using Object = Poco::JSON::Object;

// true, or an object with the particulars.
bool read_auto_complete(const Object& config, Completion& completion) {
    completion.delete_source_branch = true;
    if (config.isNull("autoComplete")) return false;
    const auto object = config.getObject("autoComplete");
    if (object.isNull()) return config.getValue<bool>("autoComplete");
    completion.merge_strategy = forge::text_or(*object, "mergeStrategy");
    completion.delete_source_branch = object->optValue("deleteSourceBranch", true);
    completion.transition_work_items = object->optValue("transitionWorkItems", false);
    completion.merge_commit_message = forge::text_or(*object, "mergeCommitMessage");
    const auto ignored = object->getArray("ignorePolicies");
    for (std::size_t i = 0; !ignored.isNull() && i < ignored->size(); ++i) {
        completion.ignored_policies.push_back(
            ignored->getElement<Poco::Int64>(static_cast<unsigned>(i)));
    }
    return object->optValue("enabled", true);
}

std::vector<std::uint64_t> work_items(const Object& config) {
    std::vector<std::uint64_t> out;
    const auto array = config.getArray("workItems");
    for (std::size_t i = 0; !array.isNull() && i < array->size(); ++i) {
        out.push_back(array->getElement<Poco::UInt64>(static_cast<unsigned>(i)));
    }
    return out;
}

}  // namespace

Result<Config> read_config(std::string_view config_json, std::string_view settings_json) {
    try {
        const auto config = forge::parse_config(config_json);
        const auto settings = forge::parse_config(settings_json);
        Config out;
        out.pull_request = forge::read_pull_request(*config, *settings);
        out.pull_request.options.auto_merge = read_auto_complete(*config, out.options.completion);
        out.options.required_reviewers = forge::names(*config, "requiredReviewers");
        out.options.work_items = work_items(*config);
        out.options.api_version =
            forge::text_or(*config, "apiVersion",
                           forge::text_or(*settings, "apiVersion", out.options.api_version));
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
    keys.access.bearer = reader.either("bearerToken", "bearer");
    keys.git = forge::read_git_credentials(reader);
    if (reader.failure) return *reader.failure;
    const bool api = !keys.access.token.empty() || !keys.access.bearer.empty();
    if (!api && (over_ssh || keys.git.password.empty())) {
        // Secrets are often made before their tokens, for the key that signs events.
        return Error{ErrorKind::Transient,
                     "secret " + secret +
                         " has neither the key token (a personal access token) nor bearerToken" +
                         (over_ssh ? "" : ", nor username and password") +
                         "; put one there, no restart is needed"};
    }
    if (auto whole = forge::settle_git_credentials(keys.git, over_ssh, secret); !whole) {
        return std::move(whole).error();
    }
    if (!api) {
        keys.access.username = keys.git.username;
        keys.access.password = keys.git.password.duplicate();
    } else if (!over_ssh && keys.git.password.empty()) {
        // Azure takes for git what it takes for the API: a bearer token as it is, another as the
        // password of nobody.
        if (!keys.access.bearer.empty()) keys.git.bearer = keys.access.bearer.duplicate();
        else keys.git.password = keys.access.token.duplicate();
    }
    keys.access.ca_pem = keys.git.ca_pem;
    keys.access.proxy = keys.git.proxy;
    return keys;
}

}  // namespace promotiond::azdo
