#include "model/policy_codec.hpp"

#include <algorithm>
#include <array>

#include "model/text_check.hpp"

namespace promotiond::model {

namespace {

constexpr std::array<std::string_view, 4> kSettings{"manual", "strategy", "secretRef", "per"};

bool is_setting(std::string_view key) {
    return std::find(kSettings.begin(), kSettings.end(), key) != kSettings.end();
}

std::string canonical_key(const std::string& key) {
    return key == "pull-request" ? "pullRequest" : key;
}

// A JSON object under construction; empty texts are left out.
class JsonObject {
public:
    void add_text(std::string_view key, std::string_view value) {
        if (!value.empty()) add(key, json_string(value));
    }
    void add(std::string_view key, std::string_view json) {
        if (!members_.empty()) members_ += ',';
        members_ += json_string(key) + ":" + std::string(json);
    }
    [[nodiscard]] std::string text() const { return "{" + members_ + "}"; }

private:
    std::string members_;
};

void add_others(JsonObject& config, const YamlNode& node,
                std::initializer_list<std::string_view> read) {
    for (const auto& [key, value] : node.members) {
        if (std::find(read.begin(), read.end(), key) == read.end()) {
            config.add(key, yaml_to_json(value));
        }
    }
}

std::string read_branch(NodeReader& reader, const YamlNode& node, const std::string& path) {
    const std::string branch = reader.optional_text(node, "branch", path, NameRule::Text);
    const std::string base = reader.optional_text(node, "baseBranch", path, NameRule::Text);
    if (!branch.empty() && !base.empty() && branch != base) {
        reader.fail(node.where, path + "branch",
                    "\"" + branch + "\" is not the baseBranch \"" + base + "\"; keep one of them");
    }
    return base.empty() ? branch : base;
}

void read_pull_request(NodeReader& reader, const YamlNode& node, const std::string& path,
                       StrategyCall& call) {
    call.url = reader.required_text(node, "url", path, NameRule::Text);
    call.type = reader.optional_text(node, "type", path, NameRule::Text);
    JsonObject config;
    config.add_text("url", call.url);
    config.add_text("branch", read_branch(reader, node, path));
    config.add_text("type", call.type);
    config.add_text("secretRef", reader.secret_name(node, "secretRef", path).value_or(""));
    add_others(config, node, {"url", "branch", "baseBranch", "type", "secretRef"});
    call.config = config.text();
}

void read_webhook(NodeReader& reader, const YamlNode& node, const std::string& path,
                  StrategyCall& call) {
    call.url = reader.optional_text(node, "url", path, NameRule::Text);
    call.type = reader.optional_text(node, "type", path, NameRule::Text);
    JsonObject config;
    config.add_text("url", call.url);
    config.add_text("type", call.type);
    config.add_text("secretRef", reader.secret_name(node, "secretRef", path).value_or(""));
    add_others(config, node, {"url", "type", "secretRef"});
    call.config = config.text();
}

// What a third party's strategy makes of its members is its own schema's matter; `type` and `url`
// select among plugins if they are texts.
void read_third_party(const YamlNode& node, StrategyCall& call) {
    const auto text_or_empty = [&node](std::string_view key) {
        const YamlNode* member = NodeReader::present(node, key);
        return member != nullptr && member->kind == YamlNode::Kind::Scalar ? member->scalar
                                                                           : std::string();
    };
    call.type = text_or_empty("type");
    call.url = text_or_empty("url");
    call.config = yaml_to_json(node);
}

StrategyCall read_call(NodeReader& reader, const std::string& key, const Position& where,
                       const YamlNode& node, const std::string& path) {
    StrategyCall call;
    call.key = canonical_key(key);
    call.config = "{}";
    call.where = where;
    if (node.kind == YamlNode::Kind::Null && call.key != "pullRequest") return call;
    const std::string here = path + key;
    if (node.kind != YamlNode::Kind::Mapping) {
        const auto near = nearest(key, {kSettings.begin(), kSettings.end()});
        reader.fail(where, path + shown(key),
                    near ? "unknown key; did you mean \"" + *near + "\"?"
                         : std::string("a strategy must be a mapping of its settings"));
        return call;
    }
    if (const auto complaint = complaint_about(key, NameRule::Environment)) {
        reader.fail(where, path, "strategy " + *complaint);
        return call;
    }
    if (call.key == "pullRequest") {
        read_pull_request(reader, node, here + ".", call);
    } else if (call.key == "webhook") {
        read_webhook(reader, node, here + ".", call);
    } else {
        read_third_party(node, call);
    }
    return call;
}

// The strategies among a mapping's members; a second one is an error that names both.
void read_strategies(NodeReader& reader, const YamlNode& mapping, const std::string& path,
                     PromotionPolicy& policy, std::string& found_at) {
    for (std::size_t i = 0; i < mapping.members.size(); ++i) {
        const auto& [key, value] = mapping.members[i];
        if (is_setting(key)) continue;
        const std::size_t before = reader.mistakes();
        StrategyCall call = read_call(reader, key, mapping.key_positions[i], value, path);
        // A mistyped setting is not the strategy that stands beside it.
        if (reader.mistakes() > before) continue;
        if (policy.strategy) {
            reader.fail(mapping.key_positions[i], path + shown(key),
                        "a second strategy beside " + found_at + "; keep exactly one");
            continue;
        }
        found_at = path + shown(key);
        policy.strategy = std::move(call);
    }
}

void read_nested(NodeReader& reader, const YamlNode& strategy, const std::string& path,
                 PromotionPolicy& policy, std::string& found_at) {
    if (!reader.is_mapping(strategy, path)) return;
    for (const std::string_view key : {"manual", "strategy", "per"}) {
        if (const YamlNode* misplaced = strategy.member(key)) {
            reader.fail(misplaced->where, path + "." + std::string(key),
                        "does not belong here; put it one level up, beside \"strategy\"");
        }
    }
    read_strategies(reader, strategy, path + ".", policy, found_at);
    const auto inner = reader.secret_name(strategy, "secretRef", path + ".");
    if (inner && policy.hmac_secret && *inner != *policy.hmac_secret) {
        reader.fail(strategy.where, path + ".secretRef",
                    "\"" + *inner + "\" is not the secretRef \"" + *policy.hmac_secret +
                        "\" one level up; keep one of them");
    }
    if (inner) policy.hmac_secret = inner;
}

}  // namespace

std::optional<Per> read_per(NodeReader& reader, const YamlNode& mapping, const std::string& path) {
    const YamlNode* node = NodeReader::present(mapping, "per");
    if (node == nullptr) return std::nullopt;
    if (node->kind == YamlNode::Kind::Scalar && node->scalar == "environment") {
        return Per::Environment;
    }
    if (node->kind == YamlNode::Kind::Scalar && node->scalar == "target") return Per::Target;
    reader.fail(node->where, path + "per", "must be environment or target");
    return std::nullopt;
}

PromotionPolicy read_policy(NodeReader& reader, const YamlNode& node, const std::string& path) {
    PromotionPolicy policy;
    if (const YamlNode* manual = NodeReader::present(node, "manual")) {
        policy.manual = reader.truth(*manual, path + "manual");
    }
    policy.per = read_per(reader, node, path);
    policy.hmac_secret = reader.secret_name(node, "secretRef", path);
    std::string found_at;
    read_strategies(reader, node, path, policy, found_at);
    if (const YamlNode* strategy = NodeReader::present(node, "strategy")) {
        read_nested(reader, *strategy, path + "strategy", policy, found_at);
    }
    return policy;
}

}  // namespace promotiond::model
