// The engine as HTTP's core. Nothing else of HTTP calls it.
#include "http/core.hpp"
#include "http/server.hpp"

namespace promotiond::http {
namespace {

using engine::Engine;

class EngineCommands final : public Commands {
public:
    explicit EngineCommands(Engine& engine) : engine_(engine) {}
    void submit(model::ReceivedEvent event, Engine::OnAccepted done) override {
        engine_.submit(std::move(event), std::move(done));
    }
    void approve(const model::PipelineName& pipeline, decision::Approval approval,
                 Engine::OnAccepted done) override {
        engine_.approve(pipeline, std::move(approval), std::move(done));
    }
    void retry(const model::PromotionId& id, const std::string& actor,
               Engine::OnPromotion done) override {
        engine_.retry(id, actor, std::move(done));
    }
    void cancel(const model::PromotionId& id, const std::string& actor,
                Engine::OnPromotion done) override {
        engine_.cancel(id, actor, std::move(done));
    }
    void look(std::vector<std::string> locations, std::string commit) override {
        engine_.look(std::move(locations), std::move(commit));
    }
    void when_settled(std::vector<model::PromotionId> ids, SteadyTime deadline,
                      Engine::OnSettled done) override {
        engine_.when_settled(std::move(ids), deadline, std::move(done));
    }

private:
    Engine& engine_;
};

class EngineViews final : public Views {
public:
    EngineViews(Engine& engine, const strategy::Strategies& strategies)
        : engine_(engine), strategies_(strategies) {}
    std::shared_ptr<const engine::Snapshot> snapshot() const override { return engine_.snapshot(); }
    std::shared_ptr<const model::Pipeline> pipeline(
        const model::PipelineName& name) const override {
        return engine_.view(name).pipeline;
    }
    std::vector<decision::Why> why(const model::PipelineName& pipeline) override {
        auto answers = engine_.why(pipeline);
        for (const auto& budget : strategies_.budgets()) {
            if (budget.held.empty() || !budget.credential.starts_with(pipeline.ns + "/")) continue;
            for (auto& answer : answers) {
                answer.reasons.push_back({"api-budget", "requests to " + budget.host + " with " +
                                                            budget.credential +
                                                            " wait: " + budget.held});
            }
        }
        return answers;
    }
    Result<void> ready() const override { return engine_.ready(); }
    Result<journal::Page> promotions(const journal::Filter& filter) override {
        return engine_.journal().promotions(filter);
    }
    Result<model::Promotion> promotion(const model::PromotionId& id) override {
        return engine_.journal().promotion(id);
    }
    Result<std::vector<model::Transition>> transitions(const model::PromotionId& id) override {
        return engine_.journal().transitions(id);
    }
    Result<std::vector<journal::EventRecord>> events(const model::PipelineName& pipeline,
                                                     std::size_t limit) override {
        return engine_.journal().events(pipeline, limit);
    }
    Result<strategy::Answer> plan(const model::PipelineName& pipeline,
                                  const std::string& environment, const std::string& target,
                                  const std::string& revision, std::stop_token stop) override {
        return engine_.plan(pipeline, environment, target, revision, std::move(stop));
    }
    std::vector<strategy::Description> strategies() const override {
        return strategies_.descriptions();
    }
    std::vector<strategy::Refusal> refused_strategies() const override {
        return strategies_.refusals();
    }

private:
    Engine& engine_;
    const strategy::Strategies& strategies_;
};

struct EngineCore {
    EngineCommands commands;
    EngineViews views;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::open(Options options, engine::Engine& engine,
                                             platform::SecretStore& secrets,
                                             const strategy::Strategies& strategies,
                                             const Clock& clock, Metrics& metrics,
                                             const Beside& beside) {
    const auto owner = std::make_shared<EngineCore>(
        EngineCore{EngineCommands(engine), EngineViews(engine, strategies)});
    return open(std::move(options),
                Core{owner->commands, owner->views, secrets, clock, beside.callers,
                     beside.readiness, beside.forwarding},
                owner, metrics);
}

}  // namespace promotiond::http
