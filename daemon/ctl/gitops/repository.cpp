#include "ctl/gitops/repository.hpp"

#include "base/log.hpp"
#include "ctl/commands.hpp"
#include "pullrequest-azdo/azdo.hpp"
#include "pullrequest-github/github.hpp"

namespace promotiond::ctl::gitops {
namespace {

using sdk::gitops::Checkout;
using sdk::gitops::CommitLookup;
using sdk::gitops::Forge;
using sdk::gitops::Mirror;
using Variable = std::function<std::optional<std::string>(const char*)>;

struct Opened {
    std::unique_ptr<Forge> forge;
    CommitLookup* commits = nullptr;
    std::string git_url;
    std::string strange_host;  // for the message, should nothing answer there
};

struct Keys {
    Secret token;
    std::string ca_pem;
};

std::string set_in(const Variable& variable, const char* name) {
    return variable(name).value_or("");
}

bool is_ssh(const std::string& url) { return !url.starts_with("https://"); }

// What a workflow's runner says of the API holds for the server it runs for.
std::string api_of(const Options& options, const Variable& variable, const std::string& origin) {
    if (!options.api_url.empty()) return options.api_url;
    const auto server = set_in(variable, "GITHUB_SERVER_URL");
    const bool same = !server.empty() && origin.starts_with(server + "/");
    return same ? set_in(variable, "GITHUB_API_URL") : std::string();
}

Result<Opened> open_github(sdk::Call& call, const Options& options, const Variable& variable,
                           const Checkout& checkout, const Keys& keys) {
    auto site = github::site_of(checkout.origin, api_of(options, variable, checkout.origin));
    if (!site)
        return context(std::move(site).error(),
                       "remote " + checkout.origin + " (--provider azdo is for Azure DevOps)");
    Opened opened;
    // The token is for https, so that is the way, however the checkout was made.
    opened.git_url = is_ssh(checkout.origin)
                         ? "https://" + site->host + "/" + site->owner + "/" + site->repo + ".git"
                         : checkout.origin;
    if (site->host != "github.com")
        opened.strange_host = "host does not start with https://github.com: https://" + site->host +
                              ", and no GitHub Enterprise Server was found there";
    auto forge = std::make_unique<github::GitHub>(
        call, *std::move(site),
        github::Access{.token = keys.token.duplicate(), .ca_pem = keys.ca_pem, .proxy = {}});
    opened.commits = forge.get();
    opened.forge = std::move(forge);
    return opened;
}

Result<Opened> open_azure(sdk::Call& call, const Options& options, const Checkout& checkout,
                          const Keys& keys) {
    auto site = azdo::site_of(checkout.origin, options.api_url);
    if (!site)
        return context(std::move(site).error(),
                       "remote " + checkout.origin + " (--provider github is for GitHub)");
    Opened opened;
    opened.git_url = site->ssh ? site->web : site->git_url;
    azdo::Access access;
    access.token = keys.token.duplicate();
    access.ca_pem = keys.ca_pem;
    azdo::Options azure;
    azure.completion.delete_source_branch = true;
    auto forge = std::make_unique<azdo::AzureRepos>(call, *std::move(site), std::move(access),
                                                    std::move(azure));
    opened.commits = forge.get();
    opened.forge = std::move(forge);
    return opened;
}

Result<Secret> token_of(const Options& options) {
    Secret token = options.token.duplicate();
    if (token.empty() && !options.token_file.empty()) {
        auto text = read_file(options.token_file);
        if (!text) return std::move(text).error();
        while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
        token = Secret(*text);
    }
    if (token.empty()) return Error{ErrorKind::Invalid, "token empty"};
    log::redact(token.reveal());
    return token;
}

Result<std::string> ca_of(const Options& options, const Variable& variable,
                          const Checkout& checkout) {
    for (const auto& file : {options.ca_file, set_in(variable, "PROMOTIONCTL_CA_FILE"),
                             set_in(variable, "GIT_SSL_CAINFO"), checkout.ca_file})
        if (!file.empty()) return read_file(file);
    return std::string();
}

Error explained(Error error, const std::string& provider, const std::string& strange_host) {
    if (!strange_host.empty() && error.kind != ErrorKind::Unauthorized)
        return context(std::move(error), strange_host);
    if (provider == "azdo" && error.kind == ErrorKind::Unauthorized)
        return context(std::move(error),
                       "the token is not authorized, which Azure DevOps calls TF400813");
    return error;
}

}  // namespace

Result<Repository> open_repository(sdk::Call& call, const Options& options,
                                   const Variable& variable) {
    const bool github = options.provider == "github";
    if (!github && options.provider != "azdo")
        return Error{ErrorKind::Invalid, "unknown provider type: " + options.provider +
                                             "; --provider takes azdo or github"};
    auto checkout = sdk::gitops::read_checkout(options.directory);
    if (!checkout) return std::move(checkout).error();
    Keys keys;
    auto token = token_of(options);
    if (!token) return std::move(token).error();
    keys.token = *std::move(token);
    auto ca = ca_of(options, variable, *checkout);
    if (!ca) return std::move(ca).error();
    keys.ca_pem = *std::move(ca);
    auto opened = github ? open_github(call, options, variable, *checkout, keys)
                         : open_azure(call, options, *checkout, keys);
    if (!opened) return std::move(opened).error();

    sdk::gitops::Credentials credentials;
    credentials.username = "git";
    credentials.password = std::move(keys.token);
    credentials.ca_pem = keys.ca_pem;
    auto mirror = Mirror::open(call, opened->git_url, std::move(credentials));
    if (!mirror) return std::move(mirror).error();
    if (auto lent = mirror->borrow(*checkout); !lent) return std::move(lent).error();
    auto base = mirror->default_branch();
    if (!base) return explained(std::move(base).error(), options.provider, opened->strange_host);
    return Repository{call,
                      *std::move(checkout),
                      std::make_unique<Mirror>(*std::move(mirror)),
                      std::move(opened->forge),
                      *opened->commits,
                      *std::move(base)};
}

}  // namespace promotiond::ctl::gitops
