#include "engine/views.hpp"

#include <algorithm>

namespace promotiond::engine {
namespace {

const std::shared_ptr<const model::History>& no_history() {
    static const auto none = std::make_shared<const model::History>();
    return none;
}

const std::shared_ptr<const model::Observations>& nothing_seen() {
    static const auto none = std::make_shared<const model::Observations>();
    return none;
}

}  // namespace

void slim(model::Promotion& promotion) {
    if (unfinished(promotion.phase)) return;
    promotion.event = {};
    promotion.details = {};
}

std::shared_ptr<const Snapshot> Views::snapshot() const {
    const std::lock_guard held(mutex_);
    if (made_ == nullptr || made_->version != version_) {
        made_ = std::make_shared<const Snapshot>(Snapshot{current_, problems_, version_});
    }
    return made_;
}

PipelineView Views::view(const model::PipelineName& name) const {
    const std::lock_guard held(mutex_);
    const auto found = current_.find(name);
    return found == current_.end() ? PipelineView{nullptr, no_history(), nothing_seen()}
                                   : found->second;
}

const PipelineView* Views::find(const model::PipelineName& name) const {
    const auto found = current_.find(name);
    return found == current_.end() ? nullptr : &found->second;
}

void Views::publish(const std::map<model::PipelineName, std::shared_ptr<model::History>>& changed) {
    const std::lock_guard held(mutex_);
    for (const auto& [name, history] : changed) {
        auto& view = current_[name];
        view.history = history;
        if (view.observed == nullptr) view.observed = nothing_seen();
    }
    ++version_;
}

void Views::observe(const model::Observation& seen) {
    const std::lock_guard held(mutex_);
    const auto found = current_.find(seen.pipeline);
    if (found == current_.end() || found->second.pipeline == nullptr) return;
    auto changed = std::make_shared<model::Observations>(*found->second.observed);
    (*changed)[{seen.environment, seen.target}] = seen;
    found->second.observed = std::move(changed);
    ++version_;
}

void Views::set_pipelines(platform::Pipelines pipelines, Problems problems) {
    const std::lock_guard held(mutex_);
    problems_ = std::move(pipelines.problems);
    for (auto& [name, view] : current_) view.pipeline = nullptr;
    for (const auto& pipeline : pipelines.all) {
        auto& view = current_[pipeline->id];
        view.pipeline = pipeline;
        view.problems = std::move(problems[pipeline->id]);
        problems_.insert(problems_.end(), view.problems.begin(), view.problems.end());
        if (view.history == nullptr) view.history = no_history();
        if (view.observed == nullptr) view.observed = nothing_seen();
    }
    std::erase_if(current_, [](const auto& entry) {
        const auto& view = entry.second;
        return view.pipeline == nullptr &&
               (view.history == nullptr ||
                (view.history->running.empty() && view.history->promotions.empty()));
    });
    ++version_;
}

const model::Pipeline* Stage::pipeline(const model::PipelineName& name) const {
    const auto* view = views_.find(name);
    return view == nullptr ? nullptr : view->pipeline.get();
}

const model::History& Stage::history(const model::PipelineName& name) const {
    if (const auto found = changed_.find(name); found != changed_.end()) return *found->second;
    const auto* view = views_.find(name);
    return view == nullptr || view->history == nullptr ? *no_history() : *view->history;
}

const model::Promotion* Stage::find(const model::Scope& scope, const model::PromotionId& id) const {
    const auto& promotions = history(scope.pipeline).promotions;
    const auto list = promotions.find({scope.environment, scope.target});
    if (list == promotions.end()) return nullptr;
    const auto found = std::find_if(list->second.rbegin(), list->second.rend(),
                                    [&id](const auto& promotion) { return promotion.id == id; });
    return found == list->second.rend() ? nullptr : &*found;
}

model::History& Stage::writable(const model::PipelineName& name) {
    auto& copy = changed_[name];
    if (copy == nullptr) {
        const auto* view = views_.find(name);
        copy = view == nullptr || view->history == nullptr
                   ? std::make_shared<model::History>()
                   : std::make_shared<model::History>(*view->history);
    }
    return *copy;
}

model::Promotion* Stage::place(const model::Promotion& promotion) {
    const auto& scope = promotion.scope;
    auto& list = writable(scope.pipeline).promotions[{scope.environment, scope.target}];
    const auto found = std::find_if(list.rbegin(), list.rend(), [&promotion](const auto& other) {
        return other.id == promotion.id;
    });
    return found == list.rend() ? nullptr : &*found;
}

void Stage::add_evidence(const model::PipelineName& name, const model::Evidence& evidence) {
    writable(name).running[{evidence.environment, evidence.target}] = evidence;
    batch_.evidence.emplace_back(name, evidence);
}

void Stage::insert(model::Promotion promotion) {
    const auto& scope = promotion.scope;
    auto& list = writable(scope.pipeline).promotions[{scope.environment, scope.target}];
    batch_.steps.push_back({promotion,
                            {promotion.id, std::nullopt, promotion.phase, promotion.created,
                             promotion.reason, promotion.actor, promotion.attempt}});
    inserted_.insert(promotion.id);
    list.push_back(std::move(promotion));
    // What only this batch knows of stays: until it is durable the journal cannot be asked.
    while (list.size() > kKeptOfScope && !unfinished(list.front().phase) &&
           !inserts(list.front().id)) {
        list.erase(list.begin());
    }
}

void Stage::move(model::Promotion promotion, const std::string& actor) {
    auto* kept = place(promotion);
    if (kept == nullptr) return;
    batch_.steps.push_back({promotion,
                            {promotion.id, kept->phase, promotion.phase, promotion.updated,
                             promotion.reason, actor, promotion.attempt}});
    *kept = std::move(promotion);
    slim(*kept);
}

void Stage::correct(model::Promotion promotion) {
    auto* kept = place(promotion);
    if (kept == nullptr) return;
    *kept = std::move(promotion);
    slim(*kept);
}

void Stage::amend(model::Promotion promotion) {
    auto* kept = place(promotion);
    if (kept == nullptr) return;
    batch_.amended.push_back(promotion);
    *kept = std::move(promotion);
}

}  // namespace promotiond::engine
