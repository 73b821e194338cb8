// Views: the state as of the last commit, from which readers get snapshots; and Stage, the changes
// of one batch that become the state only when the journal has them.
//
// Thread-safety: Views' readers from any thread; find() and publish() and all of Stage on the
// engine's thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.hpp"

namespace promotiond::engine {

// Promotions of a scope that are kept in memory, at least; older ones are only in the journal.
inline constexpr std::size_t kKeptOfScope = 32;  // see model/history.hpp

class Views {
public:
    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;
    [[nodiscard]] PipelineView view(const model::PipelineName& name) const;

    // Null if there is neither Pipeline nor past of that name.
    [[nodiscard]] const PipelineView* find(const model::PipelineName& name) const;
    [[nodiscard]] const std::map<model::PipelineName, PipelineView>& all() const {
        return current_;
    }
    void publish(const std::map<model::PipelineName, std::shared_ptr<model::History>>& changed);
    // Taken at once: what was seen is a fact, whatever the journal does.
    void observe(const model::Observation& seen);
    // `problems`: of each Pipeline, beside those of the set.
    using Problems = std::map<model::PipelineName, std::vector<platform::Problem>>;
    void set_pipelines(platform::Pipelines pipelines, Problems problems);

private:
    // Written on the engine's thread under the lock; so that thread reads without it.
    mutable std::mutex mutex_;
    std::map<model::PipelineName, PipelineView> current_;
    std::vector<platform::Problem> problems_;
    std::uint64_t version_ = 1;
    mutable std::shared_ptr<const Snapshot> made_;  // of made_->version
};

class Stage {
public:
    explicit Stage(const Views& views) : views_(views) {}

    [[nodiscard]] const model::Pipeline* pipeline(const model::PipelineName& name) const;
    // True if this batch makes a promotion of that id.
    [[nodiscard]] bool inserts(const model::PromotionId& id) const {
        return inserted_.contains(id);
    }

    // As changed so far by this batch. Valid until the next change of the same Pipeline.
    [[nodiscard]] const model::History& history(const model::PipelineName& name) const;
    [[nodiscard]] const model::Promotion* find(const model::Scope& scope,
                                               const model::PromotionId& id) const;

    void add_event(journal::EventRecord event) { batch_.events.push_back(std::move(event)); }
    void add_evidence(const model::PipelineName& name, const model::Evidence& evidence);
    void insert(model::Promotion promotion);
    // The promotion's new state, in another phase than before; its reason goes with the step.
    void move(model::Promotion promotion, const std::string& actor);
    // New words in the same phase.
    void amend(model::Promotion promotion);
    // As the journal has it; not written again.
    void correct(model::Promotion promotion);

    [[nodiscard]] const journal::Batch& batch() const { return batch_; }
    [[nodiscard]] const auto& changed() const { return changed_; }

private:
    model::History& writable(const model::PipelineName& name);
    model::Promotion* place(const model::Promotion& promotion);

    const Views& views_;
    std::map<model::PipelineName, std::shared_ptr<model::History>> changed_;
    std::set<model::PromotionId> inserted_;
    journal::Batch batch_;
};

// What is kept in memory of a promotion that needs no more work: its event and details are in the
// journal.
void slim(model::Promotion& promotion);

}  // namespace promotiond::engine
