// Part of testing.hpp. Include that, not this.
#ifndef PROMOTIOND_DETAIL_FAKE_HOST_HPP
#define PROMOTIOND_DETAIL_FAKE_HOST_HPP

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>

namespace promotiond::sdk::inline v1::testing {

namespace detail {

using sdk::detail::text_of;
using sdk::detail::view_of;

[[nodiscard]] inline std::string copy(promotiond_view view) { return std::string(text_of(view)); }

[[nodiscard]] inline promotiond_request request_of(const Request& from) {
    promotiond_request to{};
    to.size = sizeof to;
    to.attempt = from.attempt;
    to.promotion_id = view_of(from.id);
    to.pipeline_namespace = view_of(from.pipeline_namespace);
    to.pipeline_name = view_of(from.pipeline_name);
    to.environment = view_of(from.environment);
    to.target = view_of(from.target);
    to.revision = view_of(from.revision);
    to.previous_revision = view_of(from.previous_revision);
    to.actor = view_of(from.actor);
    to.config = view_of(from.config);
    to.targets = view_of(from.targets);
    to.event = view_of(from.event);
    return to;
}

[[nodiscard]] inline HttpAsked asked_of(const promotiond_http_request& from) {
    HttpAsked to;
    to.method = copy(from.method);
    to.url = copy(from.url);
    to.headers = sdk::detail::split_headers(text_of(from.headers));
    to.body = copy(from.body);
    to.timeout = std::chrono::milliseconds{from.timeout_ms};
    to.max_response_bytes = from.max_response_bytes;
    to.ca_pem = copy(from.ca_pem);
    to.client_certificate_pem = copy(from.client_certificate_pem);
    to.client_key_pem = copy(from.client_key_pem);
    to.proxy = copy(from.proxy);
    return to;
}

}  // namespace detail

inline std::string_view HttpAsked::header(std::string_view name) const {
    return sdk::detail::find_header(headers, name);
}

inline Instance::Instance(FakeHost& host, const promotiond_plugin& plugin,
                          std::string_view settings)
    : host_(&host) {
    created_ = host.run([&](const promotiond_call* call) {
        return plugin.create(&host.c_host(), call, detail::view_of(settings), &strategy_);
    });
}

inline Instance::Instance(Instance&& other) noexcept
    : host_(other.host_),
      strategy_(std::exchange(other.strategy_, nullptr)),
      created_(std::move(other.created_)) {}

inline Instance::~Instance() {
    if (strategy_ != nullptr) strategy_->destroy(strategy_);
}

inline Verdict Instance::promote(const Request& request) {
    const auto c_request = detail::request_of(request);
    return host_->run([&](const promotiond_call* call) {
        return strategy_->promote(strategy_, call, &c_request);
    });
}

inline bool Instance::offers(std::string_view extension) {
    return strategy_->get_extension != nullptr &&
           strategy_->get_extension(strategy_, detail::view_of(extension)) != nullptr;
}

inline Verdict Instance::observe(const Request& request, std::string_view external_id,
                                 std::string_view details) {
    if (!offers(PROMOTIOND_EXT_OBSERVE)) return {.message = "the strategy cannot observe"};
    const auto* table = static_cast<const promotiond_observe*>(
        strategy_->get_extension(strategy_, detail::view_of(PROMOTIOND_EXT_OBSERVE)));
    const auto c_request = detail::request_of(request);
    return host_->run([&](const promotiond_call* call) {
        return table->observe(strategy_, call, &c_request, detail::view_of(external_id),
                              detail::view_of(details));
    });
}

inline Verdict Instance::plan(const Request& request) {
    if (!offers(PROMOTIOND_EXT_PLAN)) return {.message = "the strategy cannot plan"};
    const auto* table = static_cast<const promotiond_plan*>(
        strategy_->get_extension(strategy_, detail::view_of(PROMOTIOND_EXT_PLAN)));
    const auto c_request = detail::request_of(request);
    return host_->run(
        [&](const promotiond_call* call) { return table->plan(strategy_, call, &c_request); });
}

inline std::string Instance::lane(const Request& request) {
    if (!offers(PROMOTIOND_EXT_LANE)) return {};
    const auto* table = static_cast<const promotiond_lane*>(
        strategy_->get_extension(strategy_, detail::view_of(PROMOTIOND_EXT_LANE)));
    const auto c_request = detail::request_of(request);
    sdk::detail::Received name;
    table->lane(strategy_, &c_request, &sdk::detail::Received::take, &name);
    return name.text();
}

inline FakeHost::FakeHost() {
    std::error_code failed;
    const auto temporary = std::filesystem::temp_directory_path(failed);
    if (failed) throw std::runtime_error("TMPDIR names no directory; name one to write to");
    std::string pattern = (temporary / "promotiond-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::runtime_error("cannot make a directory " + pattern);
    }
    directory_ = pattern;
    wire();
}

inline FakeHost::~FakeHost() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

inline void FakeHost::wire() {
    host_.size = sizeof host_;
    host_.minor = PROMOTIOND_ABI_MINOR;
    host_.impl = this;
    host_.product = detail::view_of("promotiond");
    host_.version = detail::view_of("0.0.0-test");
    host_.log = [](const promotiond_host* host, std::int32_t, promotiond_view text) {
        const std::scoped_lock lock(of(host).mutex_);
        of(host).log_.push_back(detail::copy(text));
    };
    host_.now_ms = [](const promotiond_host* host) { return of(host).now_ms(); };
    host_.get_service = [](const promotiond_host* host, promotiond_view id) -> const void* {
        const std::scoped_lock lock(of(host).mutex_);
        const auto found = of(host).services_.find(detail::text_of(id));
        return found == of(host).services_.end() ? nullptr : found->second;
    };

    call_.size = sizeof call_;
    call_.impl = this;
    call_.cancelled = [](const promotiond_call* call) {
        const std::scoped_lock lock(of(call).mutex_);
        return of(call).cancelled_ || of(call).remaining_ms() == 0;
    };
    call_.remaining_ms = [](const promotiond_call* call) {
        const std::scoped_lock lock(of(call).mutex_);
        return of(call).remaining_ms();
    };
    call_.log = [](const promotiond_call* call, std::int32_t, promotiond_view text) {
        const std::scoped_lock lock(of(call).mutex_);
        if (!of(call).running_) of(call).breach("log after the verb had returned");
        of(call).log_.push_back(detail::copy(text));
    };
    call_.progress = [](const promotiond_call* call, promotiond_view text) {
        const std::scoped_lock lock(of(call).mutex_);
        if (!of(call).running_) of(call).breach("progress after the verb had returned");
        of(call).progress_.push_back(detail::copy(text));
    };
    call_.fail = [](const promotiond_call* call, promotiond_view text) {
        const std::scoped_lock lock(of(call).mutex_);
        if (!of(call).running_) return of(call).breach("fail after the verb had returned");
        of(call).verdict_.message = detail::copy(text);
    };
    call_.answer = [](const promotiond_call* call, const promotiond_result* result) {
        const std::scoped_lock lock(of(call).mutex_);
        of(call).take_answer(*result);
    };

    secrets_service_ = {sizeof secrets_service_, 0,
                        [](const promotiond_call* call, promotiond_view name, promotiond_view key,
                           promotiond_sink sink,
                           void* user) { return of(call).give_secret(name, key, sink, user); }};
    http_service_ = {sizeof http_service_, 0,
                     [](const promotiond_call* call, const promotiond_http_request* request,
                        void (*on_response)(void*, const promotiond_http_response*),
                        void* user) { return of(call).send(*request, on_response, user); }};
    workspace_service_ = {
        sizeof workspace_service_, 0,
        [](const promotiond_call* call, promotiond_sink sink, void* user) {
            return of(call).give_directory("scratch", sink, user);
        },
        [](const promotiond_call* call, promotiond_view key, promotiond_sink sink, void* user) {
            const auto name = std::to_string(std::hash<std::string_view>{}(detail::text_of(key)));
            return of(call).give_directory("cache-" + name, sink, user);
        }};
    dial_service_ = {sizeof dial_service_, 0,
                     [](const promotiond_call* call, promotiond_view host, std::uint16_t port,
                        promotiond_view, int* fd, promotiond_sink on_error,
                        void* user) { return of(call).connect(host, port, fd, on_error, user); }};
    services_ = {{PROMOTIOND_EXT_SECRETS, &secrets_service_},
                 {PROMOTIOND_EXT_HTTP, &http_service_},
                 {PROMOTIOND_EXT_WORKSPACE, &workspace_service_},
                 {PROMOTIOND_EXT_DIAL, &dial_service_}};
}

template <class S>
Instance FakeHost::make(std::string_view settings) {
    static constexpr promotiond_plugin kPlugin = sdk::detail::plugin_of<S>(
        About{.name = "test", .key = "test", .version = "0", .summary = ""});
    return make(kPlugin, settings);
}

inline Instance FakeHost::make(const promotiond_plugin& plugin, std::string_view settings) {
    Instance instance(*this, plugin, settings);
    if (instance.created().outcome != PROMOTIOND_DONE) {
        throw std::runtime_error("create refused: " + instance.created().message);
    }
    return instance;
}

inline Verdict FakeHost::run(
    const std::function<promotiond_outcome(const promotiond_call*)>& verb) {
    {
        const std::scoped_lock lock(mutex_);
        verdict_ = {};
        started_ms_ = now_ms_;
        running_ = true;
    }
    const auto outcome = verb(&call_);
    const std::scoped_lock lock(mutex_);
    running_ = false;
    verdict_.outcome = outcome;
    if (outcome < PROMOTIOND_DONE || outcome > PROMOTIOND_CANCELLED) {
        breach("unknown outcome " + std::to_string(outcome));
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory_ / "scratch", ignored);
    return verdict_;
}

inline void FakeHost::breach(std::string what) {
    const std::scoped_lock lock(mutex_);
    breaches_.push_back(std::move(what));
}

inline void FakeHost::take_answer(const promotiond_result& result) {
    if (!running_) return breach("answer after the verb had returned");
    if (verdict_.answered) return breach("a second answer in one verb");
    verdict_.answered = true;
    verdict_.summary = detail::copy(result.summary);
    verdict_.location = detail::copy(result.location);
    verdict_.external_id = detail::copy(result.external_id);
    verdict_.details = detail::copy(result.details);
    verdict_.retry_after = std::chrono::milliseconds{result.retry_after_ms};
}

inline std::int64_t FakeHost::remaining_ms() const {
    return std::max<std::int64_t>(0, started_ms_ + deadline_ms_ - now_ms_);
}

inline void FakeHost::add_secret(const std::string& name, const std::string& key,
                                 const std::string& value) {
    const std::scoped_lock lock(mutex_);
    secrets_[name][key] = value;
}

inline void FakeHost::break_secrets(bool broken) {
    const std::scoped_lock lock(mutex_);
    secrets_broken_ = broken;
}

inline std::int32_t FakeHost::give_secret(promotiond_view name, promotiond_view key,
                                          promotiond_sink sink, void* user) {
    std::string value;
    {
        const std::scoped_lock lock(mutex_);
        if (secrets_broken_) return PROMOTIOND_SECRET_UNAVAILABLE;
        if (detail::text_of(name).empty() || detail::text_of(key).empty()) {
            return PROMOTIOND_SECRET_INVALID;
        }
        const auto secret = secrets_.find(detail::copy(name));
        if (secret == secrets_.end()) return PROMOTIOND_SECRET_NO_SECRET;
        const auto entry = secret->second.find(detail::copy(key));
        if (entry == secret->second.end()) return PROMOTIOND_SECRET_NO_KEY;
        value = entry->second;
    }
    sink(user, detail::view_of(value));
    return PROMOTIOND_SECRET_OK;
}

inline void FakeHost::answer_http(HttpScripted answer) {
    const std::scoped_lock lock(mutex_);
    scripted_.push_back(std::move(answer));
}

inline void FakeHost::on_http(std::function<HttpScripted(const HttpAsked&)> handler) {
    const std::scoped_lock lock(mutex_);
    handler_ = std::move(handler);
}

inline std::vector<HttpAsked> FakeHost::requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
}

inline HttpScripted FakeHost::answer_for(const HttpAsked& asked) {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(asked);
    if (cancelled_) return {.status = PROMOTIOND_HTTP_CANCELLED, .error = "cancelled"};
    if (remaining_ms() == 0) {
        return {.status = PROMOTIOND_HTTP_TIMEOUT, .error = "the deadline has passed"};
    }
    if (!scripted_.empty()) {
        auto answer = std::move(scripted_.front());
        scripted_.pop_front();
        return answer;
    }
    if (handler_) return handler_(asked);
    return {.status = PROMOTIOND_HTTP_CONNECT, .error = "no answer is scripted for " + asked.url};
}

inline std::int32_t FakeHost::send(const promotiond_http_request& request,
                                   void (*on_response)(void*, const promotiond_http_response*),
                                   void* user) {
    const auto answer = answer_for(detail::asked_of(request));
    std::string lines;
    for (const auto& [name, value] : answer.headers) lines += name + ": " + value + "\n";
    promotiond_http_response response{};
    response.size = sizeof response;
    if (answer.status == PROMOTIOND_HTTP_OK) {
        response.code = answer.code;
        response.headers = detail::view_of(lines);
        response.body = detail::view_of(answer.body);
    }
    response.error = detail::view_of(answer.error);
    on_response(user, &response);
    return answer.status;
}

inline std::int32_t FakeHost::connect(promotiond_view host, std::uint16_t port, int* fd,
                                      promotiond_sink sink, void* user) {
    *fd = -1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(dial_port_ != 0 ? dial_port_ : port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const auto why = "cannot connect to " + detail::copy(host);
        if (sink != nullptr) sink(user, detail::view_of(why));
        return PROMOTIOND_HTTP_CONNECT;
    }
    *fd = socket.release();
    return PROMOTIOND_HTTP_OK;
}

inline bool FakeHost::give_directory(const std::string& name, promotiond_sink sink, void* user) {
    const auto path = directory_ / name;
    std::error_code failed;
    std::filesystem::create_directories(path, failed);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all, failed);
    const std::string text = failed ? failed.message() : path.string();
    sink(user, detail::view_of(text));
    return !failed;
}

inline std::int64_t FakeHost::now_ms() const {
    const std::scoped_lock lock(mutex_);
    return now_ms_;
}

inline void FakeHost::set_now_ms(std::int64_t now) {
    const std::scoped_lock lock(mutex_);
    now_ms_ = now;
}

inline void FakeHost::advance(std::chrono::milliseconds by) {
    const std::scoped_lock lock(mutex_);
    now_ms_ += by.count();
}

inline void FakeHost::set_deadline(std::chrono::milliseconds after_start) {
    const std::scoped_lock lock(mutex_);
    deadline_ms_ = after_start.count();
}

inline void FakeHost::cancel(bool cancelled) {
    const std::scoped_lock lock(mutex_);
    cancelled_ = cancelled;
}

inline void FakeHost::remove_service(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    services_.erase(id);
}

inline void FakeHost::redirect_dial(std::uint16_t port) { dial_port_ = port; }

inline std::vector<std::string> FakeHost::log_lines() const {
    const std::scoped_lock lock(mutex_);
    return log_;
}

inline std::vector<std::string> FakeHost::progress() const {
    const std::scoped_lock lock(mutex_);
    return progress_;
}

inline std::vector<std::string> FakeHost::breaches() const {
    const std::scoped_lock lock(mutex_);
    return breaches_;
}

}  // namespace promotiond::sdk::inline v1::testing

#endif
