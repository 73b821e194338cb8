// Rows of the tables as values of the model, and back. No transactions here.
#pragma once

#include <string>

#include "journal/journal.hpp"
#include "journal/sqlite.hpp"

namespace promotiond::journal {

// The columns that promotion_of() reads, in its order.
#define PROMOTIOND_PROMOTION_COLUMNS                                                           \
    "sequence,id,pipeline,environment,target,revision,previous_revision,ordinal,phase,reason," \
    "strategy,actor,event,attempt,created,updated,not_before,summary,location,external_id,details"

struct SequencedPromotion {
    std::int64_t sequence = 0;
    model::Promotion promotion;
};
// Invalid: the row holds what we never wrote.
[[nodiscard]] Result<SequencedPromotion> promotion_of(const sqlite::Statement& row);

[[nodiscard]] model::PipelineName pipeline_of(const std::string& text);
[[nodiscard]] WallTime time_of(std::int64_t milliseconds);

[[nodiscard]] Result<void> insert_event(sqlite::Connection& connection, const EventRecord& event);
[[nodiscard]] Result<void> upsert_evidence(sqlite::Connection& connection,
                                           const model::PipelineName& pipeline,
                                           const model::Evidence& evidence);
// Internal: an illegal transition, a known id for a first one, or another phase than `from` on
// disk.
[[nodiscard]] Result<void> apply_step(sqlite::Connection& connection, const Step& step);
[[nodiscard]] Result<void> amend(sqlite::Connection& connection, const model::Promotion& promotion);

}  // namespace promotiond::journal
