#include "http/views_json.hpp"

#include "http/json_text.hpp"
#include "model/codec.hpp"

namespace promotiond::http {
namespace {

// The API's own words; the plugins' are behind the strategies' door.
std::string_view word_for(strategy::Outcome outcome) {
    switch (outcome) {
        case strategy::Outcome::Done: return "done";
        case strategy::Outcome::Pending: return "pending";
        case strategy::Outcome::Retry: return "retry";
        case strategy::Outcome::Rejected: return "rejected";
        case strategy::Outcome::Cancelled: return "cancelled";
    }
    return "rejected";
}

void time_member(JsonText& json, std::string_view key, WallTime time) {
    if (time != WallTime{}) json.member(key, std::string_view(model::time_to_text(time)));
}

// JSON kept by us as text: an object or array as it is, anything else as a string.
void json_member(JsonText& json, std::string_view key, const std::string& text) {
    if (text.empty()) return;
    const bool structured = text.front() == '{' || text.front() == '[';
    structured ? json.key(key).raw(text) : json.member(key, std::string_view(text));
}

void reasons(JsonText& json, const std::vector<decision::Reason>& all) {
    json.key("reasons").begin_array();
    for (const auto& reason : all) {
        json.begin_object()
            .member("code", std::string_view(reason.code))
            .member("text", std::string_view(reason.text))
            .end_object();
    }
    json.end_array();
}

void ids(JsonText& json, const std::vector<model::PromotionId>& all) {
    json.key("promotions").begin_array();
    for (const auto& id : all) json.value(std::string_view(id));
    json.end_array();
}

void promotion_members(JsonText& json, const model::Promotion& promotion) {
    json.member("id", std::string_view(promotion.id))
        .member("pipeline", std::string_view(promotion.scope.pipeline.text()))
        .member("environment", std::string_view(promotion.scope.environment))
        .member_if("target", promotion.scope.target)
        .member("revision", std::string_view(promotion.revision))
        .member_if("previousRevision", promotion.previous_revision)
        .member("phase", model::name_of(promotion.phase))
        .member_if("reason", promotion.reason)
        .member_if("strategy", promotion.strategy)
        .member_if("actor", promotion.actor)
        .member("attempt", static_cast<std::int64_t>(promotion.attempt));
    time_member(json, "created", promotion.created);
    time_member(json, "updated", promotion.updated);
    time_member(json, "notBefore", promotion.not_before);
    json.member_if("summary", promotion.summary)
        .member_if("location", promotion.location)
        .member_if("externalId", promotion.external_id);
    json_member(json, "details", promotion.details);
}

void why_object(JsonText& json, const decision::Why& why) {
    json.begin_object()
        .member("environment", std::string_view(why.environment))
        .member("headline", std::string_view(why.headline));
    reasons(json, why.reasons);
    if (why.since) time_member(json, "since", *why.since);
    json.member_if("unblock", why.unblock).end_object();
}

void target_object(JsonText& json, const model::Environment& environment,
                   const model::Target& target, const model::History* history) {
    json.begin_object()
        .member("name", std::string_view(target.text()))
        .member("namespace", std::string_view(target.ns));
    if (target.cluster) {
        json.key("cluster")
            .begin_object()
            .member_if("namespace", target.cluster->ns)
            .member("name", std::string_view(target.cluster->name))
            .end_object();
    }
    if (history != nullptr) {
        const auto found = history->running.find({environment.name, target.text()});
        if (found != history->running.end()) {
            json.member("revision", std::string_view(found->second.revision))
                .member_if("previousRevision", found->second.previous_revision);
            time_member(json, "since", found->second.event_time);
            time_member(json, "seen", found->second.seen);
        }
    }
    json.end_object();
}

void environment_object(JsonText& json, const model::Pipeline& pipeline,
                        const model::Environment& environment, const model::History* history,
                        const std::vector<decision::Why>* why) {
    const auto* policy = pipeline.policy_for(environment);
    json.begin_object()
        .member("name", std::string_view(environment.name))
        .member("manual", policy != nullptr && policy->manual);
    if (policy != nullptr && policy->strategy) {
        json.member("strategy", std::string_view(policy->strategy->key));
    }
    json.key("targets").begin_array();
    for (const auto& target : environment.targets) {
        target_object(json, environment, target, history);
    }
    json.end_array().key("promotions").begin_array();
    if (history != nullptr) {
        for (const auto& [scope, all] : history->promotions) {
            if (scope.first != environment.name || all.empty()) continue;
            json.begin_object();
            promotion_members(json, all.back());
            json.end_object();
        }
    }
    json.end_array();
    if (why != nullptr) {
        for (const auto& one : *why) {
            if (one.environment != environment.name) continue;
            json.key("why");
            why_object(json, one);
            break;
        }
    }
    json.end_object();
}

void problem_object(JsonText& json, const platform::Problem& problem) {
    json.begin_object()
        .member("file", std::string_view(problem.where.file))
        .member("line", static_cast<std::int64_t>(problem.where.line))
        .member("column", static_cast<std::int64_t>(problem.where.column))
        .member("message", std::string_view(problem.message))
        .end_object();
}

// Leaves the object open for more members.
void pipeline_members(JsonText& json, const model::PipelineName& name,
                      const engine::PipelineView& view, const std::vector<decision::Why>* why) {
    json.begin_object()
        .member("namespace", std::string_view(name.ns))
        .member("name", std::string_view(name.name));
    if (!view.pipeline) {
        json.member("gone", true).key("environments").begin_array().end_array();
        return;
    }
    const model::Pipeline& pipeline = *view.pipeline;
    json.key("app")
        .begin_object()
        .member("apiVersion", std::string_view(pipeline.app.api_version))
        .member("kind", std::string_view(pipeline.app.kind))
        .member("name", std::string_view(pipeline.app.name))
        .end_object();
    json.key("environments").begin_array();
    for (const auto& environment : pipeline.environments) {
        environment_object(json, pipeline, environment, view.history.get(), why);
    }
    json.end_array();
}

}  // namespace

std::string accepted_json(const engine::Accepted& accepted) {
    JsonText json;
    json.begin_object()
        .member("verdict", decision::name_of(accepted.verdict))
        .member("awaitingApproval", accepted.awaiting_approval);
    reasons(json, accepted.reasons);
    ids(json, accepted.promotions);
    json.end_object();
    return std::move(json).text();
}

std::string pipelines_json(const engine::Snapshot& snapshot,
                           const std::optional<std::set<std::string>>& namespaces) {
    JsonText json;
    json.begin_object().key("pipelines").begin_array();
    for (const auto& [name, view] : snapshot.pipelines) {
        if (namespaces && !namespaces->contains(name.ns)) continue;
        pipeline_members(json, name, view, nullptr);
        json.end_object();
    }
    json.end_array().key("problems").begin_array();
    for (const auto& problem : snapshot.problems) {
        // A platform that has namespaced callers has places that begin with the namespace.
        const std::string& place = problem.where.file;
        if (!namespaces || namespaces->contains(place.substr(0, place.find('/'))))
            problem_object(json, problem);
    }
    json.end_array().end_object();
    return std::move(json).text();
}

std::string pipeline_json(const engine::Snapshot& snapshot, const model::PipelineName& name,
                          const std::vector<decision::Why>& why) {
    JsonText json;
    const auto& view = snapshot.pipelines.at(name);
    pipeline_members(json, name, view, &why);
    json.key("problems").begin_array();
    for (const auto& problem : snapshot.problems) {
        const bool here = view.pipeline && problem.where.file == view.pipeline->where.file;
        if (here) problem_object(json, problem);
    }
    json.end_array().end_object();
    return std::move(json).text();
}

std::string why_json(const std::vector<decision::Why>& why) {
    JsonText json;
    json.begin_object().key("environments").begin_array();
    for (const auto& one : why) why_object(json, one);
    json.end_array().end_object();
    return std::move(json).text();
}

std::string promotions_json(const journal::Page& page) {
    JsonText json;
    json.begin_object().key("promotions").begin_array();
    for (const auto& promotion : page.promotions) {
        json.begin_object();
        promotion_members(json, promotion);
        json.end_object();
    }
    json.end_array().member_if("next", page.next).end_object();
    return std::move(json).text();
}

std::string promotion_json(const model::Promotion& promotion,
                           const std::vector<model::Transition>& history) {
    JsonText json;
    json.begin_object();
    promotion_members(json, promotion);
    json_member(json, "event", promotion.event);
    json.key("history").begin_array();
    for (const auto& step : history) {
        json.begin_object();
        if (step.from) json.member("from", model::name_of(*step.from));
        json.member("to", model::name_of(step.to));
        time_member(json, "at", step.at);
        json.member_if("reason", step.reason)
            .member_if("actor", step.actor)
            .member("attempt", static_cast<std::int64_t>(step.attempt))
            .end_object();
    }
    json.end_array().end_object();
    return std::move(json).text();
}

std::string events_json(const std::vector<journal::EventRecord>& events) {
    JsonText json;
    json.begin_object().key("events").begin_array();
    for (const auto& event : events) {
        json.begin_object()
            .member("sequence", static_cast<std::int64_t>(event.sequence))
            .member("pipeline", std::string_view(event.pipeline.text()))
            .member("environment", std::string_view(event.environment))
            .member("digest", std::string_view(event.digest))
            .member_if("peer", event.peer)
            .member("verdict", std::string_view(event.verdict));
        time_member(json, "received", event.received);
        json_member(json, "reasons", event.reasons);
        json_member(json, "event", event.body);
        ids(json, event.promotions);
        json.end_object();
    }
    json.end_array().end_object();
    return std::move(json).text();
}

std::string strategies_json(const std::vector<strategy::Description>& strategies,
                            const std::vector<strategy::Refusal>& refusals) {
    JsonText json;
    json.begin_object().key("strategies").begin_array();
    for (const auto& one : strategies) {
        json.begin_object()
            .member("name", std::string_view(one.name))
            .member("key", std::string_view(one.key))
            .member_if("provider", one.provider)
            .member_if("version", one.version)
            .member_if("summary", one.summary)
            .member("observes", one.can_observe)
            .member("plans", one.can_plan)
            .member_if("file", one.file.string())
            .member_if("sha256", one.sha256);
        json.key("hosts").begin_array();
        for (const auto& host : one.hosts) json.value(std::string_view(host));
        json.end_array().end_object();
    }
    json.end_array().key("refused").begin_array();
    for (const auto& refusal : refusals) {
        json.begin_object()
            .member("file", std::string_view(refusal.file.string()))
            .member("message", std::string_view(refusal.message))
            .end_object();
    }
    json.end_array().end_object();
    return std::move(json).text();
}

std::string plan_json(const strategy::Answer& answer) {
    JsonText json;
    json.begin_object()
        .member("outcome", word_for(answer.outcome))
        .member_if("message", answer.message)
        .member_if("summary", answer.summary)
        .member_if("location", answer.location);
    json_member(json, "details", answer.details);
    json.end_object();
    return std::move(json).text();
}

}  // namespace promotiond::http
