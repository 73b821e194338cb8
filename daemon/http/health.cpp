#include "http/health.hpp"

#include "base/log.hpp"

namespace promotiond::http {
namespace {

Response plain(unsigned status, std::string body) {
    Response response;
    response.status = status;
    response.media = "text/plain; charset=utf-8";
    response.body = std::move(body);
    return response;
}

// A part that is degraded does not keep the daemon from being ready: [!].
std::string parts_text(const std::map<std::string, Readiness::Part>& parts) {
    std::string text;
    for (const auto& [name, part] : parts) {
        const bool well = part.state == Readiness::State::Ready;
        const bool degraded = part.state == Readiness::State::Degraded;
        text += well ? "[+] " : degraded ? "[!] " : "[-] ";
        text += name;
        if (!well) text += (degraded ? ": degraded: " : ": ") + log::redacted(part.reason);
        text += "\n";
    }
    return text;
}

}  // namespace

std::optional<Response> Health::head(Request& request) {
    if (request.method == "GET" || request.method == "HEAD") return std::nullopt;
    Response response = problem(405, "this address takes GET and HEAD only", request);
    response.headers.emplace_back("Allow", "GET, HEAD");
    return response;
}

Response Health::ready(bool verbose) const {
    const auto* forwarding = core_.forwarding;
    const bool leads =
        forwarding == nullptr || (!forwarding->stands_by() && forwarding->may_answer());
    const auto core = leads ? core_.views.ready() : forwarding->ready();
    const bool draining = draining_;
    const bool parts = core_.readiness == nullptr || core_.readiness->good();
    const bool good = core.has_value() && parts && !draining;
    std::string body;
    if (verbose) {
        body += draining ? "[-] draining: the daemon is stopping\n" : "[+] not draining\n";
        body += core ? "[+] core\n" : "[-] core: " + log::redacted(core.error().message) + "\n";
        if (core_.readiness != nullptr) body += parts_text(core_.readiness->parts());
    }
    body += good ? "ok\n" : "not ready\n";
    return plain(good ? 200 : 503, std::move(body));
}

void Health::serve(Request request, Send send) {
    const auto target = parse_target(request.target);
    const std::string path =
        target && target->segments.size() == 1 ? target->segments.front() : std::string();
    if (path == "livez") return send(plain(200, "ok\n"));
    if (path == "readyz" || path == "healthz") {
        return send(ready(target->parameter("verbose") != nullptr));
    }
    if (path == "metrics") {
        Response response = plain(200, metrics_.render());
        response.media = "text/plain; version=0.0.4; charset=utf-8";
        return send(std::move(response));
    }
    send(problem(404, "there are /livez, /readyz, /healthz and /metrics", request));
}

}  // namespace promotiond::http
