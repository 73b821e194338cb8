#include "journal/lists.hpp"

#include <algorithm>
#include <array>

#include "journal/rows.hpp"

namespace promotiond::journal {

namespace {

// The index whose rows are the fewest. Named in the query, because SQLite without statistics may
// prefer to sort a whole pipeline or environment.
std::string index_for(const Filter& filter) {
    // As the partial index: what is unfinished is little, whoever it belongs to.
    if (filter.unfinished_only) return " INDEXED BY promotion_unfinished";
    if (filter.pipeline) return " INDEXED BY promotion_by_pipeline";
    if (filter.phase) return " INDEXED BY promotion_by_phase";
    if (filter.environment) return " INDEXED BY promotion_by_environment";
    return "";
}

std::string query_text(const Filter& filter) {
    std::string text = "SELECT " PROMOTIOND_PROMOTION_COLUMNS " FROM promotion";
    text += index_for(filter) + " WHERE sequence<?1";
    if (filter.pipeline) text += " AND pipeline=?2";
    if (filter.environment) text += " AND environment=?3";
    if (filter.phase) text += " AND phase=?4";
    if (filter.unfinished_only) {
        text += " AND phase IN ('Queued','AwaitingApproval','Running','Pending')";
    }
    return text + " ORDER BY sequence DESC LIMIT ?5";
}

constexpr std::size_t kQueries = 16;

std::array<std::string, kQueries> all_queries() {
    std::array<std::string, kQueries> all;
    for (std::size_t set = 0; set < kQueries; ++set) {
        Filter filter;
        if ((set & 1) != 0) filter.pipeline.emplace();
        if ((set & 2) != 0) filter.environment.emplace();
        if ((set & 4) != 0) filter.phase.emplace();
        filter.unfinished_only = (set & 8) != 0;
        all[set] = query_text(filter);
    }
    return all;
}

}  // namespace

const std::string& promotions_query(const Filter& filter) {
    // Made once: a connection keeps its statements by the address of their text.
    static const auto all = all_queries();
    return all[(filter.pipeline ? 1u : 0u) | (filter.environment ? 2u : 0u) |
               (filter.phase ? 4u : 0u) | (filter.unfinished_only ? 8u : 0u)];
}

Result<Page> list_promotions(sqlite::Connection& connection, const Filter& filter) {
    auto rows = connection.prepared(promotions_query(filter).c_str());
    if (!rows) return rows.error();
    const auto limit = std::clamp<std::size_t>(filter.limit, 1, 1000);
    const std::string pipeline = filter.pipeline ? filter.pipeline->text() : std::string();
    const std::int64_t before =
        filter.after.empty() ? INT64_MAX : std::strtoll(filter.after.c_str(), nullptr, 10);
    rows->bind(before).bind(pipeline);
    rows->bind(filter.environment ? std::string_view(*filter.environment) : "");
    rows->bind(filter.phase ? name_of(*filter.phase) : "");
    rows->bind(static_cast<std::int64_t>(limit) + 1);
    Page page;
    std::int64_t last = 0;
    for (;;) {
        auto row = rows->next();
        if (!row) return row.error();
        if (!*row) return page;
        if (page.promotions.size() == limit) {
            page.next = std::to_string(last);
            return page;
        }
        auto found = promotion_of(*rows);
        if (!found) return found.error();
        last = found->sequence;
        page.promotions.push_back(std::move(found->promotion));
    }
}

}  // namespace promotiond::journal
