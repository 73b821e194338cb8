// The journal's files on disk: made with mode 0600, vetted before they are believed, and locked
// against a second daemon. The tables inside are journal.cpp's business.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "base/result.hpp"
#include "journal/sqlite.hpp"

namespace promotiond::journal {

inline constexpr std::int64_t kSchemaVersion = 1;
inline constexpr std::int64_t kApplicationId = 0x70726d64;  // "prmd" in SQLite's header
extern const char* const kSchema;                           // schema.sql
extern const char* const kIndexes;                          // indexes.sql; may be run again

// Held while it lives; the kernel lets go of it with the process.
class FileLock {
public:
    // Conflict: another process holds it. Transient or Invalid: it cannot be made.
    [[nodiscard]] static Result<FileLock> take(const std::filesystem::path& path);
    FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

private:
    explicit FileLock(int fd) : fd_(fd) {}
    int fd_;
};

// Makes the journal if neither it nor a write-ahead log of it is there: complete under another
// name first, so that an empty journal is never the trace of a power cut but always damage.
[[nodiscard]] Result<void> make_if_absent(const std::filesystem::path& path);

// Invalid if there is a write-ahead log without its journal.
[[nodiscard]] Result<void> vet_absence(const std::filesystem::path& path);

// Ours, a plain file, not empty. Invalid otherwise, with what to do.
[[nodiscard]] Result<void> vet_file(const std::filesystem::path& path);

// From now on readable by us alone.
[[nodiscard]] Result<void> protect_file(const std::filesystem::path& path);

// The tables are ours, of a version that we know, and whole. Invalid otherwise.
[[nodiscard]] Result<void> vet_tables(sqlite::Connection& connection,
                                      const std::filesystem::path& path);

// The same of a file that nobody has open and that has no log, or only of its first page if it has
// one. Nothing is locked and no file is made.
[[nodiscard]] Result<void> vet_tables_untouched(const std::filesystem::path& path);

// What to do about a damaged file; the end of every message about one.
[[nodiscard]] std::string repair_hint(const std::filesystem::path& path);

}  // namespace promotiond::journal
