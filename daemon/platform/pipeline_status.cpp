#include "platform/pipeline_status.hpp"

#include "model/codec.hpp"
#include "platform/known_state.hpp"
#include "platform/parsed_json.hpp"
#include "platform/text_cut.hpp"

namespace promotiond::platform {
namespace {

namespace json = boost::json;
using model::Environment;
using model::Observation;
using model::Phase;
using model::Pipeline;
using model::Promotion;
using model::Target;

constexpr std::size_t kLongestMessage = 20'000;  // bytes, as pipeline-controller cut them
constexpr std::size_t kLongestReason = 1'024;

// RFC 3339 in seconds, as metav1.Time.
std::string time_text(WallTime time) { return model::time_to_text(time).substr(0, 19) + "Z"; }

// Since when the condition has the status that it is to have.
std::string since(const json::value& current, const Condition& condition, WallTime now) {
    const auto* status = current.if_object();
    const auto* list = status == nullptr ? nullptr : status->if_contains("conditions");
    if (list != nullptr && list->is_array()) {
        for (const auto& each : list->get_array()) {
            const auto* old = each.if_object();
            if (old == nullptr) continue;
            const auto* type = old->if_contains("type");
            const auto* holds = old->if_contains("status");
            const auto* time = old->if_contains("lastTransitionTime");
            if (type == nullptr || holds == nullptr || time == nullptr || !time->is_string())
                continue;
            if (*type != json::value(condition.type)) continue;
            if (*holds != json::value(condition.holds ? "True" : "False")) break;
            return std::string(time->get_string());
        }
    }
    return time_text(now);
}

json::object target_json(const Pipeline& pipeline, const Target& target, const Observation* seen) {
    json::object reference{{"apiVersion", pipeline.app.api_version},
                           {"kind", pipeline.app.kind},
                           {"name", pipeline.app.name}};
    if (target.cluster) {
        json::object cluster{{"kind", target.cluster->kind}, {"name", target.cluster->name}};
        if (!target.cluster->api_version.empty()) {
            cluster["apiVersion"] = target.cluster->api_version;
        }
        if (!target.cluster->ns.empty()) cluster["namespace"] = target.cluster->ns;
        reference["clusterRef"] = std::move(cluster);
    }
    json::object result{{"clusterAppRef", std::move(reference)}, {"ready", false}};
    if (seen == nullptr) return result;
    result["ready"] = seen->ready;
    if (!seen->revision.empty()) result["revision"] = seen->revision;
    if (!seen->error.empty()) result["error"] = cut(seen->error, kLongestMessage);
    return result;
}

std::string reason_of(const Promotion& promotion, const model::PromotionPolicy* policy) {
    const bool left =
        promotion.phase == Phase::AwaitingApproval && (policy == nullptr || !policy->manual);
    return promotion.reason +
           (left ? "; that promotions are not manual any more lets go newer ones only" : "");
}

json::object environment_json(const PipelineState& state, const Environment& environment,
                              const StatusView& view) {
    json::object result;
    const Promotion* waiting = newest(state, environment.name, [](const Promotion& each) {
        return each.phase == Phase::AwaitingApproval;
    });
    const auto* policy = state.pipeline->policy_for(environment);
    if (waiting != nullptr || (policy != nullptr && policy->manual)) {
        result["waitingApproval"] = {{"revision", waiting == nullptr ? "" : waiting->revision}};
    }
    if (view.applications) {
        json::array targets;
        for (const auto& target : environment.targets) {
            targets.push_back(
                target_json(*state.pipeline, target, seen_of(state, environment, target)));
        }
        result["targets"] = std::move(targets);
    }
    const Promotion* last = newest(state, environment.name, [](const Promotion&) { return true; });
    if (last != nullptr) {
        json::object promotion{{"id", last->id},
                               {"revision", last->revision},
                               {"phase", std::string(name_of(last->phase))},
                               {"reason", cut(reason_of(*last, policy), kLongestMessage)},
                               {"lastTransitionTime", time_text(last->updated)}};
        if (!last->location.empty()) promotion["url"] = last->location;
        result["lastPromotion"] = std::move(promotion);
    }
    return result;
}

json::array list_of(const std::vector<Condition>& conditions, const json::value& before,
                    WallTime now) {
    json::array list;
    for (const auto& each : conditions) {
        list.push_back({{"type", each.type},
                        {"status", each.holds ? "True" : "False"},
                        {"reason", each.reason.substr(0, kLongestReason)},
                        {"message", cut(each.message, kLongestMessage)},
                        {"lastTransitionTime", since(before, each, now)}});
    }
    return list;
}

}  // namespace

std::string pipeline_status(const PipelineState& state, std::string_view current,
                            const StatusView& view, WallTime now) {
    if (state.pipeline == nullptr || !all_seen(state)) return {};
    const json::value before = parsed(current);
    json::object environments;
    for (const auto& environment : state.pipeline->environments) {
        environments[environment.name] = environment_json(state, environment, view);
    }
    return json::serialize(
        json::object{{"observedGeneration", state.pipeline->generation},
                     {"conditions", list_of(conditions_of(state, view), before, now)},
                     {"environments", std::move(environments)}});
}

std::string faulty_status(const std::string& fault, std::int64_t generation,
                          std::string_view current, WallTime now) {
    const std::vector<Condition> conditions{{"Ready", false, "InvalidPipeline", fault},
                                            {"Stalled", true, "InvalidPipeline", fault}};
    return json::serialize(json::object{{"observedGeneration", generation},
                                        {"conditions", list_of(conditions, parsed(current), now)}});
}

}  // namespace promotiond::platform
