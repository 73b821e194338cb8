// Decisions that need more of the past than memory holds: the journal knows of promotions of long
// ago and of every event.
#include <algorithm>

#include "engine/state.hpp"

namespace promotiond::engine {
namespace {

using model::Phase;

bool leads_back(const decision::Decision& decided) {
    return std::any_of(decided.due.begin(), decided.due.end(),
                       [](const auto& due) { return due.promotion.ordinal > 0; });
}

// True if a target comes to run another revision, by an event whose time does not say that it is
// the newer one: Flux tells whole seconds, and a time in the future counts as now.
bool turns_back(const model::History& history, const model::ReceivedEvent& event,
                const decision::Decision& decided) {
    return std::any_of(
        decided.evidence.begin(), decided.evidence.end(), [&](const model::Evidence& news) {
            const auto held = history.running.find({news.environment, news.target});
            if (held == history.running.end()) return false;
            const model::Evidence& known = held->second;
            return known.revision != news.revision && (news.event_time <= known.event_time ||
                                                       news.event_time < *event.event.timestamp);
        });
}

decision::Decision nothing_new(const decision::Decision& decided) {
    decision::Decision nothing;
    nothing.verdict = decision::Verdict::Ignore;
    nothing.reasons = {{"repeated", "this very event was taken before; nothing new"}};
    nothing.existing = decided.existing;
    for (const auto& due : decided.due) {
        const auto& promotion = due.promotion;
        if (promotion.ordinal == 0) continue;
        nothing.existing.push_back(
            model::promotion_id(promotion.scope, promotion.revision, promotion.ordinal - 1));
    }
    return nothing;
}

}  // namespace

// The decision, with what only the journal remembers: of a scope with a long past, whether this
// revision was promoted there before.
Result<decision::Decision> Engine::State::decide(const Stage& stage,
                                                 const model::Pipeline& pipeline,
                                                 const std::string& environment,
                                                 const std::string& revision,
                                                 const Decider& by) const {
    const model::History& history = stage.history(pipeline.id);
    std::optional<model::History> longer;
    const auto from = pipeline.index_of(environment);
    const bool has_next = from != model::Pipeline::npos && from + 1 < pipeline.environments.size();
    const std::string next = has_next ? pipeline.environments[from + 1].name : "";
    for (const auto& [place, list] : history.promotions) {
        if (!has_next || place.first != next || list.size() < kKeptOfScope) continue;
        const bool remembered = std::any_of(list.begin(), list.end(), [&](const auto& promotion) {
            return promotion.revision == revision;
        });
        if (remembered) continue;
        auto found = forgotten({pipeline.id, place.first, place.second}, revision);
        if (!found) return found.error();
        if (!*found) continue;
        if (!longer) longer = history;
        auto& whole = longer->promotions[place];
        whole.insert(whole.begin(), std::move(**found));
    }
    return by(longer ? *longer : history);
}

// The newest promotion of the revision that is in the journal only. Ordinals have no gaps.
Result<std::optional<model::Promotion>> Engine::State::forgotten(
    const model::Scope& scope, const std::string& revision) const {
    std::optional<model::Promotion> newest;
    for (std::uint32_t ordinal = 0;; ++ordinal) {
        auto found = journal.promotion(model::promotion_id(scope, revision, ordinal));
        if (found) {
            newest = std::move(*found);
            continue;
        }
        if (found.error().kind != ErrorKind::NotFound) return found.error();
        const auto id = model::promotion_id(scope, revision, ordinal);
        const auto removed = journal.removed(id);
        if (!removed) return removed.error();
        if (!*removed) return newest;
        // All that is still known of it.
        newest.emplace();
        newest->id = id;
        newest->scope = scope;
        newest->revision = revision;
        newest->ordinal = ordinal;
        newest->phase = Phase::Superseded;
    }
}

// True for the very bytes of an event that was taken before.
Result<bool> Engine::State::is_repeat(const Stage& stage, const model::ReceivedEvent& event) const {
    const auto& events = stage.batch().events;
    const auto same = [&event](const journal::EventRecord& other) {
        return other.digest == event.digest && other.pipeline == event.pipeline &&
               other.environment == event.environment;
    };
    if (std::any_of(events.begin(), events.end(), same)) return true;
    return journal.knows_event(event.pipeline, event.environment, event.digest);
}

// The decision, unless an event that was taken before says it. One without a time of its own is no
// repeat: an application may come to the same state twice.
Result<decision::Decision> Engine::State::unless_repeated(const Stage& stage,
                                                          const model::ReceivedEvent& event,
                                                          decision::Decision decided) const {
    if (!event.event.timestamp) return decided;
    if (!leads_back(decided) && !turns_back(stage.history(event.pipeline), event, decided)) {
        return decided;
    }
    const auto repeated = is_repeat(stage, event);
    if (!repeated) return repeated.error();
    return *repeated ? nothing_new(decided) : std::move(decided);
}

}  // namespace promotiond::engine
