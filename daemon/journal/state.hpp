// The journal's inside: its writer, its readers and their locks. Included by this folder only.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "journal/files.hpp"
#include "journal/journal.hpp"
#include "journal/readers.hpp"
#include "journal/sqlite.hpp"

namespace promotiond::journal {

// The failure as commit() may give it: a bug is Internal, everything else may pass.
[[nodiscard]] Error as_commit_error(Error error, const std::filesystem::path& path);

class Journal::State {
public:
    State(std::filesystem::path file, FileLock held)
        : path(std::move(file)), lock(std::move(held)), readers(path.string()) {}

    // The writer's connection, and a first one to read with.
    Result<void> connect();
    // One transaction. Errors as of Journal::commit().
    Result<void> commit(const std::function<Result<void>(sqlite::Connection&)>& work);

    // Runs a query on a connection of its own.
    template <class T>
    Result<T> read(const std::function<Result<T>(sqlite::Connection&)>& query) {
        auto lent = readers.lend();
        if (!lent) return context(lent.error(), "cannot read the journal " + path.string());
        auto found = query(**lent);
        if (found || found.error().kind == ErrorKind::NotFound) return found;
        return context(found.error(), "cannot read the journal " + path.string());
    }

    std::filesystem::path path;
    FileLock lock;
    std::optional<sqlite::Connection> writer;
    Readers readers;

private:
    void disconnect();
    Result<void> reconnect() { return writer ? Result<void>{} : connect(); }
};

}  // namespace promotiond::journal
