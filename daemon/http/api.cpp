#include "http/api.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <functional>

#include "base/log.hpp"
#include "http/answers.hpp"
#include "http/auth.hpp"
#include "http/json_text.hpp"
#include "http/query.hpp"
#include "http/views_json.hpp"

extern const char promotiond_openapi_yaml[];

namespace promotiond::http {
namespace {

// A read, with an entity tag over the body so that pollers need not fetch what they have.
void answer_read(Exchange& exchange, std::string body) {
    Response response = json_response(200, std::move(body));
    const std::string tag = "\"" + sha256_hex(response.body).substr(0, 32) + "\"";
    response.headers.emplace_back("ETag", tag);
    const std::string* known = exchange.request.single("if-none-match");
    if (known != nullptr && (*known == "*" || known->find(tag) != std::string::npos)) {
        response.status = 304;
        response.media.clear();
        response.body.clear();
    }
    exchange.answer(std::move(response));
}

struct Wish {
    std::string revision;
    std::string target;
};

Result<Wish> wish_from(const std::string& body) {
    static constexpr std::string_view kShape =
        R"(the body must be {"revision": "...", "target": "..."}, target being optional)";
    try {
        Poco::JSON::Parser parser;
        parser.setDepth(8);
        const auto object = parser.parse(body).extract<Poco::JSON::Object::Ptr>();
        Wish wish;
        for (const auto& [key, value] : *object) {
            if (key != "revision" && key != "target") {
                return Error{ErrorKind::Invalid,
                             "'" + key + "' is not known; " + std::string(kShape)};
            }
            (key == "revision" ? wish.revision : wish.target) = value.extract<std::string>();
        }
        for (const char c : wish.revision + wish.target) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
                return Error{ErrorKind::Invalid, "revision and target take no control characters"};
            }
        }
        if (!wish.revision.empty()) return wish;
    } catch (const Poco::Exception&) {
        // Said below: its own text would quote the input.
    }
    return Error{ErrorKind::Invalid, std::string(kShape)};
}

Result<std::string> read_promotions(Views& views, const journal::Filter& filter) {
    const auto page = views.promotions(filter);
    if (!page) return page.error();
    return promotions_json(*page);
}

Result<std::string> read_promotion(Views& views, const std::string& id) {
    const auto promotion = views.promotion(id);
    if (!promotion) return promotion.error();
    const auto history = views.transitions(id);
    if (!history) return history.error();
    return promotion_json(*promotion, *history);
}

Result<std::string> read_pipeline(Views& views, const Exchange& exchange) {
    const model::PipelineName name{exchange.match.parameters.at(0),
                                   exchange.match.parameters.at(1)};
    const auto snapshot = views.snapshot();
    if (!snapshot->pipelines.contains(name)) {
        return Error{ErrorKind::NotFound, "there is no Pipeline " + name.text()};
    }
    const auto why = views.why(name);
    if (exchange.match.route->action == Action::ShowWhy) return why_json(why);
    return pipeline_json(*snapshot, name, why);
}

Result<std::string> read_events(Views& views, const EventsQuery& query) {
    const auto events = views.events(query.pipeline, query.limit);
    if (!events) return events.error();
    return events_json(*events);
}

Result<std::string> read_view(Views& views, const Exchange& exchange) {
    switch (exchange.match.route->action) {
        case Action::ListPipelines: return pipelines_json(*views.snapshot(), exchange.visible);
        case Action::ShowPipeline:
        case Action::ShowWhy: return read_pipeline(views, exchange);
        case Action::ShowPromotion: return read_promotion(views, exchange.match.parameters.at(0));
        case Action::ListStrategies:
            return strategies_json(views.strategies(), views.refused_strategies());
        case Action::ShowVersion: {
            JsonText json;
            json.begin_object()
                .member("name", "promotiond")
                .member("version", PROMOTIOND_VERSION)
                .end_object();
            return std::move(json).text();
        }
        default: return Error{ErrorKind::Internal, "a route without a view"};
    }
}

using View = std::function<Result<std::string>()>;

// What a list asks for is read before anything is looked up.
Result<View> view_of(Views& views, const Exchange& exchange) {
    const Action action = exchange.match.route->action;
    if (action == Action::ListPromotions) {
        auto filter = promotions_query(exchange.target);
        if (!filter) return std::move(filter).error();
        return View(
            [&views, filter = std::move(*filter)] { return read_promotions(views, filter); });
    }
    if (action == Action::ListEvents) {
        auto query = events_query(exchange.target);
        if (!query) return std::move(query).error();
        return View([&views, query = std::move(*query)] { return read_events(views, query); });
    }
    if (auto checked = check_parameters(exchange.target, {}); !checked)
        return std::move(checked).error();
    return View([&views, &exchange] { return read_view(views, exchange); });
}

}  // namespace

// Two readers: one slow page does not hold up the next. Plans one after the other.
Api::Api(Core core) : core_(core), readers_("http-api", 2, 256), planner_("http-plan", 1, 16) {}

void Api::stop() {
    readers_.stop();
    planner_.stop();
}

void Api::serve(const ExchangePtr& exchange) {
    switch (exchange->match.route->action) {
        case Action::RetryPromotion:
        case Action::CancelPromotion: return command(exchange);
        case Action::Approve: return approve(exchange);
        case Action::Plan: return plan(exchange);
        case Action::ShowOpenApi:
            return exchange->answer(
                {.status = 200, .media = "application/yaml", .body = promotiond_openapi_yaml});
        default: return read(exchange);
    }
}

void Api::read(const ExchangePtr& exchange) {
    auto view = view_of(core_.views, *exchange);
    if (!view) return exchange->refuse(400, view.error().message);
    const bool taken = readers_.run([exchange, view = std::move(*view)](const std::stop_token&) {
        auto body = view();
        if (!body) return refuse(*exchange, body.error());
        answer_read(*exchange, std::move(*body));
    });
    if (!taken) exchange->refuse(503, "too many requests wait; try again later");
}

void Api::command(const ExchangePtr& exchange) const {
    const std::string& id = exchange->match.parameters.at(0);
    const std::string actor = "operator:" + exchange->request.actor;
    const auto done = [exchange](Result<model::Promotion> result) {
        if (!result) return refuse(*exchange, result.error());
        exchange->answer(json_response(200, promotion_json(*result, {})));
    };
    if (exchange->match.route->action == Action::RetryPromotion) {
        core_.commands.retry(id, actor, done);
    } else {
        core_.commands.cancel(id, actor, done);
    }
}

void Api::approve(const ExchangePtr& exchange) const {
    auto wish = wish_from(exchange->request.body);
    if (!wish) return exchange->refuse(400, wish.error().message);
    const auto& parameters = exchange->match.parameters;
    decision::Approval approval;
    approval.environment = parameters.at(2);
    approval.target = std::move(wish->target);
    approval.revision = std::move(wish->revision);
    approval.actor = "operator:" + exchange->request.actor;
    core_.commands.approve({parameters.at(0), parameters.at(1)}, std::move(approval),
                           [exchange](Result<engine::Accepted> result) {
                               if (!result) return refuse(*exchange, result.error());
                               exchange->answer(accepted_response(*result));
                           });
}

void Api::plan(const ExchangePtr& exchange) {
    auto wish = wish_from(exchange->request.body);
    if (!wish) return exchange->refuse(400, wish.error().message);
    const bool taken =
        planner_.run([this, exchange, wish = std::move(*wish)](const std::stop_token& stop) {
            const auto& parameters = exchange->match.parameters;
            const auto answer =
                core_.views.plan({parameters.at(0), parameters.at(1)}, parameters.at(2),
                                 wish.target, wish.revision, stop);
            if (!answer) return refuse(*exchange, answer.error());
            exchange->answer(json_response(200, plan_json(*answer)));
        });
    if (!taken) exchange->refuse(503, "too many plans wait; try again later");
}

}  // namespace promotiond::http
