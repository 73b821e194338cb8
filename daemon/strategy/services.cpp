// The host services: secrets, http, workspace and dial, each a C table over the daemon's own parts.
//
// Nothing may leave these functions: the frames above us are foreign.
#include <Poco/DigestEngine.h>
#include <Poco/SHA2Engine.h>
#include <promotiond/ext/dial.h>
#include <promotiond/ext/http.h>
#include <promotiond/ext/secrets.h>
#include <promotiond/ext/workspace.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <variant>

#include "base/log.hpp"
#include "strategy/host.hpp"

namespace promotiond::strategy {

namespace {

constexpr std::size_t kMaxNameBytes = 253;  // of a Kubernetes object or key
// A verb waits so long for an API's budget; for longer it is tried again, and the worker is free.
constexpr std::chrono::milliseconds kLongestPauseInPlace{5'000};

bool is_plain_name(std::string_view name) {
    if (name.empty() || name.size() > kMaxNameBytes || name == "." || name == "..") return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
}

// PROMOTIOND_SECRET_OK with the value in `value`, else why not.
std::int32_t fetch_secret(CallState& call, std::string_view name, std::string_view key,
                          Secret& value) {
    if (!is_plain_name(name) || !is_plain_name(key)) return PROMOTIOND_SECRET_INVALID;
    const auto& store = call.host().services().secret;
    if (!store) return PROMOTIOND_SECRET_UNAVAILABLE;
    auto found = store(call.pipeline_namespace(), std::string(name), std::string(key));
    if (found) {
        log::redact(found->reveal());
        call.gave_secret(name, key, *found);
        value = std::move(*found);
        return PROMOTIOND_SECRET_OK;
    }
    const auto lack = lack_of(found.error());
    if (!lack) return PROMOTIOND_SECRET_INVALID;
    const bool unavailable = *lack == AbsentSecret::Lack::Unavailable;
    call.lacks_secret({std::string(name), std::string(key), *lack,
                       unavailable ? found.error().message : std::string()});
    if (unavailable) return PROMOTIOND_SECRET_UNAVAILABLE;
    return *lack == AbsentSecret::Lack::Key ? PROMOTIOND_SECRET_NO_KEY
                                            : PROMOTIOND_SECRET_NO_SECRET;
}

std::int32_t get_secret(const promotiond_call* c_call, promotiond_view name, promotiond_view key,
                        promotiond_sink sink, void* user) {
    auto& call = CallState::of(c_call);
    try {
        if (!call.still_open("secrets.get")) return PROMOTIOND_SECRET_UNAVAILABLE;
        Secret value;
        const auto status = fetch_secret(call, text_of(name), text_of(key), value);
        if (status == PROMOTIOND_SECRET_OK) sink(user, view_of(value.reveal()));
        return status;
    } catch (...) {
        call.breach("its secret sink threw");
        return PROMOTIOND_SECRET_UNAVAILABLE;
    }
}

std::int32_t status_of(net::Failure failure) {
    switch (failure) {
        case net::Failure::Invalid: return PROMOTIOND_HTTP_INVALID;
        case net::Failure::Refused: return PROMOTIOND_HTTP_REFUSED;
        case net::Failure::Connect: return PROMOTIOND_HTTP_CONNECT;
        case net::Failure::Tls: return PROMOTIOND_HTTP_TLS;
        case net::Failure::Timeout: return PROMOTIOND_HTTP_TIMEOUT;
        case net::Failure::BadAnswer: return PROMOTIOND_HTTP_BAD_ANSWER;
        case net::Failure::Cancelled: return PROMOTIOND_HTTP_CANCELLED;
    }
    return PROMOTIOND_HTTP_CONNECT;
}

bool take_headers(std::string_view lines, net::Headers& headers) {
    while (!lines.empty()) {
        const auto line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(lines.size(), line.size() + 1));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0) return false;
        if (line.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos) return false;
        auto value = line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        headers.emplace_back(line.substr(0, colon), value);
    }
    return true;
}

std::variant<net::Request, net::HttpError> request_of(const promotiond_http_request* from,
                                                      SteadyTime deadline) {
    net::Request to;
    to.deadline = deadline;
    promotiond_view headers{};
    std::chrono::milliseconds timeout{0};
#define PROMOTIOND_IF_COVERED(member) if (PROMOTIOND_COVERS(from, promotiond_http_request, member))
    PROMOTIOND_IF_COVERED(method) to.method = text_of(from->method);
    PROMOTIOND_IF_COVERED(url) to.url = text_of(from->url);
    PROMOTIOND_IF_COVERED(headers) headers = from->headers;
    PROMOTIOND_IF_COVERED(body) to.body = text_of(from->body);
    PROMOTIOND_IF_COVERED(timeout_ms) timeout = std::chrono::milliseconds{from->timeout_ms};
    PROMOTIOND_IF_COVERED(max_response_bytes) {
        if (from->max_response_bytes > 0) to.max_response_bytes = from->max_response_bytes;
    }
    PROMOTIOND_IF_COVERED(ca_pem) to.ca_pem = text_of(from->ca_pem);
    PROMOTIOND_IF_COVERED(client_certificate_pem) {
        to.client_certificate_pem = text_of(from->client_certificate_pem);
    }
    PROMOTIOND_IF_COVERED(client_key_pem) to.client_key_pem = Secret(text_of(from->client_key_pem));
    PROMOTIOND_IF_COVERED(proxy) to.proxy = text_of(from->proxy);
#undef PROMOTIOND_IF_COVERED
    if (!take_headers(text_of(headers), to.headers)) {
        return net::HttpError{net::Failure::Invalid, "a header line is not 'Name: value'"};
    }
    if (timeout.count() > 0) to.timeout = timeout;
    return to;
}

// What a plugin gets instead of the API's answer when it must not be asked now: the same that the
// API would say, earlier.
net::Response held_back(const net::ApiBudgets::Verdict& verdict) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(verdict.wait).count();
    boost::json::object body;
    body["message"] = "held back by promotiond: " + verdict.reason;
    return {429,
            {{"Retry-After", std::to_string(seconds)}, {"Content-Type", "application/json"}},
            boost::json::serialize(body)};
}

std::variant<net::Response, net::HttpError> within_budget(CallState& call, net::Request& request) {
    const auto& services = call.host().services();
    const auto spending = net::take_spending(request);
    if (!spending || services.budgets == nullptr) {
        return services.http->send(request, call.stop());
    }
    const std::string credential = call.credential();
    std::chrono::milliseconds waited{0};
    while (true) {
        const auto verdict = services.budgets->admit(request, *spending, call.begun(), credential);
        if (verdict.wait.count() == 0) break;
        waited += verdict.wait;
        if (waited > kLongestPauseInPlace || verdict.wait >= call.remaining()) {
            return held_back(verdict);
        }
        if (!call.pause(verdict.wait)) {
            return net::HttpError{net::Failure::Cancelled, "the call is cancelled"};
        }
    }
    auto answer = services.http->send(request, call.stop());
    if (const auto* response = std::get_if<net::Response>(&answer)) {
        services.budgets->learn(request, *spending, *response, credential);
    }
    return answer;
}

std::variant<net::Response, net::HttpError> exchange(CallState& call,
                                                     const promotiond_http_request* from) {
    if (!call.still_open("http.send")) {
        return net::HttpError{net::Failure::Cancelled, "the verb has returned"};
    }
    call.reaches_out();
    if (call.remaining().count() == 0) {
        return net::HttpError{net::Failure::Timeout, "the deadline of the call has passed"};
    }
    if (call.cancelled()) return net::HttpError{net::Failure::Cancelled, "the call is cancelled"};
    auto made = request_of(from, call.deadline());
    if (const auto* error = std::get_if<net::HttpError>(&made)) return *error;
    auto& request = std::get<net::Request>(made);
    request.may_send = call.host().services().may_act;
    return within_budget(call, request);
}

std::int32_t send(const promotiond_call* c_call, const promotiond_http_request* request,
                  void (*on_response)(void*, const promotiond_http_response*), void* user) {
    auto& call = CallState::of(c_call);
    std::variant<net::Response, net::HttpError> answer =
        net::HttpError{net::Failure::Connect, "out of memory"};
    std::string headers;
    try {
        answer = exchange(call, request);
    } catch (const std::exception& error) {
        answer = net::HttpError{net::Failure::Connect, error.what()};
    }
    promotiond_http_response out{};
    out.size = sizeof out;
    std::int32_t status = PROMOTIOND_HTTP_OK;
    try {
        if (const auto* response = std::get_if<net::Response>(&answer)) {
            for (const auto& [name, value] : response->headers) {
                headers.append(name).append(": ").append(value).append("\n");
            }
            out.code = response->code;
            out.headers = view_of(headers);
            out.body = view_of(response->body);
        } else {
            const auto& error = std::get<net::HttpError>(answer);
            status = status_of(error.failure);
            out.error = view_of(error.message);
        }
        on_response(user, &out);
    } catch (...) {
        call.breach("its response sink threw");
    }
    return status;
}

std::int32_t connect(const promotiond_call* c_call, promotiond_view host, std::uint16_t port,
                     promotiond_view proxy, int* fd, promotiond_sink on_error, void* user) {
    auto& call = CallState::of(c_call);
    *fd = -1;
    try {
        if (!call.still_open("dial.connect")) return PROMOTIOND_HTTP_CANCELLED;
        call.reaches_out();
        if (call.cancelled()) return PROMOTIOND_HTTP_CANCELLED;
        auto answer = call.host().services().http->dial(std::string(text_of(host)), port,
                                                        std::string(text_of(proxy)),
                                                        call.deadline(), call.stop());
        if (const auto* connected = std::get_if<int>(&answer)) {
            *fd = *connected;
            return PROMOTIOND_HTTP_OK;
        }
        const auto& error = std::get<net::HttpError>(answer);
        if (on_error != nullptr) on_error(user, view_of(error.message));
        return status_of(error.failure);
    } catch (...) {
        call.breach("its dial sink threw");
        return PROMOTIOND_HTTP_CONNECT;
    }
}

Result<std::string> cache_directory(const Host& host, std::string_view key) {
    if (key.empty() || key.size() > 200) {
        return Error{ErrorKind::Invalid, "a cache key has 1 to 200 bytes"};
    }
    // A digest is a safe name for any text, and equal for equal keys after a restart.
    Poco::SHA2Engine engine(Poco::SHA2Engine::SHA_256);
    engine.update(key.data(), key.size());
    const auto name = Poco::DigestEngine::digestToHex(engine.digest()).substr(0, 32);
    const auto parent = host.services().cache / host.strategy();
    const auto path = parent / name;
    std::error_code failed;
    std::filesystem::create_directories(host.services().cache, failed);
    for (const auto& each : {parent, path}) {
        if (::mkdir(each.c_str(), 0700) != 0 && errno != EEXIST) {
            return Error{ErrorKind::Transient, "cannot make the directory " + each.string() + ": " +
                                                   std::generic_category().message(errno)};
        }
        struct stat status {};
        if (::lstat(each.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
            return Error{ErrorKind::Transient, each.string() + " is not a directory; remove it"};
        }
    }
    return path.string();
}

bool deliver(CallState& call, const Result<std::string>& path, promotiond_sink sink, void* user) {
    try {
        sink(user, view_of(path ? path.value() : path.error().message));
        return path.has_value();
    } catch (...) {
        call.breach("its workspace sink threw");
        return false;
    }
}

bool scratch(const promotiond_call* c_call, promotiond_sink sink, void* user) {
    auto& call = CallState::of(c_call);
    try {
        if (!call.still_open("workspace.scratch")) return false;
        call.reaches_out();
        return deliver(call, call.scratch(), sink, user);
    } catch (...) {
        return false;
    }
}

bool cache(const promotiond_call* c_call, promotiond_view key, promotiond_sink sink, void* user) {
    auto& call = CallState::of(c_call);
    try {
        if (!call.still_open("workspace.cache")) return false;
        call.reaches_out();
        return deliver(call, cache_directory(call.host(), text_of(key)), sink, user);
    } catch (...) {
        return false;
    }
}

constexpr promotiond_secrets kSecrets{sizeof(promotiond_secrets), 0, &get_secret};
constexpr promotiond_http kHttp{sizeof(promotiond_http), 0, &send};
constexpr promotiond_workspace kWorkspace{sizeof(promotiond_workspace), 0, &scratch, &cache};
constexpr promotiond_dial kDial{sizeof(promotiond_dial), 0, &connect};

}  // namespace

// Which of secret and key is absent is told by the store's message only; see HostServices.
std::optional<AbsentSecret::Lack> lack_of(const Error& error) {
    if (error.kind == ErrorKind::Invalid) return std::nullopt;
    if (error.kind != ErrorKind::NotFound) return AbsentSecret::Lack::Unavailable;
    const bool about_key =
        error.message.starts_with("key ") || error.message.find("no key") != std::string::npos;
    return about_key ? AbsentSecret::Lack::Key : AbsentSecret::Lack::Secret;
}

const void* service_table(const Host& host, std::string_view id) {
    const auto& services = host.services();
    if (id == PROMOTIOND_EXT_SECRETS) return &kSecrets;
    if (id == PROMOTIOND_EXT_HTTP && services.http != nullptr) return &kHttp;
    if (id == PROMOTIOND_EXT_DIAL && services.http != nullptr) return &kDial;
    if (id == PROMOTIOND_EXT_WORKSPACE && !services.cache.empty() && !services.scratch.empty()) {
        return &kWorkspace;
    }
    return nullptr;
}

}  // namespace promotiond::strategy
