// Part of strategy.hpp: what Call, HttpResponse and Socket do. Include that, not this.
//
// Sinks are called by the host, so no exception may leave them: each notes that it failed and the
// caller, back on our side, turns that into an Error.
#ifndef PROMOTIOND_DETAIL_CALL_HPP
#define PROMOTIOND_DETAIL_CALL_HPP

#include <unistd.h>

#include <algorithm>

namespace promotiond::sdk::inline v1 {

namespace detail {

[[nodiscard]] constexpr promotiond_view view_of(std::string_view text) noexcept {
    return {text.data(), text.size()};
}

[[nodiscard]] constexpr std::string_view text_of(promotiond_view view) noexcept {
    return view.data == nullptr ? std::string_view{} : std::string_view{view.data, view.size};
}

// ASCII only, as field names of HTTP are.
[[nodiscard]] constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// A host's table, or null where the host has none or one that is too old for the slot.
template <class Table>
[[nodiscard]] const Table* service(const promotiond_host& host, std::string_view id) noexcept {
    const auto* table = static_cast<const Table*>(host.get_service(&host, view_of(id)));
    return table != nullptr && table->size >= sizeof(Table) ? table : nullptr;
}

[[nodiscard]] inline Error no_service(std::string_view id) {
    return {ErrorKind::Invalid, "this host does not offer " + std::string(id)};
}

// What a sink received.
struct Received {
    Secret bytes;
    bool failed = false;

    static void take(void* user, promotiond_view view) noexcept {
        auto& self = *static_cast<Received*>(user);
        try {
            self.bytes = Secret(text_of(view));
        } catch (...) {
            self.failed = true;
        }
    }
    [[nodiscard]] std::string text() const { return std::string(bytes.reveal()); }
};

[[nodiscard]] inline ErrorKind kind_of_http(std::int32_t status) noexcept {
    switch (status) {
        case PROMOTIOND_HTTP_INVALID: return ErrorKind::Invalid;
        case PROMOTIOND_HTTP_REFUSED: return ErrorKind::Unauthorized;
        case PROMOTIOND_HTTP_CONNECT:
        case PROMOTIOND_HTTP_TLS:
        case PROMOTIOND_HTTP_TIMEOUT:
        case PROMOTIOND_HTTP_BAD_ANSWER: return ErrorKind::Transient;
        case PROMOTIOND_HTTP_CANCELLED: return ErrorKind::Cancelled;
        default: return ErrorKind::Internal;
    }
}

using HeaderList = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] inline Result<std::string> join_headers(const HeaderList& headers) {
    std::string lines;
    for (const auto& [name, value] : headers) {
        if (name.find_first_of("\r\n:") != std::string::npos ||
            value.find_first_of("\r\n") != std::string::npos) {
            return Error{ErrorKind::Invalid, "line break in header '" + name + "'"};
        }
        lines.append(name).append(": ").append(value).append("\n");
    }
    return lines;
}

[[nodiscard]] inline HeaderList split_headers(std::string_view lines) {
    HeaderList headers;
    while (!lines.empty()) {
        const auto line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(lines.size(), line.size() + 1));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        auto value = line.substr(colon + 1);
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
            value.remove_prefix(1);
        }
        while (!value.empty() && (value.back() == ' ' || value.back() == '\r')) {
            value.remove_suffix(1);
        }
        headers.emplace_back(line.substr(0, colon), value);
    }
    return headers;
}

[[nodiscard]] inline std::string_view find_header(const HeaderList& headers,
                                                  std::string_view name) {
    const auto same = [](char a, char b) { return lower(a) == lower(b); };
    for (const auto& [key, value] : headers) {
        if (std::equal(key.begin(), key.end(), name.begin(), name.end(), same)) return value;
    }
    return {};
}

struct ReceivedResponse {
    HttpResponse response;
    std::string error;
    bool failed = false;

    static void take(void* user, const promotiond_http_response* answer) noexcept {
        auto& self = *static_cast<ReceivedResponse*>(user);
        try {
            self.response.code = answer->code;
            self.response.headers = split_headers(text_of(answer->headers));
            self.response.body = text_of(answer->body);
            self.error = text_of(answer->error);
        } catch (...) {
            self.failed = true;
        }
    }
};

}  // namespace detail

inline std::string_view HttpResponse::header(std::string_view name) const {
    return detail::find_header(headers, name);
}

inline Socket& Socket::operator=(Socket&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

inline Socket::~Socket() {
    if (fd_ >= 0) ::close(fd_);
}

inline bool Call::cancelled() const { return call_->cancelled(call_); }

inline std::chrono::milliseconds Call::remaining() const {
    return std::chrono::milliseconds{call_->remaining_ms(call_)};
}

inline std::chrono::sys_time<std::chrono::milliseconds> Call::now() const {
    return std::chrono::sys_time<std::chrono::milliseconds>{
        std::chrono::milliseconds{host_->now_ms(host_)}};
}

inline void Call::log(Level level, std::string_view text) const {
    call_->log(call_, static_cast<std::int32_t>(level), detail::view_of(text));
}

inline void Call::progress(std::string_view text) const {
    call_->progress(call_, detail::view_of(text));
}

inline bool Call::supports(std::string_view id) const {
    return host_->get_service(host_, detail::view_of(id)) != nullptr;
}

inline Result<std::optional<Secret>> Call::optional_secret(std::string_view name,
                                                           std::string_view key) const {
    const auto* secrets = detail::service<promotiond_secrets>(*host_, PROMOTIOND_EXT_SECRETS);
    if (secrets == nullptr) return detail::no_service(PROMOTIOND_EXT_SECRETS);
    detail::Received received;
    const auto status = secrets->get(call_, detail::view_of(name), detail::view_of(key),
                                     &detail::Received::take, &received);
    const auto failed = [&](ErrorKind kind, const std::string& why) {
        return Error{kind, "secret '" + std::string(name) + "': " + why};
    };
    switch (status) {
        case PROMOTIOND_SECRET_OK:
            if (received.failed) return failed(ErrorKind::Transient, "out of memory");
            return std::optional<Secret>{std::move(received.bytes)};
        case PROMOTIOND_SECRET_NO_KEY: return std::optional<Secret>{};
        case PROMOTIOND_SECRET_NO_SECRET:
            // A secret often comes seconds after the Pipeline that names it.
            return failed(ErrorKind::Transient,
                          "there is none of that name in the namespace of the "
                          "pipeline yet; create it, it is looked for again");
        case PROMOTIOND_SECRET_UNAVAILABLE:
            return failed(ErrorKind::Transient, "the store cannot be asked now");
        case PROMOTIOND_SECRET_INVALID:
            return failed(ErrorKind::Invalid,
                          "not a valid name, or its key '" + std::string(key) + "' is not");
        default: return failed(ErrorKind::Internal, "the host gave an unknown status");
    }
}

inline Result<Secret> Call::secret(std::string_view name, std::string_view key) const {
    auto found = optional_secret(name, key);
    if (!found) return std::move(found).error();
    if (!found->has_value()) {
        return Error{ErrorKind::NotFound,
                     "secret '" + std::string(name) + "' has no key '" + std::string(key) + "'"};
    }
    return std::move(**found);
}

inline Result<HttpResponse> Call::http(const HttpRequest& request) const {
    const auto* http = detail::service<promotiond_http>(*host_, PROMOTIOND_EXT_HTTP);
    if (http == nullptr) return detail::no_service(PROMOTIOND_EXT_HTTP);
    const auto headers = detail::join_headers(request.headers);
    if (!headers) return headers.error();

    promotiond_http_request out{};
    out.size = sizeof out;
    out.method = detail::view_of(request.method);
    out.url = detail::view_of(request.url);
    out.headers = detail::view_of(headers.value());
    out.body = detail::view_of(request.body);
    out.timeout_ms = request.timeout.count();
    out.max_response_bytes = request.max_response_bytes;
    out.ca_pem = detail::view_of(request.ca_pem);
    out.client_certificate_pem = detail::view_of(request.client_certificate_pem);
    out.client_key_pem = detail::view_of(request.client_key_pem.reveal());
    out.proxy = detail::view_of(request.proxy);

    detail::ReceivedResponse received;
    const auto status = http->send(call_, &out, &detail::ReceivedResponse::take, &received);
    if (received.failed) return Error{ErrorKind::Transient, "no memory for the answer"};
    if (status == PROMOTIOND_HTTP_OK) return std::move(received.response);
    return Error{detail::kind_of_http(status), std::move(received.error)};
}

inline Result<Socket> Call::dial(std::string_view host, std::uint16_t port,
                                 std::string_view proxy) const {
    const auto* dial = detail::service<promotiond_dial>(*host_, PROMOTIOND_EXT_DIAL);
    if (dial == nullptr) return detail::no_service(PROMOTIOND_EXT_DIAL);
    int fd = -1;
    detail::Received why;
    const auto status = dial->connect(call_, detail::view_of(host), port, detail::view_of(proxy),
                                      &fd, &detail::Received::take, &why);
    if (status == PROMOTIOND_HTTP_OK) return Socket(fd);
    return Error{detail::kind_of_http(status), why.text()};
}

inline Result<std::string> Call::scratch_directory() const {
    const auto* space = detail::service<promotiond_workspace>(*host_, PROMOTIOND_EXT_WORKSPACE);
    if (space == nullptr) return detail::no_service(PROMOTIOND_EXT_WORKSPACE);
    detail::Received path;
    const bool made = space->scratch(call_, &detail::Received::take, &path);
    if (!made || path.failed) return Error{ErrorKind::Transient, path.text()};
    return path.text();
}

inline Result<std::string> Call::cache_directory(std::string_view key) const {
    const auto* space = detail::service<promotiond_workspace>(*host_, PROMOTIOND_EXT_WORKSPACE);
    if (space == nullptr) return detail::no_service(PROMOTIOND_EXT_WORKSPACE);
    detail::Received path;
    const bool made = space->cache(call_, detail::view_of(key), &detail::Received::take, &path);
    if (!made || path.failed) return Error{ErrorKind::Transient, path.text()};
    return path.text();
}

}  // namespace promotiond::sdk::inline v1

#endif
