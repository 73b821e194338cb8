#include <promotiond/gitops/promotion_state.hpp>

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <array>

#include "manifest_scalar.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::string_view kBegin = "<!-- metadata = ";
constexpr std::string_view kEnd = " -->";
constexpr std::size_t kLongestFeature = 63;  // characters of a Kubernetes label's value
constexpr std::size_t kLongestState = 16u << 10;

std::string_view word_of(PromotionState::Type type) {
    return type == PromotionState::Type::Feature ? "feature" : "promote";
}

std::string escaped(unsigned char byte) {
    constexpr std::string_view kHex = "0123456789abcdef";
    return std::string("\\u00") + kHex[byte >> 4] + kHex[byte & 0xF];
}

// As Go's encoding/json writes strings: nothing in it can end the comment around it.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"' || c == '\\') out += std::string("\\") + c;
        else if (c == '\n') out += "\\n";
        else if (c == '\r') out += "\\r";
        else if (c == '\t') out += "\\t";
        else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&')
            out += escaped(static_cast<unsigned char>(c));
        else if (text.substr(i).starts_with("\xe2\x80\xa8")) out += "\\u2028", i += 2;
        else if (text.substr(i).starts_with("\xe2\x80\xa9")) out += "\\u2029", i += 2;
        else out += c;
    }
    return out + '"';
}

std::string json_of(const PromotionState& state) {
    const auto member = [](std::string_view key, std::string_view value) {
        return '"' + std::string(key) + "\":" + quoted(value);
    };
    return '{' + member("group", state.group) + ',' + member("app", state.app) + ',' +
           member("tag", state.tag) + ',' + member("env", state.env) + ',' +
           member("sha", state.sha) + ',' + member("feature", state.feature) + ',' +
           member("type", word_of(state.type)) + '}';
}

Error changed_by_hand(const std::string& why) {
    return {ErrorKind::Invalid,
            "the state in the description cannot be read (" + why +
                "); it was changed by hand: run new or promote again, which writes it anew"};
}

Result<PromotionState> parse_state(std::string_view json) {
    if (json.size() > kLongestState) return changed_by_hand("it is longer than 16 KiB");
    try {
        Poco::JSON::Parser parser;
        const auto root = parser.parse(std::string(json)).extract<Poco::JSON::Object::Ptr>();
        PromotionState state;
        std::string type;
        const std::array<std::pair<const char*, std::string*>, 7> members{
            {{"group", &state.group},
             {"app", &state.app},
             {"tag", &state.tag},
             {"env", &state.env},
             {"sha", &state.sha},
             {"feature", &state.feature},
             {"type", &type}}};
        for (const auto& [key, into] : members) {
            if (root->isNull(key)) continue;
            if (!root->get(key).isString())
                return changed_by_hand(std::string(key) + " is no text");
            *into = root->getValue<std::string>(key);
        }
        if (type == "feature") state.type = PromotionState::Type::Feature;
        else if (!type.empty() && type != "promote")
            return changed_by_hand("there is no type " + quoted(type.substr(0, 40)));
        return state;
    } catch (const Poco::Exception&) {
        return changed_by_hand("it is no JSON object");
    }
}

}  // namespace

std::string branch_of(const PromotionState& state, BranchPer per) {
    std::string branch(word_of(state.type));
    branch += '/';
    if (per == BranchPer::Environment) branch += state.env + '/';
    branch += state.group + '-' + state.app;
    if (state.type == PromotionState::Type::Feature) branch += '-' + state.feature;
    return branch;
}

std::string title_of(const PromotionState& state) {
    const std::string what = state.group + '/' + state.app;
    if (state.type == PromotionState::Type::Feature)
        return "Review " + what + " feature " + state.tag + " in environment " + state.env;
    return "Promote " + what + " version " + state.tag + " to environment " + state.env;
}

std::string description_of(const PromotionState& state) {
    return std::string(kBegin) + json_of(state) + std::string(kEnd) + "\n\tENV: " + state.env +
           "\n\tAPP: " + state.app + "\n\tTAG: " + state.tag;
}

Result<std::optional<PromotionState>> state_in(std::string_view description) {
    const auto begin = description.find(kBegin);
    if (begin == std::string_view::npos) return std::optional<PromotionState>();
    const auto rest = description.substr(begin + kBegin.size());
    const auto end = rest.find(kEnd);
    if (end == std::string_view::npos) return changed_by_hand("its end is missing");
    auto state = parse_state(rest.substr(0, end));
    if (!state) return std::move(state).error();
    return std::optional(*std::move(state));
}

Result<std::string> feature_name(std::string_view wish) {
    std::string name;
    for (const char c : wish) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-') name += c;
        else if (c >= 'A' && c <= 'Z') name += static_cast<char>(c + ('a' - 'A'));
    }
    // Neither labels nor names may begin or end with it.
    name.erase(0, name.find_first_not_of('-'));
    name.erase(name.find_last_not_of('-') + 1);
    if (name.empty())
        return Error{ErrorKind::Invalid,
                     "the feature's name has no letter or digit; give one with --feature"};
    if (name.size() > kLongestFeature)
        return Error{ErrorKind::Invalid,
                     "the feature's name has " + std::to_string(name.size()) +
                         " characters; at most 63 fit into a Kubernetes label: choose a shorter "
                         "one"};
    return name;
}

}  // namespace promotiond::sdk::inline v1::gitops
