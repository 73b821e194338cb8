#include "journal/journal.hpp"

#include <algorithm>
#include <functional>

#include "base/log.hpp"
#include "journal/files.hpp"
#include "journal/lists.hpp"
#include "journal/readers.hpp"
#include "journal/retention.hpp"
#include "journal/rows.hpp"
#include "journal/sqlite.hpp"

namespace promotiond::journal {
namespace {

using sqlite::Connection;

// The open file is not what it was. A failed write or sync is none of these: SQLite has not moved
// its end of the log, so that the next commit writes and syncs the same places again. Opening anew
// would be worse: it takes in what was refused, where the kernel kept it.
bool distrust(int code) {
    const int primary = code & 0xff;
    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_CANTOPEN;
}

// The failure as commit() may give it: a bug is Internal, everything else may pass.
Error as_commit_error(Error error, const std::filesystem::path& path) {
    if (error.kind == ErrorKind::Invalid) error.message += "; " + repair_hint(path);
    if (error.kind != ErrorKind::Internal) error.kind = ErrorKind::Transient;
    return context(std::move(error), "cannot write the journal " + path.string());
}

Result<void> write(Connection& connection, const Batch& batch) {
    for (const EventRecord& event : batch.events) {
        if (auto done = insert_event(connection, event); !done) return done;
    }
    for (const auto& [pipeline, evidence] : batch.evidence) {
        if (auto done = upsert_evidence(connection, pipeline, evidence); !done) return done;
    }
    for (const Step& step : batch.steps) {
        if (auto done = apply_step(connection, step); !done) return done;
    }
    for (const auto& promotion : batch.amended) {
        if (auto done = amend(connection, promotion); !done) return done;
    }
    return {};
}

Result<void> transact(Connection& connection,
                      const std::function<Result<void>(Connection&)>& work) {
    auto begin = connection.prepared("BEGIN IMMEDIATE");
    if (!begin) return begin.error();
    if (auto ran = begin->run(); !ran) return ran;
    if (auto done = work(connection); !done) return done;
    auto end = connection.prepared("COMMIT");
    if (!end) return end.error();
    return end->run();
}

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

class Journal::State {
public:
    State(std::filesystem::path file, FileLock held)
        : path(std::move(file)), lock(std::move(held)), readers(path.string()) {}

    // The writer's connection, and a first one to read with.
    Result<void> connect() {
        auto opened = Connection::open(path.string(), Connection::Access::ReadWrite);
        if (!opened) return opened.error();
        // Moved by checkpoint() when idle; the automatic one is only there for a storm without end.
        auto ran = opened->run(
            "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=16000; "
            "PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY; PRAGMA "
            "cache_size=-4096");
        if (!ran) return ran;
        if (auto mode = opened->text("PRAGMA journal_mode"); !mode || *mode != "wal") {
            return mode ? Error{.kind = ErrorKind::Invalid, .message = "is not in write-ahead mode"}
                        : mode.error();
        }
        if (auto indexed = opened->run(kIndexes); !indexed) return indexed;
        if (auto readable = readers.open(); !readable) return readable;
        writer.emplace(std::move(*opened));
        return {};
    }

    Result<void> commit(const std::function<Result<void>(Connection&)>& work) {
        if (auto ready = reconnect(); !ready) return as_commit_error(ready.error(), path);
        if (writer->moved()) {
            return Error{.kind = ErrorKind::Transient,
                         .message = "the journal " + path.string() +
                                    " was moved or deleted while in use: put it back, or restart "
                                    "to begin anew"};
        }
        auto done = transact(*writer, work);
        if (done) return done;
        const int code = writer->last_code();
        if (writer->in_transaction()) (void)writer->run("ROLLBACK");
        if (distrust(code)) disconnect();
        return as_commit_error(done.error(), path);
    }

    // Runs a query on a connection of its own.
    template <class T>
    Result<T> read(const std::function<Result<T>(Connection&)>& query) {
        auto lent = readers.lend();
        if (!lent) return context(lent.error(), "cannot read the journal " + path.string());
        auto found = query(**lent);
        if (found || found.error().kind == ErrorKind::NotFound) return found;
        return context(found.error(), "cannot read the journal " + path.string());
    }

    std::filesystem::path path;
    FileLock lock;
    std::optional<Connection> writer;
    Readers readers;

private:
    // All must go: SQLite forgets what it knows of a file only when the last one closes.
    void disconnect() {
        readers.close();
        writer.reset();
        log::warn("PROMO-2002",
                  "journal connections closed after a failed write; reopened before the next",
                  {{"path", path.string()}});
    }
    Result<void> reconnect() { return writer ? Result<void>{} : connect(); }
};

Journal::Journal(std::unique_ptr<State> state) : state_(std::move(state)) {}

Journal::~Journal() {
    if (state_->writer) (void)state_->writer->checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
}

Result<std::unique_ptr<Journal>> Journal::open(const Options& options) {
    auto lock = FileLock::take(options.path.string() + ".lock");
    if (!lock) return lock.error();
    if (auto made = make_if_absent(options.path); !made) return made.error();
    if (auto vetted = vet_file(options.path); !vetted) return vetted.error();
    if (auto ours = protect_file(options.path); !ours) return ours.error();
    auto state = std::make_unique<State>(options.path, std::move(*lock));
    {
        auto probe = Connection::open(options.path.string(), Connection::Access::ReadWrite);
        if (!probe)
            return context(probe.error(), "cannot open the journal " + options.path.string());
        if (auto whole = vet_tables(*probe, options.path); !whole) return whole.error();
        if (auto connected = state->connect(); !connected) {
            return context(connected.error(), "cannot open the journal " + options.path.string());
        }
    }
    return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

Result<void> Journal::check(const Options& options) {
    std::error_code failed;
    if (!std::filesystem::exists(std::filesystem::symlink_status(options.path, failed)))
        return vet_absence(options.path);
    if (auto vetted = vet_file(options.path); !vetted) return vetted;
    return vet_tables_untouched(options.path);
}

Result<void> Journal::commit(const Batch& batch) {
    if (batch.empty()) return {};
    return state_->commit([&batch](Connection& connection) { return write(connection, batch); });
}

Result<Sweep> Journal::sweep(WallTime before, std::int64_t after, std::size_t most) {
    Sweep swept;
    auto done = state_->commit([&](Connection& connection) -> Result<void> {
        auto made = journal::sweep(connection, before, after, most);
        if (!made) return made.error();
        swept = *made;
        return {};
    });
    if (!done) return done.error();
    return swept;
}

Result<bool> Journal::removed(const model::PromotionId& id) const {
    return state_->read<bool>([&id](Connection& connection) -> Result<bool> {
        auto row = connection.prepared("SELECT 1 FROM removed WHERE id=?");
        if (!row) return row.error();
        row->bind(id);
        return row->next();
    });
}

Result<void> Journal::probe() {
    return state_->commit(
        [](Connection& connection) { return connection.run("UPDATE probe SET tries=tries+1"); });
}

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

Result<void> Journal::checkpoint() {
    if (!state_->writer) return {};
    auto moved = state_->writer->checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    if (!moved) return as_commit_error(moved.error(), state_->path);
    return {};
}

}  // namespace promotiond::journal
