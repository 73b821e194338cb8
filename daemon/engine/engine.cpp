#include "engine/engine.hpp"

#include "engine/state.hpp"

namespace promotiond::engine {

using std::chrono::milliseconds;

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
    state_->turn_away();
}

void Engine::wake() {
    const std::lock_guard held(state_->mutex);
    state_->poked = true;
    state_->changed.notify_one();
}

void Engine::secrets_may_be_new() { (void)state_->post(RenewalSignal{}, false); }

void Engine::set_pipelines(platform::Pipelines pipelines) {
    bool running = false;
    {
        const std::lock_guard held(state_->mutex);
        if (state_->stopping) return;
        running = state_->started;
    }
    if (!running) {
        state_->tell_status(state_->apply(std::move(pipelines)));
        return;
    }
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

void Engine::observe(std::vector<model::Observation> seen) {
    (void)state_->post(ObservationSignal{std::move(seen)}, false);
}

void Engine::look(std::vector<std::string> locations, std::string commit) {
    (void)state_->post(LookSignal{std::move(locations), std::move(commit)}, true);
}

void Engine::approve(const model::PipelineName& pipeline, decision::Approval approval,
                     OnAccepted done) {
    auto refused = state_->post(ApprovalSignal{pipeline, std::move(approval), done}, true);
    if (refused) done(*refused);
}

void Engine::retry(const model::PromotionId& id, const std::string& actor, OnPromotion done) {
    auto refused = state_->post(CommandSignal{Command::Retry, id, actor, {}, done}, true);
    if (refused) done(*refused);
}

void Engine::cancel(const model::PromotionId& id, const std::string& actor, OnPromotion done) {
    auto refused = state_->post(CommandSignal{Command::Cancel, id, actor, {}, done}, true);
    if (refused) done(*refused);
}

void Engine::when_settled(std::vector<model::PromotionId> ids, SteadyTime deadline,
                          OnSettled done) {
    auto refused = state_->post(WaitSignal{std::move(ids), deadline, done}, true);
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
    const auto index = view.pipeline->index_of(environment);
    if (index != model::Pipeline::npos) {
        const auto known = decision::check_target(view.pipeline->environments[index], target);
        if (!known) return known.error();
    }
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
        promotion.previous_revision = model::last_promoted(found->second);
    }
    auto request = state_->request_for(*view.pipeline, promotion);
    if (!request) return request.error();
    return state_->carrier->plan(**by, *request, {state_->options.call_deadline, stop, {}});
}

std::shared_ptr<const Snapshot> Engine::snapshot() const { return state_->views.snapshot(); }

PipelineView Engine::view(const model::PipelineName& pipeline) const {
    return state_->views.view(pipeline);
}

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
    if (auto why = state_->stuck()) {
        return Error{.kind = ErrorKind::Transient, .message = std::move(*why)};
    }
    return {};
}

bool Engine::moves() const {
    const std::lock_guard held(state_->mutex);
    return !state_->stuck();
}

}  // namespace promotiond::engine
