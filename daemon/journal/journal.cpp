#include "journal/journal.hpp"

#include "journal/files.hpp"
#include "journal/retention.hpp"
#include "journal/rows.hpp"
#include "journal/state.hpp"

namespace promotiond::journal {
namespace {

using sqlite::Connection;

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

}  // namespace

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

Result<void> Journal::probe() {
    return state_->commit(
        [](Connection& connection) { return connection.run("UPDATE probe SET tries=tries+1"); });
}

Result<void> Journal::checkpoint() {
    if (!state_->writer) return {};
    auto moved = state_->writer->checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    if (!moved) return as_commit_error(moved.error(), state_->path);
    return {};
}

}  // namespace promotiond::journal
