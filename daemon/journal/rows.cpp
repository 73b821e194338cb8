#include "journal/rows.hpp"

namespace promotiond::journal {
namespace {

Error bug(const Step& step, const std::string& why) {
    const auto& transition = step.transition;
    const std::string from = transition.from ? std::string(name_of(*transition.from)) : "nothing";
    return {.kind = ErrorKind::Internal,
            .message = "promotion " + transition.id + " cannot go from " + from + " to " +
                       std::string(name_of(transition.to)) + ": " + why};
}

Result<void> check(const Step& step) {
    const auto& transition = step.transition;
    if (transition.id != step.promotion.id || transition.to != step.promotion.phase) {
        return bug(step, "the step does not fit its promotion " + step.promotion.id);
    }
    const bool legal = transition.from ? may_follow(*transition.from, transition.to)
                                       : transition.to == model::Phase::Queued ||
                                             transition.to == model::Phase::AwaitingApproval;
    if (!legal) return bug(step, "no such transition");
    return {};
}

Result<std::int64_t> insert_promotion(sqlite::Connection& connection, const Step& step) {
    const model::Promotion& p = step.promotion;
    auto statement = connection.prepared(
        "INSERT INTO promotion(id,pipeline,environment,target,revision,previous_revision,ordinal,"
        "phase,reason,strategy,actor,event,attempt,created,updated,not_before,summary,location,"
        "external_id,details) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    if (!statement) return statement.error();
    const std::string pipeline = p.scope.pipeline.text();
    statement->bind(p.id).bind(pipeline).bind(p.scope.environment).bind(p.scope.target);
    statement->bind(p.revision).bind(p.previous_revision).bind(std::int64_t{p.ordinal});
    statement->bind(name_of(p.phase)).bind(p.reason).bind(p.strategy).bind(p.actor);
    statement->bind_blob(p.event).bind(std::int64_t{p.attempt});
    statement->bind(p.created.time_since_epoch().count());
    statement->bind(p.updated.time_since_epoch().count());
    statement->bind(p.not_before.time_since_epoch().count());
    statement->bind(p.summary).bind(p.location).bind(p.external_id).bind(p.details);
    auto ran = statement->run();
    if (ran) return connection.last_row();
    if ((connection.last_code() & 0xff) == SQLITE_CONSTRAINT) {
        return bug(step, "a promotion of this id is known already");
    }
    return ran.error();
}

// What may change in a promotion's life; the rest is as it was inserted.
Result<void> update_promotion(sqlite::Connection& connection, const model::Promotion& p,
                              model::Phase from) {
    auto statement = connection.prepared(
        "UPDATE promotion SET phase=?,reason=?,strategy=?,actor=?,attempt=?,updated=?,not_before=?,"
        "summary=?,location=?,external_id=?,details=?,previous_revision=? WHERE id=? AND phase=?");
    if (!statement) return statement.error();
    statement->bind(name_of(p.phase)).bind(p.reason).bind(p.strategy).bind(p.actor);
    statement->bind(std::int64_t{p.attempt}).bind(p.updated.time_since_epoch().count());
    statement->bind(p.not_before.time_since_epoch().count()).bind(p.summary).bind(p.location);
    statement->bind(p.external_id).bind(p.details).bind(p.previous_revision);
    statement->bind(p.id).bind(name_of(from));
    if (auto ran = statement->run(); !ran) return ran.error();
    if (connection.changes() == 1) return {};
    return Error{.kind = ErrorKind::Internal,
                 .message = "promotion " + p.id + " is not " + std::string(name_of(from)) +
                            " in the journal"};
}

}  // namespace

model::PipelineName pipeline_of(const std::string& text) {
    const auto slash = text.find('/');
    if (slash == std::string::npos) return {"", text};
    return {text.substr(0, slash), text.substr(slash + 1)};
}

WallTime time_of(std::int64_t milliseconds) {
    return WallTime{std::chrono::milliseconds{milliseconds}};
}

Result<SequencedPromotion> promotion_of(const sqlite::Statement& row) {
    SequencedPromotion found;
    model::Promotion& p = found.promotion;
    found.sequence = row.number(0);
    p.id = row.text(1);
    p.scope = {pipeline_of(row.text(2)), row.text(3), row.text(4)};
    p.revision = row.text(5);
    p.previous_revision = row.text(6);
    p.ordinal = static_cast<std::uint32_t>(row.number(7));
    const auto phase = model::phase_named(row.text(8));
    if (!phase) {
        return Error{.kind = ErrorKind::Invalid,
                     .message = "promotion " + p.id + " is in the unknown phase " + row.text(8)};
    }
    p.phase = *phase;
    p.reason = row.text(9);
    p.strategy = row.text(10);
    p.actor = row.text(11);
    p.event = row.text(12);
    p.attempt = static_cast<std::uint32_t>(row.number(13));
    p.created = time_of(row.number(14));
    p.updated = time_of(row.number(15));
    p.not_before = time_of(row.number(16));
    p.summary = row.text(17);
    p.location = row.text(18);
    p.external_id = row.text(19);
    p.details = row.text(20);
    return found;
}

Result<void> insert_event(sqlite::Connection& connection, const EventRecord& event) {
    auto statement = connection.prepared(
        "INSERT INTO event(pipeline,environment,digest,peer,body,received,verdict,reasons,"
        "promotions) VALUES(?,?,?,?,?,?,?,?,?)");
    if (!statement) return statement.error();
    const std::string pipeline = event.pipeline.text();
    std::string ids;
    for (const auto& id : event.promotions) ids += ids.empty() ? id : " " + id;
    statement->bind(pipeline).bind(event.environment).bind(event.digest).bind(event.peer);
    statement->bind_blob(event.body).bind(event.received.time_since_epoch().count());
    statement->bind(event.verdict).bind(event.reasons).bind(ids);
    return statement->run();
}

Result<void> upsert_evidence(sqlite::Connection& connection, const model::PipelineName& pipeline,
                             const model::Evidence& evidence) {
    auto statement = connection.prepared(
        "INSERT OR REPLACE INTO evidence(pipeline,environment,target,revision,previous_revision,"
        "event_time,seen,digest) VALUES(?,?,?,?,?,?,?,?)");
    if (!statement) return statement.error();
    const std::string name = pipeline.text();
    statement->bind(name).bind(evidence.environment).bind(evidence.target);
    statement->bind(evidence.revision).bind(evidence.previous_revision);
    statement->bind(evidence.event_time.time_since_epoch().count());
    statement->bind(evidence.seen.time_since_epoch().count()).bind(evidence.digest);
    return statement->run();
}

Result<void> apply_step(sqlite::Connection& connection, const Step& step) {
    if (auto legal = check(step); !legal) return legal;
    const auto& transition = step.transition;
    std::int64_t inserted = 0;
    if (transition.from) {
        auto updated = update_promotion(connection, step.promotion, *transition.from);
        if (!updated) return updated;
    } else {
        auto made = insert_promotion(connection, step);
        if (!made) return made.error();
        inserted = *made;
    }
    auto statement = connection.prepared(
        "INSERT INTO transition(promotion,from_phase,to_phase,at,reason,actor,attempt) "
        "VALUES(CASE ?1 WHEN 0 THEN (SELECT sequence FROM promotion WHERE id=?2) ELSE ?1 END,"
        "?3,?4,?5,?6,?7,?8)");
    if (!statement) return statement.error();
    statement->bind(inserted).bind(transition.id);
    if (transition.from) {
        statement->bind(name_of(*transition.from));
    } else {
        statement->bind_null();
    }
    statement->bind(name_of(transition.to)).bind(transition.at.time_since_epoch().count());
    statement->bind(transition.reason).bind(transition.actor);
    statement->bind(std::int64_t{transition.attempt});
    return statement->run();
}

Result<void> amend(sqlite::Connection& connection, const model::Promotion& promotion) {
    return update_promotion(connection, promotion, promotion.phase);
}

}  // namespace promotiond::journal
