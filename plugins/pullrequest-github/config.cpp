#include "config.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <utility>

namespace promotiond::github {
namespace {

using sdk::Error;
using sdk::ErrorKind;
using sdk::Result;
using sdk::Secret;
using Object = Poco::JSON::Object;

Object::Ptr parse(std::string_view json) {
    Poco::JSON::Parser parser;
    return parser.parse(std::string(json.empty() ? "{}" : json)).extract<Object::Ptr>();
}

std::vector<std::string> names(const Object& object, const std::string& key) {
    std::vector<std::string> out;
    const auto array = object.getArray(key);
    for (std::size_t i = 0; !array.isNull() && i < array->size(); ++i) {
        out.push_back(array->getElement<std::string>(static_cast<unsigned>(i)));
    }
    return out;
}

std::string text(const Object& object, const std::string& key, const std::string& other = {}) {
    return object.optValue<std::string>(key, other);
}

// Both spellings: a name, or an object with the name.
std::string secret_name(const Object& object) {
    const auto nested = object.getObject("secretRef");
    return nested.isNull() ? text(object, "secretRef") : text(*nested, "name");
}

void read_author(const Object& object, sdk::gitops::PullRequestConfig& config) {
    const auto author = object.getObject("author");
    if (author.isNull()) return;
    config.author_name = text(*author, "name", config.author_name);
    config.author_email = text(*author, "email", config.author_email);
}

// The secret's values, one after the other; the first failure stays.
class Reader {
public:
    Reader(const sdk::Call& call, std::string secret) : call_(call), secret_(std::move(secret)) {}

    Secret key(std::string_view name) {
        if (failure) return {};
        auto value = call_.optional_secret(secret_, name);
        if (!value) {
            failure = context(std::move(value).error(), "cannot read secret " + secret_);
            return {};
        }
        return *value ? trimmed(**value) : Secret();
    }
    std::string open_key(std::string_view name) { return std::string(key(name).reveal()); }

    std::optional<Error> failure;

private:
    // Files written by hand end with a line break that is no part of a token.
    static Secret trimmed(const Secret& value) {
        auto bytes = value.reveal();
        while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) {
            bytes.remove_suffix(1);
        }
        return Secret(bytes);
    }

    const sdk::Call& call_;
    std::string secret_;
};

}  // namespace

Result<Config> read_config(std::string_view config_json, std::string_view settings_json) {
    try {
        const auto config = parse(config_json);
        const auto settings = parse(settings_json);
        Config out;
        auto& request = out.pull_request;
        request.url = text(*config, "url");
        request.branch = text(*config, "branch");
        request.secret = secret_name(*config);
        request.options.labels = names(*config, "labels");
        request.options.reviewers = names(*config, "reviewers");
        request.options.team_reviewers = names(*config, "teamReviewers");
        request.options.assignees = names(*config, "assignees");
        request.options.draft = config->optValue("draft", false);
        request.options.mark_ready = config->has("draft") && !request.options.draft;
        request.options.auto_merge = config->optValue("autoMerge", false);
        request.options.merge_method = text(*config, "mergeMethod", "merge");
        read_author(*settings, request);
        read_author(*config, request);
        out.api_url = text(*config, "apiUrl", text(*settings, "apiUrl"));
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
    Reader reader(call, secret);
    Keys keys;
    keys.access.token = reader.key("token");
    keys.app.app_id = reader.open_key("githubAppID");
    keys.app.installation_id = reader.open_key("githubAppInstallationID");
    keys.app.private_key_pem = reader.key("githubAppPrivateKey");
    keys.app.base_url = reader.open_key("githubAppBaseURL");
    keys.git.username = reader.open_key("username");
    keys.git.password = reader.key("password");
    keys.git.ca_pem = reader.open_key("caFile");
    if (keys.git.ca_pem.empty()) keys.git.ca_pem = reader.open_key("ca.crt");
    keys.git.ssh_identity = reader.key("identity");
    keys.git.known_hosts = reader.open_key("known_hosts");
    keys.git.proxy = reader.open_key("proxy");
    if (reader.failure) return *reader.failure;
    if (keys.access.token.empty() && keys.app.app_id.empty()) {
        return Error{ErrorKind::Invalid,
                     "secret " + secret + " has neither the key token nor githubAppID"};
    }
    if (over_ssh) {
        if (keys.git.ssh_identity.empty() || keys.git.known_hosts.empty()) {
            return Error{ErrorKind::Invalid,
                         "secret " + secret + " needs the keys identity and known_hosts for ssh"};
        }
        keys.git.ssh_passphrase = std::exchange(keys.git.password, Secret());
        keys.git.username.clear();
    } else if (keys.git.password.empty() != keys.git.username.empty()) {
        return Error{ErrorKind::Invalid,
                     "secret " + secret + " has only one of the keys username and password"};
    }
    keys.access.ca_pem = keys.git.ca_pem;
    keys.access.proxy = keys.git.proxy;
    return keys;
}

}  // namespace promotiond::github
