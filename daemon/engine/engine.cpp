#include "engine/engine.hpp"

#include <pthread.h>

#include <algorithm>

#include "base/log.hpp"
#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCommitRetryFirst{200};
constexpr milliseconds kCheckpointAfter{1'000};
constexpr milliseconds kStuckTurn{30'000};
constexpr int kLastTries = 3;  // commits that may fail while stopping

double seconds(milliseconds time) { return std::chrono::duration<double>(time).count(); }

Error stopping_error() {
    return {.kind = ErrorKind::Transient, .message = "the daemon is stopping; try again soon"};
}

}  // namespace

Meters::Meters(Metrics& metrics)
    : seconds(metrics.histogram("promotiond_promotion_seconds",
                                "From the decision to Succeeded or Failed",
                                {1, 5, 30, 60, 300, 1800, 3600, 21600, 86400})),
      commit(metrics.histogram("promotiond_journal_commit_seconds", "Durable commits of a batch",
                               {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5})),
      errors(metrics.counter("promotiond_journal_errors_total", "Commits that failed")),
      depth(metrics.gauge("promotiond_queue_depth", "Signals that wait for the engine")),
      oldest(metrics.gauge("promotiond_oldest_unfinished_seconds",
                           "Age of the oldest promotion that is not finished")) {
    for (const auto verdict :
         {decision::Verdict::Promote, decision::Verdict::Hold, decision::Verdict::Ignore}) {
        events[static_cast<std::size_t>(verdict)] =
            &metrics.counter("promotiond_events_total", "Events decided, by verdict",
                             {{"verdict", std::string(name_of(verdict))}});
    }
    for (const auto phase : model::kPhases) {
        phases[static_cast<std::size_t>(phase)] =
            &metrics.gauge("promotiond_promotions", "Promotions in memory, by phase",
                           {{"phase", std::string(name_of(phase))}});
    }
}

Engine::State::State(Options chosen, journal::Journal& durable, std::shared_ptr<Carrier> by,
                     const Clock& time, Metrics& registry, platform::StatusSink* sink)
    : options(chosen),
      journal(durable),
      carrier(std::move(by)),
      clock(time),
      metrics(registry),
      status(sink),
      meters_(registry),
      workers_(chosen.workers) {}

Result<void> Engine::State::load() {
    auto loaded = journal.load();
    if (!loaded) return loaded.error();
    std::map<model::PipelineName, std::shared_ptr<model::History>> all;
    for (auto& [name, history] : *loaded) {
        for (auto& [place, list] : history.promotions) {
            for (auto& promotion : list) {
                slim(promotion);
                ++phases_[static_cast<std::size_t>(promotion.phase)];
                if (unfinished(promotion.phase)) unfinished_.insert(promotion.created);
            }
        }
        all[name] = std::make_shared<model::History>(std::move(history));
    }
    views.publish(all);
    Turn turn(views);
    for (const auto& [name, history] : all) {
        for (const auto& [place, list] : history->promotions) {
            for (model::Promotion promotion : list) {
                if (promotion.phase != model::Phase::Running) {
                    plan(promotion);
                    continue;
                }
                promotion.phase = model::Phase::Queued;
                promotion.reason = "the daemon stopped while it ran";
                promotion.updated = promotion.not_before = clock.now();
                turn.stage.move(std::move(promotion), "daemon");
            }
        }
    }
    if (auto written = journal.commit(turn.stage.batch()); !written) return written;
    settle(turn);
    return {};
}

std::optional<Error> Engine::State::post(Signal signal, bool bounded) {
    const std::lock_guard held(mutex);
    if (bounded && stopping) return stopping_error();
    if (bounded && inbox.size() >= options.queue_limit) {
        return Error{.kind = ErrorKind::Throttled,
                     .message = "too many signals wait to be decided; come back in a second",
                     .retry_after = milliseconds{1'000}};
    }
    inbox.push_back(std::move(signal));
    changed.notify_one();
    return std::nullopt;
}

std::optional<SteadyTime> Engine::State::next_wake() const {
    std::optional<SteadyTime> next;
    const auto sooner = [&next](std::optional<SteadyTime> time) {
        if (time && (!next || *time < *next)) next = time;
    };
    if (calls_.size() < options.workers) sooner(schedule_.next_timer());
    sooner(retry_commit_);
    sooner(checkpoint_);
    sooner(cancel_calls_);
    for (const auto& [id, waiting] : waiters_) {
        for (const auto& waiter : waiting) sooner(waiter.deadline);
    }
    return next;
}

// Sleeps until there is something to do; false at the end.
bool Engine::State::wait(std::deque<Signal>& taken) {
    const auto next = next_wake();
    std::unique_lock held(mutex);
    turn_began = {};
    const auto ready = [this] { return !inbox.empty() || poked || (stopping && !cancel_calls_); };
    if (next) {
        const auto left = *next - clock.steady_now();
        if (left.count() > 0) changed.wait_for(held, left, ready);
    } else {
        changed.wait(held, ready);
    }
    poked = false;
    if (stopping && !cancel_calls_) cancel_calls_ = clock.steady_now() + grace;
    while (!inbox.empty() && taken.size() < options.batch_limit) {
        taken.push_back(std::move(inbox.front()));
        inbox.pop_front();
    }
    meters_.depth.set(static_cast<double>(inbox.size()));
    turn_began = clock.steady_now();
    return !taken.empty() || !stopping || !drained();
}

// While stopping: true when nothing is owed any more.
bool Engine::State::drained() {
    if (!calls_.empty()) return false;
    return unwritten_.empty() || last_tries_ >= kLastTries;
}

void Engine::State::run() {
    pthread_setname_np(pthread_self(), "engine");
    std::deque<Signal> taken;
    while (wait(taken)) {
        const SteadyTime now = clock.steady_now();
        if (cancel_calls_ && *cancel_calls_ <= now) {
            for (auto& [number, call] : calls_) call.stop.request_stop();
            cancel_calls_ = SteadyTime::max();
        }
        take_turn(std::exchange(taken, {}));
        if (checkpoint_ && *checkpoint_ <= now) idle();
    }
    workers_.join();
}

void Engine::State::take_turn(std::deque<Signal> signals) {
    Turn turn(views);
    for (auto& returned : std::exchange(unwritten_, {})) {
        turn.returned.push_back(std::move(returned));
        stage_returned(turn, turn.returned.back());
    }
    for (auto& signal : signals) {
        std::visit([&](auto& kind) { handle(turn, std::move(kind)); }, signal);
    }
    const bool may_work = !cancel_calls_ && !(retry_commit_ && *retry_commit_ > clock.steady_now());
    if (may_work) stage_due(turn);
    commit(turn);
    if (!waiters_.empty()) answer_waiters();
    const auto age = unfinished_.empty() ? milliseconds{0} : clock.now() - *unfinished_.begin();
    meters_.oldest.set(seconds(age));
}

void Engine::State::commit(Turn& turn) {
    const auto began = std::chrono::steady_clock::now();
    const bool probing =
        retry_commit_ && turn.stage.batch().empty() && *retry_commit_ <= clock.steady_now();
    auto written = probing ? journal.probe() : journal.commit(turn.stage.batch());
    if (!written) return failed(turn, written.error());
    if (!turn.stage.batch().empty() || probing) {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        meters_.commit.observe(took.count());
        checkpoint_ = clock.steady_now() + kCheckpointAfter;
        if (retry_commit_) {
            log::info("PROMO-2003", "the journal takes writes again");
            retry_commit_.reset();
            const std::lock_guard held(mutex);
            failing.reset();
        }
    }
    settle(turn);
}

// The batch is durable: make it the state, answer, and begin what was staged.
void Engine::State::settle(Turn& turn) {
    views.publish(turn.stage.changed());
    for (const auto& step : turn.stage.batch().steps) {
        const auto& promotion = step.promotion;
        count(step.transition, promotion);
        const bool gone = promotion.phase == model::Phase::Superseded ||
                          promotion.phase == model::Phase::Cancelled;
        if (gone) {
            schedule_.drop(promotion.scope);
            for (auto& [number, call] : calls_) {
                if (call.slot.id == promotion.id) call.stop.request_stop();
            }
        }
        const auto* last = turn.stage.find(promotion.scope, promotion.id);
        if (last != nullptr && last->phase == promotion.phase) plan(promotion);
        if (status != nullptr) status->publish(promotion);
    }
    for (auto& slot : turn.again) {
        const auto due = clock.steady_now() + slot.interval;
        const auto* current = turn.stage.find(slot.scope, slot.id);
        if (current != nullptr && current->phase == model::Phase::Pending) {
            schedule_.plan(std::move(slot), due);
        }
    }
    for (auto& answer : turn.answers) answer(nullptr);
    for (auto& staged : turn.launches) launch(std::move(staged));
}

// Nothing of the batch happened. What strategies said is kept and staged again; what was to begin
// waits for the journal.
void Engine::State::failed(Turn& turn, const Error& error) {
    meters_.errors.add();
    if (cancel_calls_) ++last_tries_;
    if (!retry_commit_) {
        log::error("PROMO-2001", "the journal cannot be written; signals are refused until it can",
                   {{"err", error.message}});
    }
    const auto pause = kCommitRetryFirst;
    retry_commit_ = clock.steady_now() + pause;
    {
        const std::lock_guard held(mutex);
        failing = error;
    }
    for (auto& answer : turn.answers) answer(&error);
    for (auto& staged : turn.launches) {
        schedule_.release(staged.call.lanes);
        schedule_.plan(staged.call.slot, clock.steady_now() + pause);
    }
    std::move(turn.returned.begin(), turn.returned.end(), std::back_inserter(unwritten_));
    // A promotion that was to fail for want of a strategy was taken from the schedule as well.
    for (const auto& step : turn.stage.batch().steps) {
        const auto* view = views.find(step.promotion.scope.pipeline);
        if (view == nullptr || view->history == nullptr) continue;
        const auto* latest =
            view->history->latest(step.promotion.scope.environment, step.promotion.scope.target);
        if (latest != nullptr && latest->id == step.promotion.id) plan(*latest);
    }
}

void Engine::State::count(const model::Transition& transition, const model::Promotion& promotion) {
    const auto at = [this](model::Phase phase) -> std::int64_t& {
        return phases_[static_cast<std::size_t>(phase)];
    };
    const bool was_open = transition.from && unfinished(*transition.from);
    const bool is_open = unfinished(transition.to);
    if (transition.from) --at(*transition.from);
    ++at(transition.to);
    for (const auto phase : {transition.from.value_or(transition.to), transition.to}) {
        meters_.phases[static_cast<std::size_t>(phase)]->set(static_cast<double>(at(phase)));
    }
    if (is_open && !was_open) unfinished_.insert(promotion.created);
    if (was_open && !is_open) {
        const auto found = unfinished_.find(promotion.created);
        if (found != unfinished_.end()) unfinished_.erase(found);
    }
    if (transition.to == model::Phase::Succeeded || transition.to == model::Phase::Failed) {
        meters_.seconds.observe(seconds(promotion.updated - promotion.created));
    }
    const auto level = transition.to == model::Phase::Failed ? log::Level::Warn : log::Level::Info;
    log::write(level, transition.from ? "PROMO-3001" : "PROMO-1001",
               transition.from ? "promotion moved" : "promotion decided",
               {{"promotion", promotion.id},
                {"pipeline", promotion.scope.pipeline.text()},
                {"environment", promotion.scope.environment},
                {"revision", promotion.revision},
                {"phase", std::string(name_of(transition.to))},
                {"attempt", std::to_string(promotion.attempt)},
                {"reason", transition.reason}});
}

void Engine::State::idle() {
    {
        const std::lock_guard held(mutex);
        if (!inbox.empty()) return;
    }
    checkpoint_.reset();
    if (auto moved = journal.checkpoint(); !moved) {
        log::warn("PROMO-2004", "the journal's log could not be moved into the main file",
                  {{"err", moved.error().message}});
    }
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}

Engine::~Engine() { stop(milliseconds{0}); }

Result<std::unique_ptr<Engine>> Engine::open_with(Options options, journal::Journal& journal,
                                                  std::shared_ptr<Carrier> carrier,
                                                  const Clock& clock, Metrics& metrics,
                                                  platform::StatusSink* status) {
    auto state =
        std::make_unique<State>(options, journal, std::move(carrier), clock, metrics, status);
    if (auto loaded = state->load(); !loaded) {
        return context(loaded.error(), "cannot go on from the journal");
    }
    return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

void Engine::start() {
    const std::lock_guard held(state_->mutex);
    if (state_->started) return;
    state_->started = true;
    state_->thread = std::jthread([state = state_.get()] { state->run(); });
}

void Engine::stop(milliseconds grace) {
    {
        const std::lock_guard held(state_->mutex);
        state_->stopping = true;
        state_->grace = grace;
        state_->changed.notify_all();
    }
    if (state_->thread.joinable()) state_->thread.join();
}

void Engine::wake() {
    const std::lock_guard held(state_->mutex);
    state_->poked = true;
    state_->changed.notify_one();
}

void Engine::set_pipelines(platform::Pipelines pipelines) {
    bool running = false;
    {
        const std::lock_guard held(state_->mutex);
        if (state_->stopping) return;
        running = state_->started;
    }
    if (!running) return state_->apply(std::move(pipelines));
    PipelinesSignal signal{std::move(pipelines), {}};
    const auto applied = signal.applied.get_future();
    (void)state_->post(std::move(signal), false);
    // The engine may stop first and leave the signal; then the broken promise ends the wait when
    // the engine goes.
    while (applied.wait_for(milliseconds{100}) != std::future_status::ready) {
        const std::lock_guard held(state_->mutex);
        if (state_->stopping) return;
    }
}

void Engine::submit(model::ReceivedEvent event, OnAccepted done) {
    auto refused = state_->post(EventSignal{std::move(event), done}, true);
    if (refused) done(*refused);
}

void Engine::approve(const model::PipelineName& pipeline, decision::Approval approval,
                     OnAccepted done) {
    auto refused = state_->post(ApprovalSignal{pipeline, std::move(approval), done}, true);
    if (refused) done(*refused);
}

void Engine::retry(const model::PromotionId& id, const std::string& actor, OnPromotion done) {
    auto refused = state_->post(CommandSignal{Command::Retry, id, actor, done}, true);
    if (refused) done(*refused);
}

void Engine::cancel(const model::PromotionId& id, const std::string& actor, OnPromotion done) {
    auto refused = state_->post(CommandSignal{Command::Cancel, id, actor, done}, true);
    if (refused) done(*refused);
}

void Engine::when_settled(const model::PromotionId& id, SteadyTime deadline, OnPromotion done) {
    auto refused = state_->post(WaitSignal{id, deadline, done}, true);
    if (refused) done(*refused);
}

Result<strategy::Answer> Engine::plan(const model::PipelineName& pipeline,
                                      const std::string& environment, const std::string& target,
                                      const std::string& revision, std::stop_token stop) {
    const auto view = state_->views.view(pipeline);
    if (view.pipeline == nullptr) {
        return Error{.kind = ErrorKind::NotFound,
                     .message = "there is no Pipeline " + pipeline.text()};
    }
    auto by = state_->route(*view.pipeline, environment);
    if (!by) return by.error();
    if (!(*by)->can_plan) {
        return Error{.kind = ErrorKind::Invalid,
                     .message = "strategy " + (*by)->name + " cannot say beforehand what it does"};
    }
    model::Promotion promotion;
    promotion.scope = {pipeline, environment, target};
    promotion.revision = revision;
    promotion.id = model::promotion_id(promotion.scope, revision, 0);
    promotion.actor = "plan";
    promotion.event = "{}";
    const auto found = view.history->promotions.find({environment, target});
    if (found != view.history->promotions.end()) {
        for (const auto& earlier : found->second) {
            if (earlier.phase == model::Phase::Succeeded) {
                promotion.previous_revision = earlier.revision;
            }
        }
    }
    auto request = state_->request_for(*view.pipeline, promotion);
    if (!request) return request.error();
    return state_->carrier->plan(**by, *request, {state_->options.call_deadline, stop, {}});
}

std::shared_ptr<const Snapshot> Engine::snapshot() const { return state_->views.snapshot(); }

std::vector<decision::Why> Engine::why(const model::PipelineName& pipeline) const {
    const auto view = state_->views.view(pipeline);
    if (view.pipeline == nullptr) return {};
    return decision::why(*view.pipeline, *view.history, state_->clock.now());
}

const journal::Journal& Engine::journal() const { return state_->journal; }

Result<void> Engine::ready() const {
    const std::lock_guard held(state_->mutex);
    if (!state_->started || state_->stopping) return stopping_error();
    if (state_->failing) return *state_->failing;
    if (state_->inbox.size() >= state_->options.queue_limit) {
        return Error{.kind = ErrorKind::Throttled, .message = "the queue of signals is full"};
    }
    const bool stuck = state_->turn_began != SteadyTime{} &&
                       state_->clock.steady_now() - state_->turn_began > kStuckTurn;
    if (stuck) {
        return Error{.kind = ErrorKind::Transient,
                     .message = "the engine has not moved for 30 seconds; the disk may hang"};
    }
    return {};
}

}  // namespace promotiond::engine
