#include <algorithm>
#include <charconv>
#include <set>

#include "model/codec.hpp"
#include "model/json_document.hpp"
#include "model/node_reader.hpp"
#include "model/policy_codec.hpp"
#include "model/text_check.hpp"

namespace promotiond::model {

namespace {

constexpr std::string_view kApiVersion = "pipelines.weave.works/v1alpha1";

std::optional<ClusterRef> read_cluster(NodeReader& reader, const YamlNode& target,
                                       const std::string& path) {
    const YamlNode* node = NodeReader::present(target, "clusterRef");
    if (node == nullptr || !reader.is_mapping(*node, path + "clusterRef")) return std::nullopt;
    const std::string here = path + "clusterRef.";
    reader.only(*node, here, {"apiVersion", "kind", "name", "namespace"});
    ClusterRef cluster;
    cluster.api_version = reader.optional_text(*node, "apiVersion", here, NameRule::Text);
    cluster.kind = reader.optional_text(*node, "kind", here, NameRule::Text);
    if (cluster.kind.empty()) cluster.kind = "GitopsCluster";
    if (cluster.kind != "GitopsCluster") {
        reader.fail(node->where, here + "kind",
                    "\"" + shown(cluster.kind) + "\" is not known; must be GitopsCluster");
    }
    cluster.ns = reader.optional_text(*node, "namespace", here, NameRule::Label);
    cluster.name = reader.required_text(*node, "name", here, NameRule::Subdomain);
    return cluster;
}

std::vector<Target> read_targets(NodeReader& reader, const YamlNode& environment,
                                 const std::string& path) {
    std::vector<Target> targets;
    const YamlNode* node = environment.member("targets");
    if (node == nullptr) {
        reader.fail(environment.where, path + "targets", "is missing; add it");
        return targets;
    }
    if (node->kind == YamlNode::Kind::Null) return targets;
    if (node->kind != YamlNode::Kind::Sequence) {
        reader.fail(node->where, path + "targets", "must be a list");
        return targets;
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
        const YamlNode& item = node->items[i];
        const std::string here = path + "targets[" + std::to_string(i) + "]";
        const std::size_t before = reader.mistakes();
        if (!reader.is_mapping(item, here)) continue;
        reader.only(item, here + ".", {"namespace", "clusterRef"});
        Target target;
        target.ns = reader.required_text(item, "namespace", here + ".", NameRule::Label);
        target.cluster = read_cluster(reader, item, here + ".");
        const bool readable = reader.mistakes() == before;
        if (readable && !seen.insert(target.text()).second) {
            reader.fail(item.where, here,
                        "target " + target.text() + " is in this environment twice; remove one");
        }
        targets.push_back(std::move(target));
    }
    return targets;
}

When read_when(NodeReader& reader, const YamlNode& environment, const std::string& path,
               std::size_t targets) {
    const YamlNode* node = NodeReader::present(environment, "when");
    if (node == nullptr) return {};
    if (node->kind == YamlNode::Kind::Scalar) {
        const std::string& text = node->scalar;
        if (text == "any") return {};
        if (text == "all") return {When::Kind::All, 1};
        std::uint32_t count = 0;
        const char* const end = text.data() + text.size();
        const auto read = std::from_chars(text.data(), end, count);
        if (read.ec == std::errc() && read.ptr == end && count >= 1 && count <= targets) {
            return {When::Kind::Count, count};
        }
    }
    reader.fail(node->where, path + "when",
                "must be any, all, or a number from 1 to the environment's " +
                    std::to_string(targets) + " targets");
    return {};
}

std::optional<PromotionPolicy> read_promotion(NodeReader& reader, const YamlNode& mapping,
                                              const std::string& path) {
    const YamlNode* node = NodeReader::present(mapping, "promotion");
    if (node == nullptr || !reader.is_mapping(*node, path + "promotion")) return std::nullopt;
    return read_policy(reader, *node, path + "promotion.");
}

Environment read_environment(NodeReader& reader, const YamlNode& node, const std::string& path) {
    Environment environment;
    if (!reader.is_mapping(node, path)) return environment;
    const std::string here = path + ".";
    reader.only(node, here, {"name", "targets", "promotion", "when", "per"});
    environment.name = reader.required_text(node, "name", here, NameRule::Environment);
    environment.targets = read_targets(reader, node, here);
    environment.promotion = read_promotion(reader, node, here);
    environment.when = read_when(reader, node, here, environment.targets.size());
    environment.per = read_per(reader, node, here);
    return environment;
}

void read_environments(NodeReader& reader, const YamlNode& spec, Pipeline& pipeline) {
    const YamlNode* node = reader.required(spec, "environments", "spec.");
    if (node == nullptr) return;
    if (node->kind != YamlNode::Kind::Sequence) {
        return reader.fail(node->where, "spec.environments", "must be a list");
    }
    for (std::size_t i = 0; i < node->items.size(); ++i) {
        const std::string path = "spec.environments[" + std::to_string(i) + "]";
        Environment environment = read_environment(reader, node->items[i], path);
        const bool named = !environment.name.empty();
        if (named && pipeline.index_of(environment.name) != Pipeline::npos) {
            reader.fail(node->items[i].where, path + ".name",
                        "environment \"" + environment.name + "\" is here twice; rename one");
        }
        pipeline.environments.push_back(std::move(environment));
    }
}

void read_app(NodeReader& reader, const YamlNode& spec, Pipeline& pipeline) {
    const YamlNode* node = reader.required(spec, "appRef", "spec.");
    if (node == nullptr || !reader.is_mapping(*node, "spec.appRef")) return;
    const std::string here = "spec.appRef.";
    reader.only(*node, here, {"apiVersion", "kind", "name", "secretRef"});
    pipeline.app.api_version = reader.optional_text(*node, "apiVersion", here, NameRule::Text);
    pipeline.app.kind = reader.required_text(*node, "kind", here, NameRule::Text);
    pipeline.app.name = reader.required_text(*node, "name", here, NameRule::Subdomain);
    // Where pipeline-controller v0.0.3 to v0.0.23 kept the secret that signs events.
    const auto secret = reader.secret_name(*node, "secretRef", here);
    if (!secret) return;
    if (!pipeline.promotion) pipeline.promotion.emplace();
    if (!pipeline.promotion->hmac_secret) pipeline.promotion->hmac_secret = secret;
}

void read_metadata(NodeReader& reader, const YamlNode& root, Pipeline& pipeline) {
    const YamlNode* node = reader.required(root, "metadata", "");
    if (node == nullptr || !reader.is_mapping(*node, "metadata")) return;
    pipeline.id.name = reader.required_text(*node, "name", "metadata.", NameRule::Subdomain);
    pipeline.id.ns = reader.optional_text(*node, "namespace", "metadata.", NameRule::Label);
    if (pipeline.id.ns.empty()) pipeline.id.ns = "default";
    pipeline.uid = reader.optional_text(*node, "uid", "metadata.", NameRule::Text);
    if (const YamlNode* generation = NodeReader::present(*node, "generation")) {
        const std::string& text = generation->scalar;
        std::from_chars(text.data(), text.data() + text.size(), pipeline.generation);
    }
}

void check_kind(NodeReader& reader, const YamlNode& root) {
    const std::string kind = reader.required_text(root, "kind", "", NameRule::Text);
    if (!reader.failed() && kind != "Pipeline") {
        reader.fail(root.member("kind")->where, "kind",
                    "\"" + shown(kind) + "\" is not read here; only Pipeline is");
    }
    const std::string version = reader.required_text(root, "apiVersion", "", NameRule::Text);
    if (!reader.failed() && version != kApiVersion) {
        reader.fail(root.member("apiVersion")->where, "apiVersion",
                    "\"" + shown(version) + "\" is not known; must be " + std::string(kApiVersion));
    }
}

// What a document of another kind and another API group says it is; "" if it is meant for us, be
// it misspelt.
std::string foreign_kind(const YamlNode& root) {
    const YamlNode* kind = root.member("kind");
    const YamlNode* version = root.member("apiVersion");
    for (const YamlNode* each : {kind, version}) {
        if (each == nullptr || each->kind != YamlNode::Kind::Scalar || each->scalar.empty())
            return {};
    }
    const std::string_view group = kApiVersion.substr(0, kApiVersion.find('/'));
    if (kind->scalar == "Pipeline" || version->scalar.rfind(group, 0) == 0) return {};
    return kind->scalar;
}

Result<Pipeline> read_pipeline(const YamlNode& root) {
    NodeReader reader;
    Pipeline pipeline;
    pipeline.where = root.where;
    if (!reader.is_mapping(root, "")) return reader.take_error();
    check_kind(reader, root);
    reader.only(root, "", {"apiVersion", "kind", "metadata", "spec", "status"});
    read_metadata(reader, root, pipeline);
    const YamlNode* spec = reader.required(root, "spec", "");
    if (spec != nullptr && reader.is_mapping(*spec, "spec")) {
        reader.only(*spec, "spec.", {"appRef", "environments", "promotion"});
        pipeline.promotion = read_promotion(reader, *spec, "spec.");
        read_app(reader, *spec, pipeline);
        read_environments(reader, *spec, pipeline);
    }
    if (reader.failed()) return reader.take_error();
    return pipeline;
}

// JSON has no positions of its own.
void set_place(Pipeline& pipeline, const std::string& place) {
    pipeline.where.file = place;
    const auto set = [&place](std::optional<PromotionPolicy>& policy) {
        if (policy && policy->strategy) policy->strategy->where.file = place;
    };
    set(pipeline.promotion);
    for (Environment& environment : pipeline.environments) set(environment.promotion);
}

}  // namespace

Result<PipelineFile> pipelines_from_yaml(std::string_view text, const std::string& file) {
    auto documents = yaml_documents(text, file);
    if (!documents) return std::move(documents).error();
    PipelineFile read;
    read.empty = documents->empty();
    std::string mistakes;
    const auto wrong = [&mistakes](const Error& error) {
        mistakes += (mistakes.empty() ? "" : "\n") + error.message;
    };
    for (const YamlNode& document : *documents) {
        if (const auto kind = foreign_kind(document); !kind.empty()) {
            read.foreign.push_back(
                yaml_error(document.member("kind")->where,
                           "kind: \"" + shown(kind) +
                               "\" is not read here, only Pipeline is; the file's Pipelines are "
                               "taken, move the document to another directory")
                    .message);
            continue;
        }
        auto pipeline = read_pipeline(document);
        if (!pipeline) {
            wrong(pipeline.error());
            continue;
        }
        const auto same =
            std::find_if(read.pipelines.begin(), read.pipelines.end(),
                         [&pipeline](const Pipeline& other) { return other.id == pipeline->id; });
        if (same != read.pipelines.end()) {
            wrong(yaml_error(document.where, "Pipeline " + pipeline->id.text() +
                                                 " is in this file already, at line " +
                                                 std::to_string(same->where.line) +
                                                 "; remove one"));
            continue;
        }
        read.pipelines.push_back(std::move(*pipeline));
    }
    if (!mistakes.empty()) return Error{ErrorKind::Invalid, std::move(mistakes)};
    return read;
}

Result<Pipeline> pipeline_from_json(std::string_view text, const std::string& place) {
    const auto placed = [&place](Error error) {
        return place.empty() ? std::move(error) : context(std::move(error), place);
    };
    auto root = json_document(text, {.bytes = 4u << 20, .depth = 64, .nodes = 200'000});
    if (!root) return placed(std::move(root).error());
    auto pipeline = read_pipeline(*root);
    if (!pipeline) return placed(std::move(pipeline).error());
    set_place(*pipeline, place);
    return pipeline;
}

}  // namespace promotiond::model
