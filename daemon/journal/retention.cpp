#include "journal/retention.hpp"

#include "journal/rows.hpp"

namespace promotiond::journal {

namespace {

Result<void> remove_promotion(sqlite::Connection& connection, std::int64_t sequence) {
    // Its id stays: a revision that comes back gets the next ordinal, not the same id again.
    for (const char* sql :
         {"INSERT OR IGNORE INTO removed SELECT id FROM promotion WHERE sequence=?",
          "DELETE FROM transition WHERE promotion=?", "DELETE FROM promotion WHERE sequence=?"}) {
        auto statement = connection.prepared(sql);
        if (!statement) return statement.error();
        statement->bind(sequence);
        if (auto ran = statement->run(); !ran) return ran;
    }
    return {};
}

Result<void> remove_events(sqlite::Connection& connection, WallTime before, std::size_t most) {
    auto statement = connection.prepared(
        "DELETE FROM event WHERE received<?1 AND sequence IN "
        "(SELECT sequence FROM event ORDER BY sequence LIMIT ?2)");
    if (!statement) return statement.error();
    statement->bind(before.time_since_epoch().count()).bind(static_cast<std::int64_t>(most));
    return statement->run();
}

// The rows that may go, of the next `most`; swept comes to the last that was looked at.
Result<void> find_old(sqlite::Connection& connection, WallTime before, std::size_t most,
                      Sweep& swept, std::vector<std::int64_t>& old) {
    // Rows in the order of their making; the last column says whether the engine needs the row:
    // the newest of each scope, whatever their age.
    auto rows = connection.prepared(
        "SELECT sequence,created,updated<?2 AND phase IN "
        "('Succeeded','Failed','Superseded','Cancelled') AND (SELECT count(*) FROM (SELECT 1 FROM "
        "promotion newer WHERE newer.pipeline=old.pipeline AND newer.environment=old.environment "
        "AND newer.target=old.target AND newer.sequence>old.sequence LIMIT ?3))=?3 "
        "FROM promotion old WHERE sequence>?1 ORDER BY sequence LIMIT ?4");
    if (!rows) return rows.error();
    const std::int64_t oldest = before.time_since_epoch().count();
    rows->bind(swept.after).bind(oldest).bind(kNewestOfScope).bind(static_cast<std::int64_t>(most));
    for (std::size_t looked_at = 0;; ++looked_at) {
        auto row = rows->next();
        if (!row) return row.error();
        if (!*row || rows->number(1) >= oldest) break;
        swept.after = rows->number(0);
        if (rows->number(2) != 0) old.push_back(rows->number(0));
        if (looked_at + 1 == most) swept.done = false;
    }
    return {};
}

}  // namespace

Result<Sweep> sweep(sqlite::Connection& connection, WallTime before, std::int64_t after,
                    std::size_t most) {
    if (auto done = remove_events(connection, before, most); !done) return done.error();
    Sweep swept{after, static_cast<std::size_t>(connection.changes()), true};
    swept.done = swept.removed < most;
    std::vector<std::int64_t> old;
    if (auto found = find_old(connection, before, most, swept, old); !found) return found.error();
    for (const std::int64_t sequence : old) {
        if (auto removed = remove_promotion(connection, sequence); !removed) return removed.error();
    }
    swept.removed += old.size();
    return swept;
}

}  // namespace promotiond::journal
