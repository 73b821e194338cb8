#include "platform/pipeline_status.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <optional>
#include <set>

#include "model/codec.hpp"
#include "platform/text_cut.hpp"

namespace promotiond::platform {
namespace {

namespace json = boost::json;
using model::Environment;
using model::Observation;
using model::Phase;
using model::Pipeline;
using model::Promotion;
using model::Sight;
using model::Target;

constexpr std::size_t kLongestMessage = 20'000;  // bytes, as pipeline-controller cut them
constexpr std::size_t kLongestReason = 1'024;

struct Condition {
    std::string type;
    bool holds = true;
    std::string reason;
    std::string message;
};

// RFC 3339 in seconds, as metav1.Time.
std::string time_text(WallTime time) { return model::time_to_text(time).substr(0, 19) + "Z"; }

json::value parsed(std::string_view text) {
    boost::system::error_code error;
    auto value = json::parse(text, error);
    return error ? json::value() : value;
}

const json::object* member(const json::value& value, std::string_view key) {
    const auto* object = value.if_object();
    const auto* found = object == nullptr ? nullptr : object->if_contains(key);
    return found == nullptr ? nullptr : found->if_object();
}

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

const Observation* seen_of(const PipelineState& state, const Environment& environment,
                           const Target& target) {
    if (state.observed == nullptr) return nullptr;
    const auto found = state.observed->find({environment.name, target.text()});
    return found == state.observed->end() ? nullptr : &found->second;
}

// "GitopsCluster/ns/name", without the namespace where the Pipeline does not give one.
std::string text_of(const model::ClusterRef& cluster) {
    return "GitopsCluster/" + (cluster.ns.empty() ? "" : cluster.ns + "/") + cluster.name;
}

bool all_seen(const PipelineState& state) {
    for (const auto& environment : state.pipeline->environments) {
        for (const auto& target : environment.targets) {
            if (seen_of(state, environment, target) == nullptr) return false;
        }
    }
    return true;
}

Condition ready(const PipelineState& state, const StatusView& view) {
    if (!state.unusable.empty()) return {"Ready", false, "StrategyNotUsable", state.unusable};
    for (const auto& environment : state.pipeline->environments) {
        for (const auto& target : environment.targets) {
            const Observation* seen = seen_of(state, environment, target);
            if (seen == nullptr || seen->sight == Sight::Clear) continue;
            if (view.applications) {
                return {"Ready", false, "TargetNotReadable",
                        "One or more targets was not reachable or not present"};
            }
            const std::string cluster = target.cluster ? text_of(*target.cluster) : "local";
            if (seen->sight == Sight::NoCluster) {
                return {"Ready", false, "TargetClusterNotFound",
                        "Target cluster '" + cluster + "' not found"};
            }
            return {"Ready", false, "TargetClusterNotReady",
                    "Target cluster '" + cluster + "' not ready"};
        }
    }
    return {"Ready", true, "ReconciliationSucceeded", "All clusters checked"};
}

// The first environment says which revision is on its way; until it agrees with itself there is
// none.
std::optional<Condition> pending(const PipelineState& state) {
    if (state.pipeline->environments.empty()) return std::nullopt;
    const Environment& first = state.pipeline->environments.front();
    std::set<std::string> revisions;
    bool all_ready = true;
    for (const auto& target : first.targets) {
        const Observation* seen = seen_of(state, first, target);
        revisions.insert(seen == nullptr ? "" : seen->revision);
        all_ready = all_ready && seen != nullptr && seen->ready;
    }
    const auto waiting = [](const char* message) {
        return Condition{"PromotionPending", true, "EnvironmentNotReady", message};
    };
    if (revisions.size() != 1 || revisions.begin()->empty()) {
        return waiting("Waiting for all targets to have the same revision");
    }
    if (!all_ready) return waiting("Waiting for all targets to be ready");
    return std::nullopt;
}

// What a change of `per` or of the targets has left behind says nothing of today.
bool is_scope(const Pipeline& pipeline, const std::string& environment, const std::string& target) {
    const auto index = pipeline.index_of(environment);
    if (index == Pipeline::npos) return false;
    const Environment& into = pipeline.environments[index];
    if (pipeline.per_for(into) == model::Per::Environment) return target.empty();
    return std::any_of(into.targets.begin(), into.targets.end(),
                       [&target](const Target& each) { return each.text() == target; });
}

// The newest promotion into an environment, of all its scopes.
const Promotion* newest(const PipelineState& state, const std::string& environment,
                        const std::function<bool(const Promotion&)>& fits) {
    const Promotion* found = nullptr;
    if (state.history == nullptr) return nullptr;
    for (const auto& [place, promotions] : state.history->promotions) {
        if (place.first != environment || promotions.empty()) continue;
        if (!is_scope(*state.pipeline, environment, place.second)) continue;
        const Promotion& last = promotions.back();
        if (fits(last) && (found == nullptr || last.created > found->created)) found = &last;
    }
    return found;
}

std::vector<Condition> progress(const PipelineState& state) {
    std::vector<Condition> conditions;
    // What waits for a strategy moves when somebody brings one, and not before.
    if (!state.unusable.empty()) return {{"Stalled", true, "StrategyNotUsable", state.unusable}};
    const auto add = [&](const char* type, const char* reason, Phase a, Phase b) {
        for (const auto& environment : state.pipeline->environments) {
            const Promotion* promotion = newest(
                state, environment.name,
                [a, b](const Promotion& each) { return each.phase == a || each.phase == b; });
            if (promotion == nullptr) continue;
            conditions.push_back(
                {type, true, reason,
                 promotion->revision + " into " + environment.name + ": " + promotion->reason});
            return;
        }
    };
    add("AwaitingApproval", "ManualPromotion", Phase::AwaitingApproval, Phase::AwaitingApproval);
    add("Reconciling", "Progressing", Phase::Queued, Phase::Running);
    add("Stalled", "PromotionFailed", Phase::Failed, Phase::Failed);
    return conditions;
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

// Every member that wanted has is in current and says the same; arrays are compared as a whole.
bool contains(const json::value& current, const json::value& wanted) {
    const auto* object = wanted.if_object();
    if (object == nullptr) return current == wanted;
    const auto* other = current.if_object();
    if (other == nullptr) return false;
    return std::all_of(object->begin(), object->end(), [other](const auto& each) {
        const auto* found = other->if_contains(each.key());
        return found != nullptr && contains(*found, each.value());
    });
}

// What both say; where they differ in more than members, `over` counts.
json::object laid_over(json::object under, const json::object& over) {
    for (const auto& each : over) {
        auto& kept = under[each.key()];
        if (kept.is_object() && each.value().is_object()) {
            kept = laid_over(kept.get_object(), each.value().get_object());
        } else {
            kept = each.value();
        }
    }
    return under;
}

// Null for each member that wanted does not have.
json::object surplus(const json::object& current, const json::object& wanted) {
    json::object patch;
    for (const auto& each : current) {
        const auto* kept = wanted.if_contains(each.key());
        if (kept == nullptr) patch[each.key()] = nullptr;
        if (kept == nullptr || !kept->is_object() || !each.value().is_object()) continue;
        auto below = surplus(each.value().get_object(), kept->get_object());
        if (!below.empty()) patch[each.key()] = std::move(below);
    }
    return patch;
}

}  // namespace

std::string pipeline_status(const PipelineState& state, std::string_view current,
                            const StatusView& view, WallTime now) {
    if (state.pipeline == nullptr || !all_seen(state)) return {};
    const json::value before = parsed(current);
    std::vector<Condition> conditions{ready(state, view)};
    if (view.applications) {
        if (auto waits = pending(state)) conditions.push_back(std::move(*waits));
    }
    for (auto& each : progress(state)) conditions.push_back(std::move(each));

    json::object environments;
    for (const auto& environment : state.pipeline->environments) {
        environments[environment.name] = environment_json(state, environment, view);
    }
    return json::serialize(json::object{{"observedGeneration", state.pipeline->generation},
                                        {"conditions", list_of(conditions, before, now)},
                                        {"environments", std::move(environments)}});
}

std::string faulty_status(const std::string& fault, std::int64_t generation,
                          std::string_view current, WallTime now) {
    const std::vector<Condition> conditions{{"Ready", false, "InvalidPipeline", fault},
                                            {"Stalled", true, "InvalidPipeline", fault}};
    return json::serialize(json::object{{"observedGeneration", generation},
                                        {"conditions", list_of(conditions, parsed(current), now)}});
}

bool says_already(std::string_view current, std::string_view wanted) {
    return contains(parsed(current), parsed(wanted)) && leftovers(current, wanted).empty();
}

std::string leftovers(std::string_view current, std::string_view wanted) {
    const json::value now = parsed(current);
    const json::value then = parsed(wanted);
    if (!contains(now, then)) return {};
    const auto* old = member(now, "environments");
    const auto* fresh = member(then, "environments");
    if (old == nullptr || fresh == nullptr) return {};
    auto gone = surplus(*old, *fresh);
    if (gone.empty()) return {};
    return json::serialize(json::object{{"environments", std::move(gone)}});
}

std::string replacement(std::string_view current, std::string_view wanted) {
    const json::value now = parsed(current);
    const json::value then = parsed(wanted);
    const auto* old = now.if_object();
    const auto* fresh = then.if_object();
    if (old == nullptr || fresh == nullptr) return std::string(wanted);
    return json::serialize(laid_over(*fresh, surplus(*old, *fresh)));
}

}  // namespace promotiond::platform
