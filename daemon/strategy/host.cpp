#include "strategy/host.hpp"

#include <stdlib.h>

#include <algorithm>
#include <condition_variable>
#include <system_error>

#include "base/log.hpp"

namespace promotiond::strategy {

namespace {

// A plugin's log line; more is cut off.
constexpr std::size_t kMaxLogBytes = 8192;
// How many breaches of one verb are kept; the first ones tell the story.
constexpr std::size_t kMaxBreaches = 8;
constexpr std::size_t kMostSecrets = 16;  // remembered of one call

const Host& host_of(const promotiond_host* host) { return *static_cast<const Host*>(host->impl); }

void write_line(std::int32_t level, std::string_view text, const std::string& strategy,
                const std::string& promotion) {
    auto line = as_utf8(text.substr(0, kMaxLogBytes));
    auto wanted = log::Level::Debug;
    if (level == PROMOTIOND_LOG_INFO) wanted = log::Level::Info;
    if (level == PROMOTIOND_LOG_WARN) wanted = log::Level::Warn;
    if (level < PROMOTIOND_LOG_DEBUG || level >= PROMOTIOND_LOG_ERROR) wanted = log::Level::Error;
    log::write(wanted, "PROMO-6001", "strategy says",
               {{"strategy", strategy}, {"promotion", promotion}, {"text", std::move(line)}});
}

}  // namespace

Host::Host(std::string strategy, std::shared_ptr<const HostServices> services)
    : strategy_(std::move(strategy)), services_(std::move(services)) {
    table_.size = sizeof table_;
    table_.minor = PROMOTIOND_ABI_MINOR;
    table_.impl = this;
    table_.product = view_of("promotiond");
    table_.version = view_of(PROMOTIOND_VERSION);
    // Nothing may leave these functions: the frames above us are foreign.
    table_.log = [](const promotiond_host* host, std::int32_t level, promotiond_view text) {
        try {
            write_line(level, text_of(text), host_of(host).strategy(), {});
        } catch (...) {
        }
    };
    table_.now_ms = [](const promotiond_host* host) -> std::int64_t {
        return host_of(host).services().clock->now().time_since_epoch().count();
    };
    table_.get_service = [](const promotiond_host* host, promotiond_view id) -> const void* {
        try {
            return service_table(host_of(host), text_of(id));
        } catch (...) {
            return nullptr;
        }
    };
}

CallState::CallState(const Host& host) : host_(&host) {
    table_.size = sizeof table_;
    table_.impl = this;
    table_.cancelled = [](const promotiond_call* call) {
        try {
            return of(call).cancelled();
        } catch (...) {
            return true;
        }
    };
    table_.remaining_ms = [](const promotiond_call* call) -> std::int64_t {
        try {
            return of(call).remaining().count();
        } catch (...) {
            return 0;
        }
    };
    table_.log = [](const promotiond_call* call, std::int32_t level, promotiond_view text) {
        try {
            of(call).log(level, text_of(text));
        } catch (...) {
        }
    };
    table_.progress = [](const promotiond_call* call, promotiond_view text) {
        try {
            of(call).progress(text_of(text));
        } catch (...) {
        }
    };
    table_.fail = [](const promotiond_call* call, promotiond_view text) {
        try {
            of(call).fail(text_of(text));
        } catch (...) {
        }
    };
    table_.answer = [](const promotiond_call* call, const promotiond_result* result) {
        try {
            of(call).answer(*result);
        } catch (...) {
        }
    };
}

void CallState::open(Scope scope) {
    const std::scoped_lock lock(mutex_);
    scope_ = std::move(scope);
    begun_ = host_->services().clock->steady_now();
    credential_.clear();
    reached_out_ = false;
    answer_ = {};
    open_ = true;
}

CallState::Remains CallState::end() {
    Remains left;
    const std::scoped_lock lock(mutex_);
    open_ = false;
    if (reached_out_) answer_.absent.clear();
    std::swap(left.answer, answer_);
    left.scratch.swap(scratch_);
    std::swap(left.scope, scope_);
    return left;
}

void CallState::Remains::clear() const {
    std::error_code failed;
    if (!scratch.empty()) std::filesystem::remove_all(scratch, failed);
    if (failed) {
        log::warn("PROMO-6002", "cannot remove the scratch directory of a strategy",
                  {{"path", scratch.string()}, {"reason", failed.message()}});
    }
}

RawAnswer CallState::close() {
    auto left = end();
    left.clear();
    return std::move(left.answer);
}

bool CallState::still_open(std::string_view function) {
    {
        const std::scoped_lock lock(mutex_);
        if (open_) return true;
    }
    log::error("PROMO-6003", "strategy misbehaved",
               {{"strategy", host_->strategy()},
                {"reason", std::string(function) + " after the verb had returned"}});
    return false;
}

void CallState::breach(std::string what) {
    const std::scoped_lock lock(mutex_);
    if (answer_.breaches.size() < kMaxBreaches) answer_.breaches.push_back(std::move(what));
}

bool CallState::cancelled() {
    const std::scoped_lock lock(mutex_);
    if (!open_ || scope_.stop.stop_requested()) return true;
    const auto& may_act = host_->services().may_act;
    if (may_act && !may_act()) return true;
    return host_->services().clock->steady_now() >= scope_.deadline;
}

std::chrono::milliseconds CallState::remaining() {
    const std::scoped_lock lock(mutex_);
    if (!open_) return {};
    const auto left = scope_.deadline - host_->services().clock->steady_now();
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(left),
                    std::chrono::milliseconds{0});
}

std::stop_token CallState::stop() {
    const std::scoped_lock lock(mutex_);
    return scope_.stop;
}

SteadyTime CallState::deadline() {
    const std::scoped_lock lock(mutex_);
    return scope_.deadline;
}

std::string CallState::pipeline_namespace() {
    const std::scoped_lock lock(mutex_);
    return scope_.pipeline_namespace;
}

SteadyTime CallState::begun() {
    const std::scoped_lock lock(mutex_);
    return begun_;
}

std::string CallState::credential() {
    const std::scoped_lock lock(mutex_);
    return credential_;
}

void CallState::gave_secret(std::string_view name, std::string_view key, const Secret& value) {
    const std::scoped_lock lock(mutex_);
    if (!open_) return;
    credential_ = scope_.pipeline_namespace + "/" + std::string(name);
    auto& given = answer_.secrets;
    const auto same = [&](const auto& each) { return each.name == name && each.key == key; };
    std::erase_if(given, same);
    if (given.size() == kMostSecrets) given.erase(given.begin());
    given.push_back(
        {scope_.pipeline_namespace, std::string(name), std::string(key), hash_of(value)});
    std::erase_if(answer_.absent, [&](const AbsentSecret& each) { return each.name == name; });
}

// Many keys are a person's choice: a secret that gave one value is not what a call lacks.
void CallState::lacks_secret(AbsentSecret absent) {
    const std::scoped_lock lock(mutex_);
    const auto& given = answer_.secrets;
    const bool had = std::any_of(given.begin(), given.end(),
                                 [&](const auto& each) { return each.name == absent.name; });
    if (!had && answer_.absent.size() < kMostSecrets) answer_.absent.push_back(std::move(absent));
}

void CallState::reaches_out() {
    const std::scoped_lock lock(mutex_);
    reached_out_ = true;
}

std::size_t hash_of(const Secret& secret) { return std::hash<std::string_view>{}(secret.reveal()); }

bool CallState::pause(std::chrono::milliseconds time) {
    const auto token = stop();
    std::mutex mutex;
    std::condition_variable_any nobody;
    std::unique_lock lock(mutex);
    (void)nobody.wait_for(lock, token, time, [] { return false; });
    return !token.stop_requested();
}

void CallState::log(std::int32_t level, std::string_view text) {
    if (!still_open("log")) return;
    std::string promotion;
    {
        const std::scoped_lock lock(mutex_);
        promotion = scope_.promotion_id;
    }
    write_line(level, text, host_->strategy(), promotion);
}

void CallState::progress(std::string_view text) {
    if (!still_open("progress")) return;
    std::function<void(std::string_view)> tell;
    {
        const std::scoped_lock lock(mutex_);
        tell = scope_.progress;
    }
    if (tell) tell(log::redacted(as_utf8(text.substr(0, kMaxMessageBytes))));
}

void CallState::fail(std::string_view text) {
    if (!still_open("fail")) return;
    const std::scoped_lock lock(mutex_);
    if (text.size() <= kMaxMessageBytes) {
        answer_.message = text;
        return;
    }
    // Cut before a whole character: a cut one would look like the plugin's bad UTF-8.
    auto end = kMaxMessageBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    answer_.message = text.substr(0, end);
}

void CallState::answer(const promotiond_result& result) {
    if (!still_open("answer")) return;
    const std::scoped_lock lock(mutex_);
    if (answer_.answered) {
        answer_.breaches.emplace_back("answered twice; the first answer stands");
        return;
    }
    const auto* from = &result;
    promotiond_result known{};
#define PROMOTIOND_TAKE(member) \
    if (PROMOTIOND_COVERS(from, promotiond_result, member)) known.member = from->member;
    PROMOTIOND_TAKE(summary)
    PROMOTIOND_TAKE(location)
    PROMOTIOND_TAKE(external_id)
    PROMOTIOND_TAKE(retry_after_ms)
    PROMOTIOND_TAKE(details)
#undef PROMOTIOND_TAKE
    std::size_t total = 0;
    for (const auto& part : {known.summary, known.location, known.external_id, known.details}) {
        total += std::min(text_of(part).size(), kMaxAnswerBytes + 1);
    }
    answer_.retry_after_ms = known.retry_after_ms;
    if (total > kMaxAnswerBytes) {
        answer_.breaches.push_back("its answer is longer than " + std::to_string(kMaxAnswerBytes) +
                                   " bytes and was dropped");
        return;
    }
    answer_.answered = true;
    answer_.summary = text_of(known.summary);
    answer_.location = text_of(known.location);
    answer_.external_id = text_of(known.external_id);
    answer_.details = text_of(known.details);
}

Result<std::string> CallState::scratch() {
    {
        const std::scoped_lock lock(mutex_);
        if (!scratch_.empty()) return scratch_.string();
    }
    // Without the lock: who ends the call does not wait for a slow disk.
    const auto& root = host_->services().scratch;
    std::error_code failed;
    std::filesystem::create_directories(root, failed);
    std::string made = (root / "call-XXXXXX").string();
    if (failed || ::mkdtemp(made.data()) == nullptr) {
        return Error{ErrorKind::Transient,
                     "cannot make a scratch directory below " + root.string()};
    }
    std::string kept;
    {
        const std::scoped_lock lock(mutex_);
        if (open_ && scratch_.empty()) scratch_ = made;
        kept = scratch_.string();
    }
    // The call ended meanwhile, or another thread of the plugin was quicker.
    if (kept != made) std::filesystem::remove(made, failed);
    if (kept.empty()) return Error{ErrorKind::Cancelled, "the call has ended"};
    return kept;
}

}  // namespace promotiond::strategy
