#include "http/intake.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "http/answers.hpp"
#include "http/auth.hpp"
#include "model/codec.hpp"

namespace promotiond::http {
namespace {

// pipeline-controller's texts, which its clients know.
constexpr std::string_view kPromotingFailed =
    "error promoting application, please consult the promotion server's logs";
// One text for everything that is wrong with a signature, so that it tells nothing.
constexpr std::string_view kNotAuthentic =
    "no such Pipeline, or the request is not signed with its HMAC key: X-Signature must be "
    "sha256=<hex of the HMAC over the body>, with the key of the secret that the Pipeline's "
    "promotion names in secretRef; Pipelines without one take events only where the daemon's "
    "configuration allows unsigned events";

std::string hmac_secret_of(const model::PromotionPolicy* policy) {
    return policy != nullptr && policy->hmac_secret ? *policy->hmac_secret : std::string();
}

// The Pipeline's own secret, else that of the environment promoted into. If that has none either,
// or there is no such environment, any other of the Pipeline's: one that signs is never open to
// unsigned events under a wrong name.
std::string secret_for(const model::Pipeline& pipeline, std::size_t into) {
    auto secret = hmac_secret_of(pipeline.promotion ? &*pipeline.promotion : nullptr);
    if (!secret.empty()) return secret;
    const auto& environments = pipeline.environments;
    if (into < environments.size() && environments[into].promotion) {
        secret = hmac_secret_of(&*environments[into].promotion);
        if (!secret.empty()) return secret;
    }
    for (const auto& environment : environments) {
        secret = hmac_secret_of(environment.promotion ? &*environment.promotion : nullptr);
        if (!secret.empty()) return secret;
    }
    return {};
}

Result<Secret> signing_key(platform::SecretStore& secrets, const std::string& ns,
                           const std::string& name) {
    auto key = secrets.get(ns, name, "hmac-key");
    if (key && !key->empty()) return key;
    if (!key && key.error().kind != ErrorKind::NotFound) return key;
    auto token = secrets.get(ns, name, "token");
    // Where neither is there, the one is named that is meant for it.
    const bool neither = !key && !token && token.error().kind == ErrorKind::NotFound;
    return neither ? std::move(key) : std::move(token);
}

// A store that does not answer, or that refuses us, says nothing about the sender; who hears 401
// does not send again.
bool may_come_back(const Error& error) {
    return error.kind == ErrorKind::Transient || error.kind == ErrorKind::Throttled ||
           error.kind == ErrorKind::Unauthorized;
}

void refuse_signal(Exchange& exchange, const Error& error) {
    switch (error.kind) {
        case ErrorKind::Invalid: return exchange.refuse(422, error.message, "not-applicable");
        case ErrorKind::NotFound: return exchange.refuse(404, error.message, "unknown-pipeline");
        case ErrorKind::Throttled:
            return exchange.refuse(503, "too many signals wait; send it again later", "queue-full");
        case ErrorKind::Transient:
        case ErrorKind::Cancelled:
            log::warn("PROMO-4004", "a signal could not be made durable; its sender was told so",
                      {{"request", exchange.request.request_id}, {"reason", error.message}});
            return exchange.refuse(
                503, "the journal cannot be written now; nothing has happened; send it again",
                "journal");
        default:
            log::error("PROMO-4005", "a signal could not be taken",
                       {{"request", exchange.request.request_id}, {"reason", error.message}});
            return exchange.refuse(500, kPromotingFailed, "failed");
    }
}

bool carried_out(const model::Promotion& promotion) {
    return !promotion.location.empty() || promotion.phase == model::Phase::Succeeded ||
           promotion.phase == model::Phase::Pending;
}

// To who waited: what became of all promotions of the signal, in pipeline-controller's one answer.
void settled_answer(Exchange& exchange, const engine::Accepted& accepted,
                    const std::vector<model::Promotion>& promotions) {
    const auto failed = [](const auto& each) { return each.phase == model::Phase::Failed; };
    if (std::any_of(promotions.begin(), promotions.end(), failed)) {
        return exchange.refuse(500, kPromotingFailed);
    }
    if (!std::all_of(promotions.begin(), promotions.end(), carried_out)) {
        return exchange.answer(accepted_response(accepted));
    }
    const auto located =
        std::find_if(promotions.begin(), promotions.end(),
                     [](const auto& promotion) { return !promotion.location.empty(); });
    if (located == promotions.end()) return exchange.answer({.status = 204});
    Response created;
    created.status = 201;
    created.headers.emplace_back("Location", located->location);
    exchange.answer(std::move(created));
}

}  // namespace

Intake::Intake(Core core, const Options& options, Post post)
    : core_(core),
      allow_unsigned_(options.allow_unsigned_events),
      wait_(options.wait),
      wait_most_(options.wait_most),
      post_(std::move(post)) {}

Result<Intake::Waiting> Intake::waiting_for(const Target& target) const {
    const std::string* text = target.parameter("wait");
    if (text == nullptr) return Waiting{wait_, wait_.count() > 0};
    auto wait = parse_duration(*text);
    if (!wait) return context(std::move(wait).error(), "?wait=");
    return Waiting{std::min(*wait, wait_most_), wait_.count() > 0};
}

bool Intake::authentic(Exchange& exchange, const model::PipelineName& name,
                       const std::string& secret, bool known, std::string_view body) const {
    const Request& request = exchange.request;
    const std::string* header = request.single("x-signature");
    const auto signature = header != nullptr ? parse_signature(*header) : std::nullopt;
    if (known && secret.empty() && allow_unsigned_) return true;
    std::string reason = !known           ? "no such pipeline"
                         : secret.empty() ? "the pipeline names no secret for signatures"
                         : !signature     ? "X-Signature is missing, doubled or malformed"
                                          : "";
    if (reason.empty()) {
        const auto key = signing_key(core_.secrets, name.ns, secret);
        if (key && signed_with(key->reveal(), *signature, body)) return true;
        reason = key ? "the signature is another key's or another body's" : key.error().message;
        if (!key) compare_in_vain(signature, body);
        if (!key && may_come_back(key.error())) {
            log::warn(
                "PROMO-4011", "the key for a signature could not be read; its sender was told so",
                {{"request", request.request_id}, {"pipeline", name.text()}, {"reason", reason}});
            exchange.refuse(503,
                            "the key that verifies this request cannot be read now; send it again",
                            "not-ready");
            return false;
        }
    } else {
        compare_in_vain(signature, body);
    }
    log::warn("PROMO-4003", "a request was not authentic",
              {{"request", request.request_id},
               {"pipeline", name.text()},
               {"client", request.client},
               {"reason", reason}});
    if (!known && allow_unsigned_) {
        exchange.refuse(404, "there is no Pipeline " + name.text(), "unknown-pipeline");
    } else {
        exchange.refuse(401, kNotAuthentic, "signature");
    }
    return false;
}

// A Pipeline that is not known may be one that has not been read yet; senders give up after a 4xx.
bool Intake::all_known(Exchange& exchange) const {
    if (core_.readiness == nullptr || core_.readiness->good()) return true;
    exchange.refuse(503, "the daemon is not ready: not all Pipelines have been read; send it again",
                    "not-ready");
    return false;
}

void Intake::event(const ExchangePtr& exchange) const {
    const auto& parameters = exchange->match.parameters;
    model::ReceivedEvent received;
    received.pipeline = {parameters.at(0), parameters.at(1)};
    received.environment = parameters.at(2);
    const auto waiting = waiting_for(exchange->target);
    if (!waiting) return exchange->refuse(400, waiting.error().message, "malformed");

    const auto pipeline = core_.views.pipeline(received.pipeline);
    if (!pipeline && !all_known(*exchange)) return;
    std::string secret;
    if (pipeline) {
        const std::size_t at = pipeline->index_of(received.environment);
        secret =
            secret_for(*pipeline, at == model::Pipeline::npos ? model::Pipeline::npos : at + 1);
    }
    if (!authentic(*exchange, received.pipeline, secret, pipeline != nullptr,
                   exchange->request.body)) {
        return;
    }
    auto event = model::event_from_json(exchange->request.body);
    if (!event && event.error().kind == ErrorKind::NotFound) {
        return exchange->refuse(422, event.error().message, "no-revision");
    }
    if (!event) {
        return exchange->refuse(400, "the body is no event: " + event.error().message, "json");
    }
    received.event = std::move(*event);
    received.body = std::move(exchange->request.body);
    received.digest = sha256_hex(received.body);
    received.peer = exchange->request.client;
    core_.commands.submit(std::move(received), completion(exchange, *waiting));
}

void Intake::approval(const ExchangePtr& exchange) const {
    const auto& parameters = exchange->match.parameters;
    const model::PipelineName name{parameters.at(0), parameters.at(1)};
    const auto waiting = waiting_for(exchange->target);
    if (!waiting) return exchange->refuse(400, waiting.error().message, "malformed");
    decision::Approval approval;
    approval.environment = parameters.at(2);
    approval.revision = parameters.at(3);
    approval.actor = exchange->request.actor.empty() ? "approval:" + exchange->request.client
                                                     : "operator:" + exchange->request.actor;
    if (exchange->request.actor.empty()) {
        const auto pipeline = core_.views.pipeline(name);
        if (!pipeline && !all_known(*exchange)) return;
        const std::string secret =
            pipeline ? secret_for(*pipeline, pipeline->index_of(approval.environment))
                     : std::string();
        if (!authentic(*exchange, name, secret, pipeline != nullptr, "")) return;
    }
    core_.commands.approve(name, std::move(approval), completion(exchange, *waiting));
}

engine::Engine::OnAccepted Intake::completion(const ExchangePtr& exchange, Waiting waiting) const {
    // The core may outlive this object: what runs on its thread holds no reference to it. What is
    // posted does, and only runs while the listener lives.
    return [this, exchange, waiting, post = post_](Result<engine::Accepted> result) {
        if (!result) return refuse_signal(*exchange, result.error());
        if (result->awaiting_approval && waiting.compatible) {
            return exchange->answer({.status = 204});
        }
        const bool waits =
            waiting.most.count() > 0 && !result->promotions.empty() && !result->awaiting_approval;
        if (!waits) return exchange->answer(accepted_response(*result));
        // Not from here: this is the core's thread, in the middle of its own work.
        post([this, exchange, accepted = std::move(*result), most = waiting.most] {
            settle(exchange, accepted, most);
        });
    };
}

void Intake::settle(const ExchangePtr& exchange, const engine::Accepted& accepted,
                    std::chrono::milliseconds most) const {
    const auto deadline = core_.clock.steady_now() + most;
    core_.commands.when_settled(accepted.promotions, deadline,
                                [exchange, accepted](Result<std::vector<model::Promotion>> result) {
                                    if (result) return settled_answer(*exchange, accepted, *result);
                                    const bool unserved = result.error().kind == ErrorKind::Invalid;
                                    if (unserved)
                                        return exchange->refuse(500, kPromotingFailed, "failed");
                                    exchange->answer(accepted_response(accepted));
                                });
}

}  // namespace promotiond::http
