// Any bytes as a file of Pipelines and as a Pipeline's JSON: Pipelines whose promises hold, or an
// error that begins with the file.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "model/codec.hpp"
#include "model/json_document.hpp"
#include "model/text_check.hpp"

namespace {

using namespace promotiond::model;

void check_policy(const std::optional<PromotionPolicy>& policy) {
    if (!policy || !policy->strategy) return;
    const auto config = json_document(policy->strategy->config);
    if (!config || config->kind != YamlNode::Kind::Mapping) std::abort();
    if (policy->strategy->key.empty()) std::abort();
}

void check(const Pipeline& pipeline) {
    if (pipeline.id.ns.empty() || pipeline.id.name.empty() || pipeline.app.kind.empty())
        std::abort();
    check_policy(pipeline.promotion);
    std::set<std::string> names;
    for (const Environment& environment : pipeline.environments) {
        if (!names.insert(environment.name).second) std::abort();
        if (environment.name.empty() || deceiving_character(environment.name)) std::abort();
        check_policy(environment.promotion);
        if (!json_document(targets_to_json(environment, ""))) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const auto file = pipelines_from_yaml(text, "f.yaml");
    if (!file && file.error().message.rfind("f.yaml:", 0) != 0) std::abort();
    if (file) {
        for (const Pipeline& pipeline : file->pipelines) check(pipeline);
        for (const std::string& foreign : file->foreign) {
            if (foreign.rfind("f.yaml:", 0) != 0) std::abort();
        }
    }
    const auto from_json = pipeline_from_json(text);
    if (from_json) check(*from_json);
    return 0;
}
