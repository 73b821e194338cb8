// Readers: read-only connections to the journal's file, one for each read that runs at the same
// time, so that no read waits for another or for the writer (SQLite in write-ahead mode).
//
// Thread-safety: lend() from any thread; open() and close() from the writer's.
#pragma once

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "journal/sqlite.hpp"

namespace promotiond::journal {

class Readers {
public:
    // A connection for one read; goes back when the loan ends.
    class Loan {
    public:
        Loan(Readers& lender, sqlite::Connection connection,
             std::shared_lock<std::shared_mutex> held)
            : lender_(&lender), held_(std::move(held)), connection_(std::move(connection)) {}
        Loan(Loan&& other) noexcept
            : lender_(std::exchange(other.lender_, nullptr)),
              held_(std::move(other.held_)),
              connection_(std::move(other.connection_)) {}
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        Loan& operator=(Loan&&) = delete;
        ~Loan();
        [[nodiscard]] sqlite::Connection& operator*() { return connection_; }

    private:
        Readers* lender_;
        std::shared_lock<std::shared_mutex> held_;  // close() waits for it; goes last
        sqlite::Connection connection_;
    };

    explicit Readers(std::string path) : path_(std::move(path)) {}

    // Transient: closed, or no connection could be opened.
    [[nodiscard]] Result<Loan> lend();
    // Opens one connection, to know that the file can be read, and lends from then on.
    [[nodiscard]] Result<void> open();
    // Lends no more, waits for the reads that run, and closes every connection.
    void close();

private:
    [[nodiscard]] Result<sqlite::Connection> connect() const;

    const std::string path_;
    std::atomic<bool> open_{false};
    std::shared_mutex lending_;  // shared by loans
    std::mutex mutex_;
    std::vector<sqlite::Connection> idle_;
};

}  // namespace promotiond::journal
