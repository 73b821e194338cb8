#include "journal/sqlite.hpp"

namespace promotiond::journal::sqlite {
namespace {

constexpr int kBusyMilliseconds = 2'000;

Error last_error(sqlite3* database) {
    return error_of(sqlite3_extended_errcode(database), sqlite3_errmsg(database));
}

}  // namespace

Error error_of(int extended_code, std::string_view message) {
    std::string text = std::string(message) + " (SQLite " + std::to_string(extended_code) + ")";
    switch (extended_code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return {.kind = ErrorKind::Invalid, .message = std::move(text)};
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_NOMEM: return {.kind = ErrorKind::Transient, .message = std::move(text)};
        default: return {.kind = ErrorKind::Internal, .message = std::move(text)};
    }
}

Statement::~Statement() {
    if (statement_ == nullptr) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

// A bind fails only for a wrong index or a text over SQLite's limit; the step then reports the
// missing value as a NOT NULL violation, so the codes need no look here.
Statement& Statement::bind(std::string_view text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data() == nullptr ? "" : text.data(),
                        text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
    sqlite3_bind_blob64(statement_, ++bound_, bytes.data() == nullptr ? "" : bytes.data(),
                        bytes.size(), SQLITE_STATIC);
    return *this;
}

Statement& Statement::bind(std::int64_t number) {
    sqlite3_bind_int64(statement_, ++bound_, number);
    return *this;
}

Statement& Statement::bind_null() {
    sqlite3_bind_null(statement_, ++bound_);
    return *this;
}

Result<bool> Statement::next() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return last_error(sqlite3_db_handle(statement_));
}

Result<void> Statement::run() {
    auto stepped = next();
    if (!stepped) return stepped.error();
    return {};
}

std::string Statement::text(int column) const {
    const void* bytes = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    if (bytes == nullptr || size <= 0) return {};
    return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::int64_t Statement::number(int column) const {
    return sqlite3_column_int64(statement_, column);
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

void Connection::Close::operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }

void Connection::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

// https://sqlite.org/uri.html: what would end a path or begin an escape is escaped itself.
static std::string immutable_uri(const std::string& path) {
    std::string uri = "file:";
    for (const char c : path) {
        if (c == '%') uri += "%25";
        else if (c == '?') uri += "%3f";
        else if (c == '#') uri += "%23";
        else uri += c;
    }
    return uri + "?immutable=1";
}

Result<Connection> Connection::open(const std::string& path, Access access) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const bool writes = access == Access::ReadWrite || access == Access::Create;
    flags |= writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    if (access == Access::Create) flags |= SQLITE_OPEN_CREATE;
    if (access == Access::Immutable) flags |= SQLITE_OPEN_URI;
    const std::string name = access == Access::Immutable ? immutable_uri(path) : path;
    sqlite3* database = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &database, flags, nullptr);
    Connection connection(database);
    if (code != SQLITE_OK) {
        return error_of(code,
                        database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database));
    }
    sqlite3_busy_timeout(database, kBusyMilliseconds);
    // A damaged schema must not run code, and no text from outside ever becomes SQL.
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return connection;
}

Result<void> Connection::run(const char* sql) {
    if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return last_error(database_.get());
    }
    return {};
}

Result<Statement> Connection::prepared(const char* sql) {
    auto& kept = statements_[sql];
    if (kept == nullptr) {
        sqlite3_stmt* made = nullptr;
        if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &made,
                               nullptr) != SQLITE_OK) {
            return last_error(database_.get());
        }
        kept.reset(made);
    }
    return Statement(kept.get());
}

Result<std::int64_t> Connection::number(const char* sql) {
    auto found = text(sql);
    if (!found) return found.error();
    return static_cast<std::int64_t>(std::strtoll(found->c_str(), nullptr, 10));
}

Result<std::string> Connection::text(const char* sql) {
    auto statement = prepared(sql);
    if (!statement) return statement.error();
    auto row = statement->next();
    if (!row) return row.error();
    return *row ? statement->text(0) : std::string();
}

std::int64_t Connection::changes() const { return sqlite3_changes64(database_.get()); }
std::int64_t Connection::last_row() const { return sqlite3_last_insert_rowid(database_.get()); }
int Connection::last_code() const { return sqlite3_extended_errcode(database_.get()); }

bool Connection::moved() const {
    int gone = 0;
    sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &gone);
    return gone != 0;
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }

Result<void> Connection::checkpoint(int mode) {
    const int code = sqlite3_wal_checkpoint_v2(database_.get(), "main", mode, nullptr, nullptr);
    // Busy only means that a reader holds it back; the next one moves the rest.
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return last_error(database_.get());
    return {};
}

}  // namespace promotiond::journal::sqlite
