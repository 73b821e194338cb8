#include "journal/state.hpp"

#include "base/log.hpp"

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

}  // namespace

Error as_commit_error(Error error, const std::filesystem::path& path) {
    if (error.kind == ErrorKind::Invalid) error.message += "; " + repair_hint(path);
    if (error.kind != ErrorKind::Internal) error.kind = ErrorKind::Transient;
    return context(std::move(error), "cannot write the journal " + path.string());
}

Result<void> Journal::State::connect() {
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

Result<void> Journal::State::commit(const std::function<Result<void>(Connection&)>& work) {
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

// All must go: SQLite forgets what it knows of a file only when the last one closes.
void Journal::State::disconnect() {
    readers.close();
    writer.reset();
    log::warn("PROMO-2002",
              "journal connections closed after a failed write; reopened before the next",
              {{"path", path.string()}});
}

}  // namespace promotiond::journal
