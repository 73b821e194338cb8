#include "strategy/instance.hpp"

#include <cxxabi.h>
#include <pthread.h>

#include "base/log.hpp"

namespace promotiond::strategy {

namespace {

constexpr std::size_t kMaxLaneBytes = 500;

// Runs foreign code; an exception that it lets out becomes `escaped`.
template <class Foreign>
void contain(std::optional<std::string>& escaped, Foreign&& foreign) {
    try {
        foreign();
    } catch (const abi::__forced_unwind&) {
        throw;  // a cancelled thread must be let go
    } catch (const std::exception& error) {
        escaped = std::string("an exception crossed the border: ") + error.what();
    } catch (...) {
        escaped = "an exception of unknown type crossed the border";
    }
}

void report(const Host& host, const std::string& promotion, const Answer& answer) {
    if (!answer.misbehaved) return;
    log::error(
        "PROMO-6003", "strategy misbehaved",
        {{"strategy", host.strategy()}, {"promotion", promotion}, {"reason", answer.message}});
    if (host.services().metrics == nullptr) return;
    host.services()
        .metrics
        ->counter("promotiond_strategy_misbehaved_total", "Verbs that broke the plugin contract",
                  {{"strategy", host.strategy()}})
        .add();
}

Answer given_up(const CallState::Scope& scope) {
    Answer answer;
    answer.outcome = scope.stop.stop_requested() ? Outcome::Cancelled : Outcome::Retry;
    answer.message =
        "the strategy misbehaved: it did not return after its deadline or "
        "cancellation; its instance is lost until it does";
    answer.misbehaved = true;
    return answer;
}

}  // namespace

OwnedRequest::OwnedRequest(const Request& from) : text_(from) {
    c_.size = sizeof c_;
    c_.attempt = text_.attempt;
    c_.promotion_id = view_of(text_.promotion_id);
    c_.pipeline_namespace = view_of(text_.pipeline_namespace);
    c_.pipeline_name = view_of(text_.pipeline_name);
    c_.environment = view_of(text_.environment);
    c_.target = view_of(text_.target);
    c_.revision = view_of(text_.revision);
    c_.previous_revision = view_of(text_.previous_revision);
    c_.actor = view_of(text_.actor);
    c_.config = view_of(text_.config);
    c_.targets = view_of(text_.targets);
    c_.event = view_of(text_.event);
}

Result<std::unique_ptr<Instance>> Instance::make(const Host& host, const promotiond_plugin& plugin,
                                                 const std::string& settings) {
    std::unique_ptr<Instance> instance(new Instance(host));
    auto& call = instance->call_;
    call.open({.promotion_id = {},
               .pipeline_namespace = {},
               .deadline = host.services().clock->steady_now() + std::chrono::seconds{60},
               .stop = {},
               .progress = {}});
    promotiond_outcome outcome = PROMOTIOND_REJECTED;
    promotiond_strategy* made = nullptr;
    std::optional<std::string> escaped;
    contain(escaped, [&] {
        outcome = plugin.create(&host.table(), &call.table(), view_of(settings), &made);
    });
    auto raw = call.close();
    if (escaped) raw.breaches.push_back(*escaped);
    const auto answer = judge(outcome, std::move(raw));
    report(host, {}, answer);
    if (escaped || answer.outcome != Outcome::Done) {
        return Error{ErrorKind::Invalid, "create refused: " + answer.message};
    }
    if (made == nullptr) return Error{ErrorKind::Invalid, "create made no strategy"};
    if (made->size < sizeof(promotiond_strategy)) {
        return Error{ErrorKind::Invalid, "create made a strategy object of " +
                                             std::to_string(made->size) + " bytes, ABI 1.0 has " +
                                             std::to_string(sizeof(promotiond_strategy))};
    }
    if (made->promote == nullptr || made->destroy == nullptr) {
        return Error{ErrorKind::Invalid, "its promote or destroy function is null"};
    }
    instance->strategy_ = made;
    return instance;
}

Instance::~Instance() {
    if (worker_.joinable()) {
        worker_.request_stop();
        worker_.join();
    }
    if (strategy_ == nullptr) return;
    std::optional<std::string> escaped;
    contain(escaped, [&] { strategy_->destroy(strategy_); });
    if (escaped) {
        log::error("PROMO-6003", "strategy misbehaved",
                   {{"strategy", call_.host().strategy()}, {"reason", "in destroy: " + *escaped}});
    }
}

Answer Instance::run(CallState::Scope scope, Verb verb, const Limits& limits,
                     std::function<void()> free) {
    const auto until = std::chrono::steady_clock::now() + limits.deadline + limits.grace;
    auto job = std::make_shared<Job>();
    job->scope = scope;
    job->verb = std::move(verb);
    job->free = std::move(free);
    std::unique_lock lock(mutex_);
    next_ = job;
    if (!worker_.joinable()) {
        worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
        ::pthread_setname_np(worker_.native_handle(), "strategy");
    }
    changed_.notify_all();
    const auto finished = [&] { return job->answer.has_value(); };
    if (!changed_.wait_until(lock, limits.stop, until, finished)) {
        // Stopped or late. After a stop the verb has the grace from now on.
        changed_.wait_until(lock, std::min(until, std::chrono::steady_clock::now() + limits.grace),
                            finished);
    }
    if (finished()) return std::move(*job->answer);
    job->abandoned = true;
    // From now on it can reach nothing of ours. Not without the lock: once it comes back the call
    // is the next verb's. What it leaves is cleared without: a disk may be slow.
    CallState::Remains left;
    if (running_ == job) left = call_.end();
    lock.unlock();
    left.clear();
    auto answer = given_up(scope);
    report(call_.host(), scope.promotion_id, answer);
    return answer;
}

void Instance::work(const std::stop_token& stop) {
    while (true) {
        std::shared_ptr<Job> job;
        bool begins = false;
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [&] { return next_ != nullptr; })) return;
            job = running_ = std::exchange(next_, nullptr);
            // Nobody hears any more of one that was given up before it began.
            begins = !job->abandoned;
            if (begins) call_.open(job->scope);
        }
        auto answer = begins ? perform(*job) : Answer{};
        {
            const std::scoped_lock lock(mutex_);
            running_.reset();
        }
        // Free before the caller hears, so that the next verb of the same caller finds it.
        job->free();
        const std::scoped_lock lock(mutex_);
        job->answer = std::move(answer);
        changed_.notify_all();
    }
}

Answer Instance::perform(Job& job) {
    const auto promotion = job.scope.promotion_id;
    promotiond_outcome outcome = PROMOTIOND_RETRY;
    std::optional<std::string> escaped;
    contain(escaped, [&] { outcome = job.verb(strategy_, &call_.table()); });
    auto raw = call_.close();
    if (escaped) raw.breaches.push_back(*escaped);
    auto answer = judge(outcome, std::move(raw));
    // One that was given up has been reported, and the metrics may be gone by now.
    std::unique_lock lock(mutex_);
    const bool given_up_before = job.abandoned;
    lock.unlock();
    if (!given_up_before) report(call_.host(), promotion, answer);
    return answer;
}

const void* Instance::find_extension(std::string_view id) const {
    if (strategy_->get_extension == nullptr) return nullptr;
    const void* table = nullptr;
    std::optional<std::string> escaped;
    contain(escaped, [&] { table = strategy_->get_extension(strategy_, view_of(id)); });
    return escaped ? nullptr : table;
}

bool Instance::stuck() {
    const std::scoped_lock lock(mutex_);
    return running_ != nullptr && running_->abandoned;
}

std::optional<std::string> Instance::lane(const promotiond_lane& table,
                                          const OwnedRequest& request) {
    struct Taken {
        std::optional<std::string> text;
    } taken;
    const auto sink = [](void* user, promotiond_view view) {
        auto& to = static_cast<Taken*>(user)->text;
        if (!to && view.size > 0 && view.size <= kMaxLaneBytes) to = std::string(text_of(view));
    };
    std::optional<std::string> escaped;
    contain(escaped, [&] { table.lane(strategy_, &request.c(), sink, &taken); });
    if (escaped || !taken.text || !is_utf8(*taken.text)) return std::nullopt;
    return taken.text;
}

}  // namespace promotiond::strategy
