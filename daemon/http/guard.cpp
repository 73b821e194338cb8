#include "http/guard.hpp"

#include <set>

#include "base/log.hpp"
#include "http/auth.hpp"
#include "http/query.hpp"

namespace promotiond::http {
namespace {

using model::PipelineName;
using platform::Caller;
using platform::Verb;

std::string_view word_for(Verb verb) {
    switch (verb) {
        case Verb::Get: return "get";
        case Verb::List: return "list";
        case Verb::Approve: break;
    }
    return "approve";
}

std::string place_text(const PipelineName& pipelines) {
    if (pipelines.ns.empty()) return "of all namespaces";
    return pipelines.name.empty() ? "of " + pipelines.ns : pipelines.text();
}

void unanswerable(Exchange& exchange, const Error& error) {
    log::warn("PROMO-4009", "the platform cannot be asked about a caller of the API",
              {{"request", exchange.request.request_id}, {"reason", error.message}});
    exchange.refuse(503,
                    "who this token belongs to, or what it may do, cannot be asked now; nothing "
                    "has happened; try again later");
}

void forbid(Exchange& exchange, const Caller& caller, Verb verb, const PipelineName& pipelines) {
    exchange.refuse(403,
                    caller.name + " may not " + std::string(word_for(verb)) +
                        " pipelines.pipelines.weave.works " + place_text(pipelines) +
                        "; grant it with a Role that has the verb " + std::string(word_for(verb)),
                    "token");
}

bool is_about_a_promotion(Action action) {
    return action == Action::ShowPromotion || action == Action::RetryPromotion ||
           action == Action::CancelPromotion;
}

}  // namespace

// What a request is about, and whether it only looks.
struct Guard::Wish {
    PipelineName pipelines;
    bool commands = false;
};

// As many as may wait for the platform at a time; it has its own limits.
Guard::Guard(Core core, Proceed proceed)
    : core_(core), proceed_(std::move(proceed)), workers_("http-guard", 4, 256) {}

bool Guard::remembers(const Request& request) const {
    const auto token = bearer_of(request);
    return token && core_.callers->remembers(*token);
}

void Guard::check(const ExchangePtr& exchange) {
    const bool taken =
        workers_.run([this, exchange](const std::stop_token& stop) { admit(exchange, stop); });
    if (!taken) exchange->refuse(503, "too many requests wait; try again later");
}

Result<Guard::Wish> Guard::wish_of(const Exchange& exchange) const {
    const Route& route = *exchange.match.route;
    const auto& parameters = exchange.match.parameters;
    Wish wish;
    wish.commands = route.access != Access::Read;
    if (is_about_a_promotion(route.action)) {
        auto promotion = core_.views.promotion(parameters.at(0));
        if (!promotion) return std::move(promotion).error();
        wish.pipelines = promotion->scope.pipeline;
    } else if (route.action == Action::ListPromotions) {
        auto filter = promotions_query(exchange.target);
        if (!filter) return std::move(filter).error();
        if (filter->pipeline) wish.pipelines = std::move(*filter->pipeline);
    } else if (route.action == Action::ListEvents) {
        auto query = events_query(exchange.target);
        if (!query) return std::move(query).error();
        wish.pipelines = std::move(query->pipeline);
    } else if (parameters.size() >= 2) {
        wish.pipelines = {parameters[0], parameters[1]};
    }
    return wish;
}

void Guard::admit(const ExchangePtr& exchange, const std::stop_token& stop) const {
    const auto token = bearer_of(exchange->request);
    auto caller = core_.callers->who(token.value_or(""), stop);
    if (!caller) return unanswerable(*exchange, caller.error());
    if (!*caller) return exchange->answer(no_token(exchange->request, true));
    exchange->request.actor = (*caller)->name;

    const Action action = exchange->match.route->action;
    if (action == Action::ShowVersion) return proceed_(exchange);
    if (action == Action::ListPipelines) {
        if (narrowed(*exchange, **caller, stop)) proceed_(exchange);
        return;
    }
    const auto wish = wish_of(*exchange);
    if (!wish && is_about_a_promotion(action) && wish.error().kind == ErrorKind::NotFound) {
        return exchange->refuse(404, "there is no such promotion, or you may not get its Pipeline");
    }
    if (!wish && wish.error().kind == ErrorKind::Invalid)
        return exchange->refuse(400, wish.error().message);
    if (!wish) return exchange->refuse(503, wish.error().message);

    const Verb look = wish->pipelines.name.empty() ? Verb::List : Verb::Get;
    if (is_about_a_promotion(action)) {
        const auto seen = core_.callers->may(**caller, look, wish->pipelines, stop);
        if (!seen) return unanswerable(*exchange, seen.error());
        if (!*seen)
            return exchange->refuse(404,
                                    "there is no such promotion, or you may not get its Pipeline");
        if (!wish->commands) return proceed_(exchange);
    }
    const Verb verb = wish->commands ? Verb::Approve : look;
    if (allowed(*exchange, **caller, verb, wish->pipelines, stop)) proceed_(exchange);
}

bool Guard::allowed(Exchange& exchange, const Caller& caller, Verb verb,
                    const PipelineName& pipelines, const std::stop_token& stop) const {
    const auto may = core_.callers->may(caller, verb, pipelines, stop);
    if (!may) {
        unanswerable(exchange, may.error());
    } else if (!*may) {
        forbid(exchange, caller, verb, pipelines);
    }
    return may && *may;
}

bool Guard::narrowed(Exchange& exchange, const Caller& caller, const std::stop_token& stop) const {
    const auto all = core_.callers->may(caller, Verb::List, {}, stop);
    if (all && *all) return true;
    std::set<std::string> spaces;
    for (const auto& [name, view] : core_.views.snapshot()->pipelines) spaces.insert(name.ns);
    for (auto each = spaces.begin(); all && each != spaces.end();) {
        const auto may = core_.callers->may(caller, Verb::List, {*each, ""}, stop);
        if (!may) {
            unanswerable(exchange, may.error());
            return false;
        }
        each = *may ? std::next(each) : spaces.erase(each);
    }
    if (!all) {
        unanswerable(exchange, all.error());
    } else if (spaces.empty()) {
        forbid(exchange, caller, Verb::List, {});
    } else {
        exchange.visible = std::move(spaces);
    }
    return all && exchange.visible;
}

}  // namespace promotiond::http
