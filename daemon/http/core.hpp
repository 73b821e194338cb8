// What HTTP needs of the daemon's core: commands and views. The engine stands behind it in the
// daemon (engine_core.cpp), a fake in tests.
//
// Thread-safety: all functions from any thread. Completions run on a thread of the core's and must
// not block.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/readiness.hpp"
#include "engine/engine.hpp"
#include "http/forwarding.hpp"

namespace promotiond::http {

// As engine::Engine's functions of the same names.
class Commands {
public:
    virtual ~Commands() = default;
    virtual void submit(model::ReceivedEvent event, engine::Engine::OnAccepted done) = 0;
    virtual void approve(const model::PipelineName& pipeline, decision::Approval approval,
                         engine::Engine::OnAccepted done) = 0;
    virtual void retry(const model::PromotionId& id, const std::string& actor,
                       engine::Engine::OnPromotion done) = 0;
    virtual void cancel(const model::PromotionId& id, const std::string& actor,
                        engine::Engine::OnPromotion done) = 0;
    virtual void look(std::vector<std::string> locations, std::string commit) = 0;
    virtual void when_settled(std::vector<model::PromotionId> ids, SteadyTime deadline,
                              engine::Engine::OnSettled done) = 0;
};

class Views {
public:
    virtual ~Views() = default;
    [[nodiscard]] virtual std::shared_ptr<const engine::Snapshot> snapshot() const = 0;
    // Null if there is none; for each request, however many Pipelines there are.
    [[nodiscard]] virtual std::shared_ptr<const model::Pipeline> pipeline(
        const model::PipelineName& name) const = 0;
    [[nodiscard]] virtual std::vector<decision::Why> why(const model::PipelineName& pipeline) = 0;
    [[nodiscard]] virtual Result<void> ready() const = 0;
    // May block on the disk.
    [[nodiscard]] virtual Result<journal::Page> promotions(const journal::Filter& filter) = 0;
    [[nodiscard]] virtual Result<model::Promotion> promotion(const model::PromotionId& id) = 0;
    [[nodiscard]] virtual Result<std::vector<model::Transition>> transitions(
        const model::PromotionId& id) = 0;
    [[nodiscard]] virtual Result<std::vector<journal::EventRecord>> events(
        const model::PipelineName& pipeline, std::size_t limit) = 0;
    // May block on the network.
    [[nodiscard]] virtual Result<strategy::Answer> plan(const model::PipelineName& pipeline,
                                                        const std::string& environment,
                                                        const std::string& target,
                                                        const std::string& revision,
                                                        std::stop_token stop) = 0;
    [[nodiscard]] virtual std::vector<strategy::Description> strategies() const = 0;
    [[nodiscard]] virtual std::vector<strategy::Refusal> refused_strategies() const = 0;
};

struct Core {
    Commands& commands;
    Views& views;
    platform::SecretStore& secrets;
    const Clock& clock;
    platform::Callers* callers = nullptr;  // null: only the configuration's tokens count
    const Readiness* readiness = nullptr;  // null: nothing beside the core can be unready
    Forwarding* forwarding = nullptr;      // null: there is one replica, and it leads
};

}  // namespace promotiond::http
