// Retention: which rows are old enough to go, and their removal. Runs inside the journal's
// transactions.
#pragma once

#include "journal/journal.hpp"
#include "journal/sqlite.hpp"

namespace promotiond::journal {

// As Journal::sweep().
[[nodiscard]] Result<Sweep> sweep(sqlite::Connection& connection, WallTime before,
                                  std::int64_t after, std::size_t most);

}  // namespace promotiond::journal
