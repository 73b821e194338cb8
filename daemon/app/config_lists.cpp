// Lists of mappings: tokens of the API, GitOps repositories, and the images of registries.
#include <functional>

#include "app/config_values.hpp"
#include "app/mistakes.hpp"

namespace promotiond::app {
namespace {

using model::yaml_error;
using model::YamlNode;

struct Member {
    std::string name;
    std::function<Result<void>(const YamlNode&)> read;
};

Member text(const char* name, std::string& into) {
    return {name, [&into](const YamlNode& value) -> Result<void> {
                auto read = text_from(value);
                if (!read) return std::move(read).error();
                into = *std::move(read);
                return {};
            }};
}

// what: "a token".
Result<void> members_into(const YamlNode& node, const std::string& what,
                          const std::vector<Member>& known) {
    std::string names;
    for (const auto& member : known) names += (names.empty() ? "" : ", ") + member.name;
    if (node.kind != YamlNode::Kind::Mapping)
        return yaml_error(node.where, "expected a mapping of " + names);
    Mistakes mistakes;
    for (std::size_t i = 0; i < node.members.size(); ++i) {
        const auto& [name, value] = node.members[i];
        const auto is_it = [&name = name](const Member& member) { return member.name == name; };
        const auto member = std::find_if(known.begin(), known.end(), is_it);
        if (member != known.end()) {
            (void)mistakes.found_in(member->read(value));
        } else {
            mistakes.add(yaml_error(node.key_positions[i], "unknown key \"" + name + "\" in " +
                                                               what + "; known: " + names));
        }
    }
    return mistakes.told();
}

// Each item by itself, so that all mistakes are told.
template <class T>
Result<void> list_into(const YamlNode& node, const char* what, std::vector<T>& into,
                       const std::function<Result<T>(const YamlNode&)>& item_from) {
    if (node.kind == YamlNode::Kind::Null) return {};
    if (node.kind != YamlNode::Kind::Sequence)
        return yaml_error(node.where, std::string("expected a list of ") + what);
    Mistakes mistakes;
    into.clear();
    for (const YamlNode& item : node.items) {
        auto read = item_from(item);
        if (!mistakes.found_in(read)) into.push_back(*std::move(read));
    }
    return mistakes.told();
}

Result<http::ApiToken> token_from(const YamlNode& node, const Target& target) {
    http::ApiToken token;
    const auto scope = [&token](const YamlNode& value) -> Result<void> {
        const auto read = choice_from<http::AccessScope>(
            value, {{"read", http::AccessScope::Read}, {"operate", http::AccessScope::Operate}});
        if (!read) return read.error();
        token.scope = *read;
        return {};
    };
    const auto file = [&](const YamlNode& value) -> Result<void> {
        auto read = path_from(value, target.directory);
        if (!read) return std::move(read).error();
        token.file = *std::move(read);
        return {};
    };
    if (auto right = members_into(node, "a token",
                                  {text("name", token.name), {"scope", scope}, {"file", file}});
        !right) {
        return std::move(right).error();
    }
    if (token.name.empty() || token.file.empty()) {
        return yaml_error(node.where,
                          "a token needs a name (who acts) and a file (that holds its value)");
    }
    return token;
}

// An address that may be told to everybody: its user is no token. Azure DevOps writes the
// organisation as user of its clone addresses, ssh needs one.
Result<void> check_address(const std::string& url) {
    constexpr std::string_view kHttps = "https://";
    constexpr std::string_view kSsh = "ssh://";
    const bool https = url.starts_with(kHttps);
    const bool scp = url.find("//") == std::string::npos;  // user@host:path
    const auto begin = https ? kHttps.size() : scp ? 0 : kSsh.size();
    const auto end = url.find(scp ? ':' : '/', begin);
    const bool known = https || url.starts_with(kSsh) || (scp && url.find('@') < end);
    if (!known || end == std::string::npos || end == begin ||
        url.find_first_of(" \t?#\\") != std::string::npos) {
        return Error{ErrorKind::Invalid,
                     "url must be https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH"};
    }
    const auto at = url.rfind('@');
    if (at == std::string::npos) return {};
    const std::string user = url.substr(begin, at - begin);
    const bool is_organisation =
        (url.substr(at + 1) + "/").starts_with("dev.azure.com/" + user + "/");
    if (at < end && user.find(':') == std::string::npos && (!https || is_organisation)) return {};
    return Error{ErrorKind::Invalid,
                 "url holds a user name, token or password; put them into the secret"};
}

Result<gitops::Repository> repository_from(const YamlNode& node) {
    gitops::Repository repository{
        .url = {}, .branch = {}, .type = {}, .secret = {}, .ns = "gitops"};
    const auto type = [&repository](const YamlNode& value) -> Result<void> {
        auto read = choice_from<std::string>(
            value, {{"github", "github"}, {"azure-devops", "azure-devops"}});
        if (!read) return std::move(read).error();
        repository.type = *std::move(read);
        return {};
    };
    const auto url = [&repository](const YamlNode& value) -> Result<void> {
        auto read = text_from(value);
        if (!read) return std::move(read).error();
        if (auto fine = check_address(*read); !fine)
            return yaml_error(value.where, fine.error().message);
        repository.url = *std::move(read);
        return {};
    };
    if (auto right = members_into(node, "a repository",
                                  {{"url", url},
                                   {"type", type},
                                   text("branch", repository.branch),
                                   text("namespace", repository.ns),
                                   text("secretRef", repository.secret)});
        !right) {
        return std::move(right).error();
    }
    if (repository.url.empty() || repository.type.empty() || repository.secret.empty() ||
        repository.ns.empty()) {
        return yaml_error(node.where,
                          "a repository needs url, type (github or azure-devops) and secretRef");
    }
    return repository;
}

// Registries name an image by host and repository: neither a scheme nor a tag or a digest.
bool names_an_image(const std::string& image) {
    const auto name = image.rfind('/');
    return name != std::string::npos && name > 0 && name + 1 < image.size() &&
           image.find("//") == std::string::npos &&
           image.find_first_of(":@", name) == std::string::npos;
}

Result<model::ReleasedImage> image_from(const YamlNode& node) {
    model::ReleasedImage image;
    if (auto right = members_into(
            node, "an image",
            {text("image", image.image), text("tags", image.tags), text("group", image.group),
             text("app", image.app), text("namespace", image.ns)});
        !right) {
        return std::move(right).error();
    }
    if (image.tags.empty() || image.group.empty() || image.app.empty()) {
        return yaml_error(
            node.where,
            "an image needs image, tags (which of them are releases, such as \"v*\"), "
            "group and app");
    }
    if (!names_an_image(image.image)) {
        return yaml_error(node.where, "\"" + image.image +
                                          "\" is no image's name; write it with its registry and "
                                          "without a tag, such as ghcr.io/example/web");
    }
    return image;
}

}  // namespace

Result<void> tokens_into(const YamlNode& node, Target& target) {
    return list_into<http::ApiToken>(
        node, "{name, scope, file}", target.config.server.tokens,
        [&target](const YamlNode& item) { return token_from(item, target); });
}

Result<void> repositories_into(const YamlNode& node, Target& target) {
    return list_into<gitops::Repository>(node, "{url, type, secretRef}", target.config.repositories,
                                         repository_from);
}

Result<void> images_into(const YamlNode& node, Target& target) {
    return list_into<model::ReleasedImage>(node, "{image, tags, group, app}",
                                           target.config.server.images, image_from);
}

}  // namespace promotiond::app
