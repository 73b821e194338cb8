// What the platform saw of targets, and what it is told of Pipelines in return.
#include <algorithm>

#include "base/log.hpp"
#include "engine/reasons.hpp"
#include "engine/state.hpp"
#include "model/release.hpp"

namespace promotiond::engine {
namespace {

// Forges do not care for letter case, and spell a blank in two ways.
std::string plain(const std::string& page) {
    std::string out;
    for (std::size_t i = 0; i < page.size(); ++i) {
        const bool blank = page.compare(i, 3, "%20") == 0;
        out += blank ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(page[i])));
        if (blank) i += 2;
    }
    return out;
}

}  // namespace

// All that was seen is known before anything is decided, the last environments first: a revision
// that runs further down already is not promoted there.
void Engine::State::handle(Turn& turn, const ObservationSignal& signal) {
    std::vector<const model::Observation*> order;
    for (const auto& seen : signal.seen) {
        views.observe(seen);
        turn.touched.insert(seen.pipeline);
        order.push_back(&seen);
    }
    const auto depth = [this](const model::Observation* seen) {
        const auto* view = views.find(seen->pipeline);
        if (view == nullptr || view->pipeline == nullptr) return model::Pipeline::npos;
        return view->pipeline->index_of(seen->environment);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](const auto* a, const auto* b) { return depth(a) > depth(b); });
    for (const auto* seen : order) stage_seen(turn, *seen);
}

void Engine::State::stage_seen(Turn& turn, const model::Observation& seen) {
    Stage& stage = turn.stage;
    const auto* pipeline = stage.pipeline(seen.pipeline);
    if (pipeline == nullptr) return;  // deleted meanwhile
    auto decided = decide(stage, *pipeline, seen.environment, seen.revision,
                          [&](const model::History& history) {
                              return decision::decide(*pipeline, history, seen, clock.now());
                          });
    if (!decided) {
        log::debug("PROMO-1003", "what was seen is not of this Pipeline any more",
                   {{"pipeline", seen.pipeline.text()}, {"reason", decided.error().message}});
        return;
    }
    for (const auto& evidence : decided->evidence) {
        stage.add_evidence(seen.pipeline, evidence);
        if (evidence.previous_revision.empty()) continue;  // the first look is no change
        if (model::takes_releases(*pipeline)) continue;    // no event tells of merges
        unannounced_.seen(seen.pipeline, seen.environment, seen.target, seen.revision,
                          clock.steady_now());
    }
    for (const auto& arrival : decided->arrived) settle_arrival(turn, seen.pipeline, arrival);
    for (const auto& due : decided->due) add_due(turn, due);
    if (decided->evidence.empty() && decided->due.empty() && decided->arrived.empty()) return;
    turn.seen.push_back(seen);
    turn.answers.push_back([this, verdict = decided->verdict](const Error* error) {
        if (error == nullptr) meters_.seen(verdict).add();
    });
}

void Engine::State::handle(Turn& /*turn*/, const LookSignal& signal) {
    // Its own, or one of which it waits for a word.
    const std::string commit = '"' + signal.commit + '"';
    std::vector<std::string> pages;
    for (const auto& page : signal.locations) {
        if (!page.empty()) pages.push_back(plain(page));
    }
    const auto concerned = [&](const model::Promotion& promotion) {
        if (promotion.phase != model::Phase::Pending) return false;
        if (!signal.commit.empty() && promotion.details.find(commit) != std::string::npos)
            return true;
        const std::string location = plain(promotion.location);
        return std::any_of(pages.begin(), pages.end(),
                           [&](const std::string& page) { return location.ends_with(page); });
    };
    for (const auto& [name, view] : views.all()) {
        if (view.history == nullptr) continue;
        for (const auto& [place, promotions] : view.history->promotions) {
            for (const auto& promotion : promotions) {
                if (!concerned(promotion)) continue;
                schedule_.plan(
                    {promotion.scope, promotion.id, Work::Observe, options.observe_every},
                    clock.steady_now());
            }
        }
    }
}

void Engine::State::tell_status(const std::set<model::PipelineName>& names) {
    if (status == nullptr) return;
    for (const auto& name : names) {
        const auto* view = views.find(name);
        if (view == nullptr) {
            status->stands({name, nullptr, nullptr, nullptr});
            continue;
        }
        platform::PipelineState state{name, view->pipeline, view->history, view->observed};
        if (view->pipeline != nullptr && !view->problems.empty())
            state.unusable = view->problems.front().message;
        status->stands(state);
    }
}

}  // namespace promotiond::engine
