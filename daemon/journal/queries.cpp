// What the journal is asked for.
#include "journal/lists.hpp"
#include "journal/rows.hpp"
#include "journal/state.hpp"

namespace promotiond::journal {
namespace {

using sqlite::Connection;

model::Evidence evidence_of(const sqlite::Statement& row) {
    return {row.text(1),
            row.text(2),
            row.text(3),
            row.text(4),
            time_of(row.number(5)),
            time_of(row.number(6)),
            row.text(7)};
}

}  // namespace

Result<std::vector<std::pair<model::PipelineName, model::History>>> Journal::load() const {
    using Loaded = std::vector<std::pair<model::PipelineName, model::History>>;
    return state_->read<Loaded>([](Connection& connection) -> Result<Loaded> {
        std::map<model::PipelineName, model::History> all;
        auto evidence = connection.prepared(
            "SELECT pipeline,environment,target,revision,previous_revision,event_time,seen,digest "
            "FROM evidence");
        if (!evidence) return evidence.error();
        for (;;) {
            auto row = evidence->next();
            if (!row) return row.error();
            if (!*row) break;
            auto found = evidence_of(*evidence);
            auto key = std::pair(found.environment, found.target);
            all[pipeline_of(evidence->text(0))].running[std::move(key)] = std::move(found);
        }
        // From scope to scope along the index, so that the start does not grow with the past.
        model::Scope last;
        std::string pipeline;
        for (;;) {
            auto next = connection.prepared(
                "SELECT pipeline,environment,target FROM promotion WHERE "
                "(pipeline,environment,target)>(?,?,?) ORDER BY pipeline,environment,target LIMIT "
                "1");
            if (!next) return next.error();
            next->bind(pipeline).bind(last.environment).bind(last.target);
            auto row = next->next();
            if (!row) return row.error();
            if (!*row) break;
            std::string found_pipeline = next->text(0);
            model::Scope scope{pipeline_of(found_pipeline), next->text(1), next->text(2)};
            auto newest = connection.prepared(
                "SELECT " PROMOTIOND_PROMOTION_COLUMNS
                " FROM promotion WHERE pipeline=? AND environment=? AND target=? "
                "ORDER BY sequence DESC LIMIT ?");
            if (!newest) return newest.error();
            newest->bind(found_pipeline).bind(scope.environment).bind(scope.target);
            newest->bind(kNewestOfScope);
            auto& list = all[scope.pipeline].promotions[{scope.environment, scope.target}];
            for (;;) {
                auto more = newest->next();
                if (!more) return more.error();
                if (!*more) break;
                auto promotion = promotion_of(*newest);
                if (!promotion) return promotion.error();
                list.push_back(std::move(promotion->promotion));
            }
            std::reverse(list.begin(), list.end());
            pipeline = std::move(found_pipeline);
            last = std::move(scope);
        }
        return Loaded(std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()));
    });
}

Result<Page> Journal::promotions(const Filter& filter) const {
    return state_->read<Page>(
        [&filter](Connection& connection) { return list_promotions(connection, filter); });
}

Result<model::Promotion> Journal::promotion(const model::PromotionId& id) const {
    return state_->read<model::Promotion>(
        [&id](Connection& connection) -> Result<model::Promotion> {
            auto row = connection.prepared("SELECT " PROMOTIOND_PROMOTION_COLUMNS
                                           " FROM promotion WHERE id=?");
            if (!row) return row.error();
            row->bind(id);
            auto found = row->next();
            if (!found) return found.error();
            if (!*found) {
                return Error{.kind = ErrorKind::NotFound, .message = "there is no promotion " + id};
            }
            auto promotion = promotion_of(*row);
            if (!promotion) return promotion.error();
            return std::move(promotion->promotion);
        });
}

Result<std::vector<model::Transition>> Journal::transitions(const model::PromotionId& id) const {
    using Found = std::vector<model::Transition>;
    return state_->read<Found>([&id](Connection& connection) -> Result<Found> {
        auto rows = connection.prepared(
            "SELECT from_phase,to_phase,at,reason,actor,attempt FROM transition WHERE promotion="
            "(SELECT sequence FROM promotion WHERE id=?) ORDER BY sequence");
        if (!rows) return rows.error();
        rows->bind(id);
        Found found;
        for (;;) {
            auto row = rows->next();
            if (!row) return row.error();
            if (!*row) return found;
            model::Transition transition;
            transition.id = id;
            if (!rows->is_null(0)) transition.from = model::phase_named(rows->text(0));
            transition.to = model::phase_named(rows->text(1)).value_or(model::Phase::Failed);
            transition.at = time_of(rows->number(2));
            transition.reason = rows->text(3);
            transition.actor = rows->text(4);
            transition.attempt = static_cast<std::uint32_t>(rows->number(5));
            found.push_back(std::move(transition));
        }
    });
}

Result<std::vector<EventRecord>> Journal::events(const model::PipelineName& pipeline,
                                                 std::size_t limit) const {
    using Found = std::vector<EventRecord>;
    return state_->read<Found>([&](Connection& connection) -> Result<Found> {
        auto rows = connection.prepared(
            "SELECT sequence,environment,digest,peer,body,received,verdict,reasons,promotions "
            "FROM event WHERE pipeline=? ORDER BY sequence DESC LIMIT ?");
        if (!rows) return rows.error();
        const std::string name = pipeline.text();
        rows->bind(name).bind(static_cast<std::int64_t>(std::min<std::size_t>(limit, 1000)));
        Found found;
        for (;;) {
            auto row = rows->next();
            if (!row) return row.error();
            if (!*row) return found;
            EventRecord event{rows->number(0),
                              pipeline,
                              rows->text(1),
                              rows->text(2),
                              rows->text(3),
                              rows->text(4),
                              time_of(rows->number(5)),
                              rows->text(6),
                              rows->text(7),
                              {}};
            const std::string ids = rows->text(8);
            for (std::size_t at = 0; at < ids.size();) {
                const auto end = std::min(ids.find(' ', at), ids.size());
                event.promotions.push_back(ids.substr(at, end - at));
                at = end + 1;
            }
            found.push_back(std::move(event));
        }
    });
}

Result<bool> Journal::knows_event(const model::PipelineName& pipeline,
                                  const std::string& environment, const std::string& digest) const {
    return state_->read<bool>([&](Connection& connection) -> Result<bool> {
        auto row = connection.prepared(
            "SELECT 1 FROM event WHERE pipeline=? AND environment=? AND digest=? LIMIT 1");
        if (!row) return row.error();
        const std::string name = pipeline.text();
        row->bind(name).bind(environment).bind(digest);
        return row->next();
    });
}

Result<bool> Journal::removed(const model::PromotionId& id) const {
    return state_->read<bool>([&id](Connection& connection) -> Result<bool> {
        auto row = connection.prepared("SELECT 1 FROM removed WHERE id=?");
        if (!row) return row.error();
        row->bind(id);
        return row->next();
    });
}

}  // namespace promotiond::journal
