#include "journal/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace promotiond::journal {
namespace {

// Checking every page of a larger file would hold up the start; its pages are checked as they are
// read.
constexpr std::uintmax_t kCheckedWhole = 64u << 20;

std::string not_ours(uid_t owner) {
    return "belongs to user " + std::to_string(owner) + ", we run as user " +
           std::to_string(::geteuid()) + ": run as its owner or chown it";
}

// Of a path that we may not use: it, or what is above it, is somebody else's.
std::string whose(std::filesystem::path path) {
    struct stat about {};
    while (::lstat(path.c_str(), &about) != 0) {
        if (!path.has_relative_path()) return "";
        path = path.parent_path();
    }
    return about.st_uid == ::geteuid() ? "" : "; " + path.string() + " " + not_ours(about.st_uid);
}

Error os_error(const std::string& doing, const std::filesystem::path& path, int code) {
    const bool wrong_path = code == ENOENT || code == ENOTDIR || code == EACCES || code == ELOOP;
    return {.kind = wrong_path ? ErrorKind::Invalid : ErrorKind::Transient,
            .message = "cannot " + doing + " " + path.string() + ": " + std::strerror(code) +
                       (code == EACCES ? whose(path) : "")};
}

Error invalid(const std::filesystem::path& path, const std::string& why) {
    return {.kind = ErrorKind::Invalid, .message = "journal " + path.string() + " " + why};
}

Error damaged(const std::filesystem::path& path, const Error& error) {
    if (error.kind != ErrorKind::Invalid) return context(error, "journal " + path.string());
    return invalid(path, "is damaged: " + error.message + "; " + repair_hint(path));
}

Result<void> vet_numbers(const std::filesystem::path& path, std::int64_t application,
                         std::int64_t version) {
    if (application != kApplicationId) {
        return invalid(path, "is another program's SQLite file; give journal.path another name");
    }
    if (version == kSchemaVersion) return {};
    return invalid(path, "has schema " + std::to_string(version) + ", this promotiond knows " +
                             std::to_string(kSchemaVersion) +
                             ": run the version that wrote it, or restore a backup");
}

// A descriptor for one purpose, closed at the end of the scope.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

Result<void> sync_path(const std::filesystem::path& path, int flags) {
    const Descriptor file(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0 || ::fsync(file.get()) != 0) return os_error("sync", path, errno);
    return {};
}

Result<void> fill(const std::filesystem::path& path) {
    auto connection =
        sqlite::Connection::open(path.string(), sqlite::Connection::Access::ReadWrite);
    if (!connection) return connection.error();
    const std::string numbers = "PRAGMA application_id=" + std::to_string(kApplicationId) +
                                "; PRAGMA user_version=" + std::to_string(kSchemaVersion) + ";";
    const std::string text = "PRAGMA synchronous=FULL; BEGIN IMMEDIATE;" + std::string(kSchema) +
                             kIndexes + numbers + "COMMIT;";
    if (auto ran = connection->run(text.c_str()); !ran) return ran.error();
    auto mode = connection->text("PRAGMA journal_mode=WAL");
    if (!mode) return mode.error();
    if (*mode != "wal") {
        return Error{.kind = ErrorKind::Invalid,
                     .message =
                         "the file system cannot hold a write-ahead log (shared memory is "
                         "missing); use a local one"};
    }
    return {};
}

}  // namespace

std::string repair_hint(const std::filesystem::path& path) {
    return "stop the daemon, keep a copy of " + path.string() +
           "*, then restore a backup or try: sqlite3 " + path.string() + " .recover | sqlite3 " +
           path.string() + ".recovered";
}

Result<FileLock> FileLock::take(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return os_error("open the lock", path, errno);
    FileLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK) return os_error("lock", path, errno);
    return Error{.kind = ErrorKind::Conflict,
                 .message = "another promotiond has the journal open (it holds " + path.string() +
                            "); stop it first, or give this one a journal of its own"};
}

FileLock::~FileLock() {
    if (fd_ >= 0) ::close(fd_);
}

Result<void> vet_absence(const std::filesystem::path& path) {
    std::error_code failed;
    if (!std::filesystem::exists(path.string() + "-wal", failed)) return {};
    return invalid(path, "is missing, but its write-ahead log " + path.string() +
                             "-wal is there: put both back from where they were moved, or "
                             "remove the log if you mean to begin anew");
}

Result<void> make_if_absent(const std::filesystem::path& path) {
    std::error_code failed;
    if (std::filesystem::exists(std::filesystem::symlink_status(path, failed))) return {};
    if (auto absent = vet_absence(path); !absent) return absent;
    const std::filesystem::path fresh = path.string() + ".new";
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
        std::filesystem::remove(fresh.string() + suffix, failed);
    }
    {
        const Descriptor file(
            ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file.get() < 0) return os_error("make the journal", fresh, errno);
        // The umask may only take away; the mode is exact.
        if (::fchmod(file.get(), 0600) != 0) return os_error("protect", fresh, errno);
    }
    if (auto filled = fill(fresh); !filled) {
        return context(filled.error(), "cannot make the journal " + path.string());
    }
    if (auto synced = sync_path(fresh, O_RDWR); !synced) return synced;
    if (::rename(fresh.c_str(), path.c_str()) != 0)
        return os_error("name the journal", path, errno);
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    return sync_path(folder, O_RDONLY | O_DIRECTORY);
}

Result<void> vet_file(const std::filesystem::path& path) {
    // Only looked at: what belongs to somebody else may not be ours to read.
    const Descriptor file(::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) return os_error("open the journal", path, errno);
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return os_error("look at", path, errno);
    if (!S_ISREG(about.st_mode)) return invalid(path, "is not a plain file");
    if (about.st_uid != ::geteuid()) return invalid(path, not_ours(about.st_uid));
    if (about.st_size == 0) {
        return invalid(path, "is empty, which a journal never is: " + repair_hint(path));
    }
    return {};
}

Result<void> protect_file(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) return os_error("open the journal", path, errno);
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return os_error("look at", path, errno);
    if ((about.st_mode & 077) == 0 || ::fchmod(file.get(), 0600) == 0) return {};
    return os_error("protect", path, errno);
}

Result<void> vet_tables(sqlite::Connection& connection, const std::filesystem::path& path) {
    auto application = connection.number("PRAGMA application_id");
    if (!application) return damaged(path, application.error());
    auto version = connection.number("PRAGMA user_version");
    if (!version) return damaged(path, version.error());
    if (auto ours = vet_numbers(path, *application, *version); !ours) return ours;
    std::error_code failed;
    if (std::filesystem::file_size(path, failed) > kCheckedWhole) return {};
    auto whole = connection.text("PRAGMA quick_check(1)");
    if (!whole) return damaged(path, whole.error());
    if (*whole != "ok") return invalid(path, "is damaged: " + *whole + "; " + repair_hint(path));
    return {};
}

Result<void> vet_tables_untouched(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    std::array<unsigned char, 72> header{};
    if (file.get() < 0 || ::pread(file.get(), header.data(), header.size(), 0) < 0)
        return os_error("read the journal", path, errno);
    const auto number = [&header](std::size_t at) {
        std::uint32_t value = 0;
        for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | header[i];
        return static_cast<std::int64_t>(value);
    };
    // https://sqlite.org/fileformat.html 1.3: the magic, the user version, the application id.
    constexpr std::string_view kMagic("SQLite format 3\0", 16);
    if (std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0)
        return invalid(path, "is damaged: file is not a database; " + repair_hint(path));
    if (auto ours = vet_numbers(path, number(68), number(60)); !ours) return ours;
    std::error_code failed;
    if (std::filesystem::exists(path.string() + "-wal", failed)) return {};
    auto connection =
        sqlite::Connection::open(path.string(), sqlite::Connection::Access::Immutable);
    if (!connection) return damaged(path, connection.error());
    return vet_tables(*connection, path);
}

}  // namespace promotiond::journal
