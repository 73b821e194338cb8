// Lists of promotions: one query text for each set of filters, each served by an index from the
// newest row backwards, so that a page costs what it shows and not what the journal holds.
#pragma once

#include "journal/journal.hpp"
#include "journal/sqlite.hpp"

namespace promotiond::journal {

// Placeholders: ?1 sequence before which to begin, ?2 pipeline, ?3 environment, ?4 phase, ?5 limit.
[[nodiscard]] const std::string& promotions_query(const Filter& filter);
[[nodiscard]] Result<Page> list_promotions(sqlite::Connection& connection, const Filter& filter);

}  // namespace promotiond::journal
