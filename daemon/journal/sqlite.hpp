// SQLite as the journal needs it: a connection and its prepared statements, closed by themselves,
// with failures as values that keep SQLite's extended code.
//
// Not for anybody but the journal. Thread-safety: none; a connection and its statements belong to
// one thread at a time. Lifetime: a Connection outlives the statements it lends.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace promotiond::journal::sqlite {

// A prepared statement in use; returns to its first row, unbound, when it goes out of scope.
class Statement {
public:
    explicit Statement(sqlite3_stmt* statement) noexcept : statement_(statement) {}
    Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    // Values for the placeholders, from left to right. Texts must outlive the last next().
    Statement& bind(std::string_view text);
    Statement& bind_blob(std::string_view bytes);
    Statement& bind(std::int64_t number);
    Statement& bind_null();

    // True: a row is there. False: there are no more.
    [[nodiscard]] Result<bool> next();
    // For statements without rows.
    [[nodiscard]] Result<void> run();

    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::int64_t number(int column) const;
    [[nodiscard]] bool is_null(int column) const;

private:
    sqlite3_stmt* statement_;
    int bound_ = 0;
};

class Connection {
public:
    // Immutable: reads as if nobody else ever wrote; locks nothing and makes no file beside it.
    enum class Access { ReadWrite, Create, ReadOnly, Immutable };

    // Errors as error_of().
    [[nodiscard]] static Result<Connection> open(const std::string& path, Access access);

    // Runs text without placeholders and rows; it may hold several statements.
    [[nodiscard]] Result<void> run(const char* sql);
    // Prepares on first use and keeps; one user at a time.
    [[nodiscard]] Result<Statement> prepared(const char* sql);
    // The first column of the first row.
    [[nodiscard]] Result<std::int64_t> number(const char* sql);
    [[nodiscard]] Result<std::string> text(const char* sql);

    [[nodiscard]] std::int64_t changes() const;
    [[nodiscard]] std::int64_t last_row() const;
    [[nodiscard]] int last_code() const;  // extended
    // True if the file was deleted, renamed or replaced since it was opened.
    [[nodiscard]] bool moved() const;
    [[nodiscard]] bool in_transaction() const;
    // Moves the write-ahead log into the main file; mode is SQLITE_CHECKPOINT_*.
    [[nodiscard]] Result<void> checkpoint(int mode);

private:
    struct Close {
        void operator()(sqlite3* database) const noexcept;
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    explicit Connection(sqlite3* database) : database_(database) {}

    std::unique_ptr<sqlite3, Close> database_;
    // By address of the text: every text is a literal.
    std::map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

// Invalid: the file is damaged or not SQLite's. Transient: the disk is full, failing, read-only or
// the file is locked. Internal: anything else.
[[nodiscard]] Error error_of(int extended_code, std::string_view message);

}  // namespace promotiond::journal::sqlite
