#include "forge/config.hpp"

#include <Poco/JSON/Parser.h>

#include <utility>

namespace promotiond::forge {
namespace {

using sdk::Error;
using sdk::ErrorKind;
using sdk::Secret;
using Object = Poco::JSON::Object;

// Both spellings: a name, or an object with the name.
std::string secret_name(const Object& object) {
    const auto nested = object.getObject("secretRef");
    return nested.isNull() ? text_or(object, "secretRef") : text_or(*nested, "name");
}

void read_author(const Object& object, sdk::gitops::PullRequestConfig& config) {
    const auto author = object.getObject("author");
    if (author.isNull()) return;
    config.author_name = text_or(*author, "name", config.author_name);
    config.author_email = text_or(*author, "email", config.author_email);
}

std::optional<sdk::gitops::PromotedImage> read_image(const Object& object) {
    const auto image = object.getObject("image");
    if (image.isNull()) return {};
    return sdk::gitops::PromotedImage{text_or(*image, "group"), text_or(*image, "app"),
                                      text_or(*image, "directory"), text_or(*image, "from")};
}

Secret trimmed(const Secret& value) {
    auto bytes = value.reveal();
    while (!bytes.empty() && (bytes.back() == '\n' || bytes.back() == '\r')) {
        bytes.remove_suffix(1);
    }
    return Secret(bytes);
}

}  // namespace

Object::Ptr parse_config(std::string_view json) {
    Poco::JSON::Parser parser;
    return parser.parse(std::string(json.empty() ? "{}" : json)).extract<Object::Ptr>();
}

std::string text_or(const Object& object, const std::string& key, const std::string& other) {
    return object.optValue<std::string>(key, other);
}

std::vector<std::string> names(const Object& object, const std::string& key) {
    std::vector<std::string> out;
    const auto array = object.getArray(key);
    for (std::size_t i = 0; !array.isNull() && i < array->size(); ++i) {
        out.push_back(array->getElement<std::string>(static_cast<unsigned>(i)));
    }
    return out;
}

sdk::gitops::PullRequestConfig read_pull_request(const Object& config, const Object& settings) {
    sdk::gitops::PullRequestConfig out;
    out.url = text_or(config, "url");
    out.branch = text_or(config, "branch");
    out.secret = secret_name(config);
    out.options.labels = names(config, "labels");
    out.options.reviewers = names(config, "reviewers");
    out.options.draft = config.optValue("draft", false);
    out.options.mark_ready = config.has("draft") && !out.options.draft;
    out.image = read_image(config);
    out.gate = text_or(config, "mergeAfter");
    read_author(settings, out);
    read_author(config, out);
    return out;
}

SecretReader::SecretReader(const sdk::Call& call, std::string secret)
    : call_(call), secret_(std::move(secret)) {}

Secret SecretReader::key(std::string_view name) {
    if (failure) return {};
    auto value = call_.optional_secret(secret_, name);
    if (!value) {
        failure = context(std::move(value).error(), "cannot read secret " + secret_);
        return {};
    }
    return *value ? trimmed(**value) : Secret();
}

std::string SecretReader::open_key(std::string_view name) {
    return std::string(key(name).reveal());
}

Secret SecretReader::either(std::string_view name, std::string_view other) {
    auto value = key(name);
    if (value.empty()) value = key(other);
    return value;
}

sdk::gitops::Credentials read_git_credentials(SecretReader& reader) {
    sdk::gitops::Credentials git;
    git.username = reader.open_key("username");
    git.password = reader.key("password");
    git.ca_pem = std::string(reader.either("caFile", "ca.crt").reveal());
    git.ssh_identity = reader.key("identity");
    git.known_hosts = reader.open_key("known_hosts");
    git.proxy = reader.open_key("proxy");
    return git;
}

sdk::Result<void> settle_git_credentials(sdk::gitops::Credentials& git, bool over_ssh,
                                         const std::string& secret) {
    if (over_ssh) {
        if (git.ssh_identity.empty() || git.known_hosts.empty()) {
            return Error{ErrorKind::Invalid,
                         "secret " + secret + " needs the keys identity and known_hosts for ssh"};
        }
        git.ssh_passphrase = std::exchange(git.password, Secret());
        git.username.clear();
    } else if (git.password.empty() != git.username.empty()) {
        return Error{ErrorKind::Invalid,
                     "secret " + secret + " has only one of the keys username and password"};
    }
    return {};
}

}  // namespace promotiond::forge
