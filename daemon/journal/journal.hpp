// Journal: the durable truth. What was told, what was decided, and every step of every promotion.
//
// A batch is one transaction: when commit() has returned a value, everything in it survives a power
// cut (SQLite, WAL, synchronous=FULL). Group commit is the caller's: the engine puts all signals
// that wait into one batch.
//
// Thread-safety: commit() from one thread at a time (the engine's); the readers from any thread, at
// the same time. See journal/README.md for tables and invariants.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/event.hpp"
#include "model/history.hpp"
#include "model/promotion.hpp"

namespace promotiond::journal {

// What was decided about one event; kept whether it promoted or not.
struct EventRecord {
    std::int64_t sequence = 0;  // given by the journal
    model::PipelineName pipeline;
    std::string environment;
    std::string digest;
    std::string peer;
    std::string body;  // JSON as received
    WallTime received{};
    std::string verdict;                         // decision::name_of
    std::string reasons;                         // JSON array of {code, text}
    std::vector<model::PromotionId> promotions;  // new or existing
};

struct Step {
    model::Promotion promotion;    // the whole new state
    model::Transition transition;  // how it came to it
};

struct Batch {
    std::vector<EventRecord> events;
    std::vector<std::pair<model::PipelineName, model::Evidence>> evidence;
    std::vector<Step> steps;  // applied in order; a first transition inserts
    // New words about promotions that stay in their phase: location, summary, details. After steps.
    std::vector<model::Promotion> amended;
    [[nodiscard]] bool empty() const {
        return events.empty() && evidence.empty() && steps.empty() && amended.empty();
    }
};

struct Filter {
    std::optional<model::PipelineName> pipeline;
    std::optional<std::string> environment;
    std::optional<model::Phase> phase;
    bool unfinished_only = false;
    std::size_t limit = 100;  // 1 to 1000
    std::string after;        // cursor from the previous page; empty = newest first page
};
struct Page {
    std::vector<model::Promotion> promotions;  // newest first
    std::string next;                          // empty = no more
};

// How many promotions of a scope load() gives, and retention never removes; see model/history.hpp.
inline constexpr std::int64_t kNewestOfScope = 32;

// How far retention came.
struct Sweep {
    std::int64_t after = 0;   // where the next one goes on
    std::size_t removed = 0;  // rows
    bool done = true;         // nothing older is left to look at
};

class Journal {
public:
    struct Options {
        std::filesystem::path path;
    };

    // Opens or makes the file (mode 0600) and locks it against a second daemon. Errors: Invalid
    // (not ours, newer schema, damaged, another user's), Conflict (a daemon has it open), Transient
    // (disk).
    [[nodiscard]] static Result<std::unique_ptr<Journal>> open(const Options& options);
    // What open() would refuse of a file, without touching it, its log or its lock: safe beside a
    // running daemon. A journal that is not there yet is in order. The pages of one that is in use,
    // or was not closed in order, are not looked at.
    [[nodiscard]] static Result<void> check(const Options& options);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    // All or nothing. Internal: an illegal transition (a bug). Transient: the disk is full or
    // failing; nothing was kept and the journal stays usable once the cause is gone. After a failed
    // fsync the next commit writes and syncs the same places of the log again.
    [[nodiscard]] Result<void> commit(const Batch& batch);
    // Commits something without meaning: does the disk take writes again? As commit().
    [[nodiscard]] Result<void> probe();

    // One small step of retention, as one commit: looks at the next `most` promotions after the
    // place that the last step came to (0: from the oldest), and removes what has settled and was
    // last touched before the time, with its transitions; and as many of the events received before
    // it. What is unfinished and the newest 32 of each scope stay. Errors as commit().
    [[nodiscard]] Result<Sweep> sweep(WallTime before, std::int64_t after, std::size_t most);
    // True if sweep() removed a promotion of that id.
    [[nodiscard]] Result<bool> removed(const model::PromotionId& id) const;

    // Everything the engine needs to go on: per Pipeline the evidence and the newest promotions of
    // each scope.
    [[nodiscard]] Result<std::vector<std::pair<model::PipelineName, model::History>>> load() const;

    [[nodiscard]] Result<Page> promotions(const Filter& filter) const;
    // NotFound if there is none of that id.
    [[nodiscard]] Result<model::Promotion> promotion(const model::PromotionId& id) const;
    [[nodiscard]] Result<std::vector<model::Transition>> transitions(
        const model::PromotionId& id) const;
    // The newest events that name this Pipeline.
    [[nodiscard]] Result<std::vector<EventRecord>> events(const model::PipelineName& pipeline,
                                                          std::size_t limit) const;
    // True if an event of this digest was recorded for this address.
    [[nodiscard]] Result<bool> knows_event(const model::PipelineName& pipeline,
                                           const std::string& environment,
                                           const std::string& digest) const;

    // Moves the write-ahead log into the main file; called when idle and at stop.
    [[nodiscard]] Result<void> checkpoint();

private:
    class State;
    explicit Journal(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace promotiond::journal
