#include "platform/kube_exchange.hpp"

#include <algorithm>

#include "platform/kube_lines.hpp"
#include "platform/kube_pause.hpp"
#include "platform/kube_status.hpp"

namespace promotiond::platform {
namespace {

constexpr std::chrono::milliseconds kLeastWait{100};

Counter& repeats(Metrics& metrics, const char* reason) {
    return metrics.counter("promotiond_kube_repeats_total",
                           "Calls to Kubernetes API servers that were sent again, by reason.",
                           {{"reason", reason}});
}

}  // namespace

KubeExchange::KubeExchange(KubeConfig config, net::HttpClient& http, const Clock& clock,
                           Metrics& metrics, KubeClientOptions options)
    : http_(http),
      options_(options),
      credentials_(std::move(config), clock),
      unauthorized_(repeats(metrics, "unauthorized")),
      throttled_(repeats(metrics, "throttled")) {}

KubeResult<std::string> KubeExchange::call(KubeAsk ask, const KubeCall& how) {
    const SteadyTime end =
        std::min<SteadyTime>(std::chrono::steady_clock::now() + options_.timeout, how.deadline);
    bool fresh = false;  // the credentials have been read anew
    while (true) {
        auto request = request_of(ask, how.stop);
        if (!request) return std::move(request).error();
        request->deadline = end;
        request->timeout = options_.timeout;
        request->max_response_bytes = options_.max_answer_bytes;
        auto result = http_.send(*request, how.stop);
        ask.body = std::move(request->body);
        if (const auto* failed = std::get_if<net::HttpError>(&result))
            return error_of_http(ask.what, *failed);
        auto& answer = std::get<net::Response>(result);
        if (answer.code >= 200 && answer.code < 300) return std::move(answer.body);
        if (answer.code == 401 && !std::exchange(fresh, true)) {
            credentials_.refused();
            unauthorized_.add();
            continue;
        }
        auto error = error_of_answer(ask.what, answer);
        if (error.reason != KubeReason::Throttled) return error;
        const auto wait = std::max(kLeastWait, error.error.retry_after.value_or(kLeastWait));
        if (std::chrono::steady_clock::now() + wait >= end || !pause(wait, how.stop)) return error;
        throttled_.add();
    }
}

KubeResult<net::Request> KubeExchange::request_of(KubeAsk& ask, const std::stop_token& stop) {
    auto identity = credentials_.current(stop);
    if (!identity) return error_of_credentials(ask.what, identity.error());
    net::Request request;
    request.method = ask.method;
    request.url = config().server + ask.path;
    request.body = std::move(ask.body);
    request.headers.emplace_back("Accept", "application/json");
    if (!ask.media.empty()) request.headers.emplace_back("Content-Type", ask.media);
    if (!identity->token.empty()) {
        request.headers.emplace_back("Authorization",
                                     "Bearer " + std::string(identity->token.reveal()));
    }
    request.ca_pem = std::move(identity->ca_pem);
    request.client_certificate_pem = std::move(identity->client_certificate_pem);
    request.client_key_pem = std::move(identity->client_key_pem);
    request.tls_server_name = config().tls_server_name;
    request.proxy = config().proxy;
    return request;
}

KubeDone KubeExchange::watch(KubeAsk ask, const KubeWatchCall& call,
                             const std::function<bool(std::string_view)>& on_line,
                             const std::stop_token& stop) {
    auto result = watch_once(ask, call, on_line, stop);
    if (result || result.error().code != 401) return result;
    credentials_.refused();
    unauthorized_.add();
    return watch_once(ask, call, on_line, stop);
}

KubeDone KubeExchange::watch_once(KubeAsk& ask, const KubeWatchCall& call,
                                  const std::function<bool(std::string_view)>& on_line,
                                  const std::stop_token& stop) {
    auto request = request_of(ask, stop);
    if (!request) return std::move(request).error();
    // The server ends the watch; should it forget, we do a little later.
    request->timeout = call.lasts + call.idle;
    request->idle_timeout = call.idle;
    LineCutter lines(options_.max_line_bytes, on_line);
    net::Response answer;  // its body is kept only if it is a refusal
    const net::StreamHandler handler{[&](const net::Response& head) {
                                         answer = head;
                                         if (answer.code == 200 && call.opened) call.opened();
                                         return true;
                                     },
                                     [&](std::string_view piece) {
                                         if (answer.code == 200) return lines.take(piece);
                                         answer.body.append(piece);
                                         return answer.body.size() < options_.max_line_bytes;
                                     }};
    const auto failed = http_.stream(*request, handler, stop);
    if (lines.was_too_long()) return malformed(ask.what, "an event is too long");
    if (lines.enough()) return std::monostate{};
    if (failed) {
        auto error = error_of_http(ask.what, *failed);
        // A watch that is cut off has lost nothing: it is taken up where it was.
        if (error.reason == KubeReason::Malformed) error.reason = KubeReason::Unreachable;
        return error;
    }
    if (answer.code != 200) return error_of_answer(ask.what, answer);
    if (lines.has_rest()) return malformed(ask.what, "the last event is cut off");
    return std::monostate{};
}

}  // namespace promotiond::platform
