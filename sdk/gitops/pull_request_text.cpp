// The names and texts of a pull request; see pull_request.hpp.
#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "promotiond/gitops/pull_request.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::size_t kLongestBranch = 180;  // bytes; leaves room for ".lock" on the server's disk
constexpr std::size_t kLongestField = 200;   // bytes of one field in a text for people
constexpr std::size_t kMostChangedLines = 30;
constexpr std::string_view kZeroWidthSpace = "\xe2\x80\x8b";

// FNV-1a: tells names apart that look alike after the replacement; no protection against intent.
std::string short_hash(std::string_view text) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    }
    std::string out;
    for (int shift = 60; shift >= 32; shift -= 4) out += "0123456789abcdef"[hash >> shift & 0xFu];
    return out;
}

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string cut(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return std::string(text);
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0u) == 0x80u) --limit;
    return std::string(text.substr(0, limit)) + "…";
}

// One line in which nothing mentions a person or refers to an issue: control characters become
// blanks, and an '@' or '#' that would begin a name is kept apart from it.
std::string inert_line(std::string_view text) {
    std::string out;
    const std::string bounded = cut(text, kLongestField);
    for (std::size_t i = 0; i < bounded.size(); ++i) {
        const char c = bounded[i];
        const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
        out += control ? ' ' : c;
        const bool begins_word = i == 0 || !is_word(bounded[i - 1]);
        const bool word_follows = i + 1 < bounded.size() && is_word(bounded[i + 1]);
        if ((c == '@' || c == '#') && begins_word && word_follows) out += kZeroWidthSpace;
    }
    return out;
}

// As a code span, in which forges interpret neither markdown nor HTML; the fence is longer than
// any run of backticks inside.
std::string code(std::string_view text) {
    const std::string line = inert_line(text);
    std::size_t longest = 0;
    std::size_t run = 0;
    for (const char c : line) {
        run = c == '`' ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    const std::string fence(longest + 1, '`');
    const std::string pad = longest > 0 || line.empty() ? " " : "";
    return fence + pad + line + pad + fence;
}

// For the metadata block, where other tools search plain text.
std::string metadata_line(const Promotion& promotion) {
    std::string line =
        inert_line(std::string(promotion.pipeline_namespace) + "/" +
                   std::string(promotion.pipeline_name) + "/" + std::string(promotion.environment));
    for (char& c : line) {
        if (c == '<' || c == '>' || c == '&') c = '_';
    }
    return line;
}

std::string member(const Poco::JSON::Object& object, const std::string& key) {
    return object.isNull(key) ? std::string() : object.get(key).toString();
}

// "HelmRelease flux-system/podinfo: Helm upgrade succeeded", or nothing.
std::string cause(std::string_view event) {
    try {
        Poco::JSON::Parser parser;
        const auto root = parser.parse(std::string(event)).extract<Poco::JSON::Object::Ptr>();
        const auto involved = root->getObject("involvedObject");
        if (involved.isNull()) return {};
        return member(*involved, "kind") + " " + member(*involved, "namespace") + "/" +
               member(*involved, "name") + ": " + member(*root, "message");
    } catch (const Poco::Exception&) {
        return {};  // an approval has no event
    }
}

std::string place(const Promotion& promotion) {
    const std::string target = promotion.target.empty() ? "" : "/" + std::string(promotion.target);
    return std::string(promotion.environment) + target;
}

std::string explanation(const Promotion& promotion, const std::vector<std::string>& changed) {
    std::string out = "\n\nPromotes " +
                      code(std::string(promotion.pipeline_namespace) + "/" +
                           std::string(promotion.pipeline_name)) +
                      " in " + code(place(promotion)) + " to " + code(promotion.revision);
    if (!promotion.previous_revision.empty()) {
        out += " (it was promoted to " + code(promotion.previous_revision) + " before)";
    }
    out += ".\n\nChanged:\n";
    const auto shown = std::min(changed.size(), kMostChangedLines);
    for (std::size_t i = 0; i < shown; ++i) out += "- " + code(changed[i]) + "\n";
    if (shown < changed.size()) {
        out += "- and " + std::to_string(changed.size() - shown) + " more\n";
    }
    out += "\nWhy: " + (promotion.actor.empty() ? "asked for" : code(promotion.actor));
    if (const std::string what = cause(promotion.event); !what.empty()) out += ", " + code(what);
    return out + "\n\nPromotion " + code(promotion.id) +
           ". Merge to promote; close to decline. The branch is rebuilt by promotiond: do not "
           "commit "
           "to it.\n";
}

}  // namespace

std::string head_branch(const Promotion& promotion) {
    const std::array parts{promotion.pipeline_namespace, promotion.pipeline_name,
                           promotion.environment, promotion.target};
    std::string branch = "promotion";
    std::string exact;
    bool replaced = false;
    for (const std::string_view part : parts) {
        exact += std::string(part) + '\n';
        if (part.empty()) continue;
        branch += '-';
        for (const char c : part) {
            const bool fine = is_word(c) || c == '-' || (c == '.' && branch.back() != '.');
            replaced = replaced || !fine;
            branch += fine ? c : '-';
        }
    }
    if (branch.size() > kLongestBranch) {
        branch.resize(kLongestBranch);
        replaced = true;
    }
    if (branch.ends_with('.') || branch.ends_with(".lock")) replaced = true;
    return replaced ? branch + "-" + short_hash(exact) : branch;
}

PullRequestText pull_request_text(const Promotion& promotion,
                                  const std::vector<std::string>& changed) {
    PullRequestText text;
    text.title = "Promote " + inert_line(promotion.pipeline_namespace) + "/" +
                 inert_line(promotion.pipeline_name) + " in " + inert_line(place(promotion)) +
                 " to " + inert_line(promotion.revision);
    text.body = "<details>\n<summary>metadata</summary>\n!!! DO NOT EDIT !!!\n\n" +
                metadata_line(promotion) + "\n</details>" + explanation(promotion, changed);
    return text;
}

std::vector<std::string> marker_names(const Promotion& promotion) {
    const std::string environment = std::string(promotion.pipeline_namespace) + ":" +
                                    std::string(promotion.pipeline_name) + ":" +
                                    std::string(promotion.environment);
    std::vector<std::string> names{environment};
    if (promotion.target.empty()) return names;
    names.push_back(environment + "/" + std::string(promotion.target));
    const auto slash = promotion.target.find('/');
    if (slash != std::string_view::npos) {
        names.push_back(environment + "/" + std::string(promotion.target.substr(slash + 1)));
    }
    return names;
}

std::string lane(const Promotion& promotion, const PullRequestConfig& config) {
    std::string_view rest = config.url;
    if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
        rest.remove_prefix(scheme + 3);
    }
    if (const auto at = rest.find('@'); at < rest.find('/')) rest.remove_prefix(at + 1);
    std::string repository(rest);
    // git@host:path and ssh://git@host/path are one repository.
    const auto colon = repository.find(':');
    if (colon < repository.find('/') && config.url.find("://") == std::string::npos) {
        repository[colon] = '/';
    }
    if (repository.ends_with('/')) repository.pop_back();
    if (repository.ends_with(".git")) repository.resize(repository.size() - 4);
    for (char& c : repository) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    // A lane has at most 500 bytes, a branch at most kLongestBranch + 9.
    if (repository.size() > 250) repository = repository.substr(0, 240) + short_hash(repository);
    return repository + " " + head_branch(promotion);
}

}  // namespace promotiond::sdk::inline v1::gitops
