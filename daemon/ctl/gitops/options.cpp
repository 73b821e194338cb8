#include "ctl/gitops/options.hpp"

#include <promotiond/gitops/promotion_rules.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace promotiond::ctl::gitops {
namespace {

constexpr std::array<std::pair<std::string_view, std::string Options::*>, 9> kTexts{
    {{"provider", &Options::provider},
     {"sourcedir", &Options::directory},
     {"group", &Options::group},
     {"app", &Options::app},
     {"tag", &Options::tag},
     {"feature", &Options::feature},
     {"token-file", &Options::token_file},
     {"ca-file", &Options::ca_file},
     {"api-url", &Options::api_url}}};

bool is_known(std::string_view name) {
    return name == "token" || name == "max-age" ||
           std::any_of(kTexts.begin(), kTexts.end(),
                       [&](const auto& each) { return each.first == name; });
}

Result<void> set(Options& options, std::string_view name, const std::string& value) {
    if (name == "token") {
        options.token = Secret(value);
    } else if (name == "max-age") {
        const auto age = sdk::gitops::parse_duration(value);
        if (!age) return context(Error(age.error()), "--max-age");
        options.max_age = *age;
    } else {
        for (const auto& [text, member] : kTexts)
            if (text == name) options.*member = value;
    }
    return {};
}

constexpr std::string_view kCommon =
    R"(      --provider P    azdo (default) or github
      --token T       access token of the provider; it may push branches and open pull requests
      --token-file F  the file that holds it, so that no list of processes shows it
      --sourcedir D   the checkout of the GitOps repository; default: the current directory
      --ca-file F     PEM certificates to trust instead of the system's; else PROMOTIONCTL_CA_FILE, GIT_SSL_CAINFO,
                      or http.sslCAInfo of the checkout
      --api-url U     where the provider's API is, if that does not follow from the remote's address
)";

struct Help {
    std::string_view command;
    std::string_view flags;
    std::string_view words;
};

constexpr std::array<Help, 5> kHelp{
    {{"new", "--group G --app A --tag T",
      R"(Sets the images of an application that are marked {"$imagepolicy": "<group>:<app>"} to a tag, in the first
environment of gitops-promotion.yaml, and opens a pull request for it. Where the environment has `auto: true`
the request is merged as soon as its checks have passed.
)"},
     {"promote", "",
      R"(Run on the default branch after a merge: opens the pull request that brings what was merged into the next
environment. What was not merged by such a pull request is left alone.
)"},
     {"status", "",
      R"(Run on the branch of a promotion's pull request: waits until Flux has reported on the environment before it,
by the commit status <kind>/<group>-<environment>. Fails if that failed, or was not reported in time
(status_timeout_minutes). Make it a required check, and nothing is merged before the environment before it runs well.
On any other branch there is nothing to wait for, and it is done at once.
)"},
     {"feature", "--group G --app A --tag T --feature F",
      R"(Shows a feature in the first environment, by a pull request: as a copy of the application's resources beside
them, or with `featureOverwrite: true` in their place.
)"},
     {"feature-stale", "[--max-age 168h]",
      R"(Opens a pull request that removes the copies of features that have not changed for so long.
)"}}};

constexpr std::string_view kOwnFlags =
    R"(      --group G       directory of the group in the repository
      --app A         the application
      --tag T         the image's tag
)";

}  // namespace

const std::vector<std::string_view>& commands() {
    static const std::vector<std::string_view> names{"new", "promote", "status", "feature",
                                                     "feature-stale"};
    return names;
}

bool is_command(std::string_view word) {
    return std::find(commands().begin(), commands().end(), word) != commands().end();
}

Result<void> check_names(const Options& options) {
    if (options.group.empty())
        return Error{ErrorKind::Invalid, "group name is empty; give --group"};
    if (options.app.empty()) return Error{ErrorKind::Invalid, "app name is empty; give --app"};
    return {};
}

Result<ParsedOptions> parse_options(const std::vector<std::string>& words) {
    ParsedOptions parsed;
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string_view word = words[i];
        if (word.size() < 2 || word.front() != '-') {
            parsed.ignored.emplace_back(word);
            continue;
        }
        if (word == "--") break;
        // Releases before v1 wrote long flags with one dash.
        word.remove_prefix(word.starts_with("--") ? 2 : 1);
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        const bool has_next = i + 1 < words.size();
        if (name == "help" || name == "h") {
            parsed.options.help = true;
        } else if (!is_known(name)) {
            parsed.ignored.push_back(words[i].substr(0, words[i].find('=')));
            if (equals == std::string_view::npos && has_next && !words[i + 1].starts_with('-')) ++i;
        } else if (equals == std::string_view::npos && !has_next) {
            return Error{ErrorKind::Invalid, "flag needs an argument: --" + std::string(name)};
        } else {
            const std::string value = equals == std::string_view::npos
                                          ? words[++i]
                                          : std::string(word.substr(equals + 1));
            if (auto done = set(parsed.options, name, value); !done) return std::move(done).error();
        }
    }
    return parsed;
}

std::string help_text(std::string_view command) {
    const auto help = std::find_if(kHelp.begin(), kHelp.end(),
                                   [&](const Help& each) { return each.command == command; });
    std::string text = "Usage: promotionctl " + std::string(command) + " --provider P --token T" +
                       (help->flags.empty() ? "" : " ") + std::string(help->flags) + "\n\n" +
                       std::string(help->words) + "\nFlags:\n";
    if (command == "new" || command == "feature") text += kOwnFlags;
    if (command == "feature")
        text += "      --feature F     its name; letters, digits and - are kept\n";
    if (command == "feature-stale")
        text += "      --max-age D     a duration such as 36h; default 168h\n";
    return text + std::string(kCommon) +
           "\nExit codes: 0 done, or nothing to do; 1 failed; 2 wrong flags.\n"
           "See docs/promotionctl.md for gitops-promotion.yaml, branches, and what differs from "
           "gitops-promotion.\n";
}

}  // namespace promotiond::ctl::gitops
