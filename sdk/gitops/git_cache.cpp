#include "git_cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <vector>

#include "git_packs.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::string_view kPrefix = "mirror-";
constexpr std::string_view kSuffix = ".git";
constexpr milliseconds kLockNap{4};

bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

// "mirror-12.git" -> 12, anything else -> 0
int number_of(std::string_view name) {
    if (!starts_with(name, kPrefix) || name.size() <= kPrefix.size() + kSuffix.size()) return 0;
    if (name.substr(name.size() - kSuffix.size()) != kSuffix) return 0;
    const auto digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    int number = 0;
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return failure == std::errc() && end == digits.data() + digits.size() ? number : 0;
}

std::vector<fs::path> entries_of(const fs::path& directory) {
    std::vector<fs::path> entries;
    std::error_code failure;
    for (fs::directory_iterator at(directory, failure), end; !failure && at != end;
         at.increment(failure))
        entries.push_back(at->path());
    return entries;
}

// Times of the steady clock mean nothing after a reboot.
std::string boot_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    std::getline(file, id);
    return id.empty() ? "unknown" : id;
}

// References are changed under our lock only, so a lock file of libgit2 that is there while we hold
// ours is of a process that died.
void remove_reference_locks(const fs::path& repository) {
    std::error_code failure;
    for (const char* name : {"HEAD.lock", "config.lock", "packed-refs.lock"})
        fs::remove(repository / name, failure);
    for (fs::recursive_directory_iterator at(repository / "refs", failure), end;
         !failure && at != end; at.increment(failure)) {
        std::error_code ignored;
        if (at->path().extension() == ".lock") fs::remove(at->path(), ignored);
    }
}

}  // namespace

Result<std::optional<FileLock>> FileLock::try_take(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return Error{ErrorKind::Internal,
                     "cannot open lock file " + path + ": " + std::strerror(errno)};
    FileLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return std::optional<FileLock>(std::move(lock));
    if (errno == EWOULDBLOCK || errno == EINTR) return std::optional<FileLock>();
    return Error{ErrorKind::Internal, "cannot lock " + path + ": " + std::strerror(errno)};
}

Result<FileLock> FileLock::take(const std::string& path, const Waiting& waiting) {
    while (true) {
        auto lock = try_take(path);
        if (!lock) return lock.error();
        if (*lock) return std::move(**lock);
        if (auto slept = waiting.nap(kLockNap); !slept)
            return context(slept.error(), "waiting for another call at this repository's cache");
    }
}

FileLock::~FileLock() {
    if (fd_ >= 0) (void)::close(fd_);  // gives the lock back
}

std::string GitCache::path_of(int number) const {
    return directory_ / (std::string(kPrefix) + std::to_string(number) + std::string(kSuffix));
}

fs::path GitCache::packs_of(int number) const {
    return fs::path(path_of(number)) / "objects" / "pack";
}

int GitCache::current() const {
    int highest = 0;
    for (const auto& entry : entries_of(directory_))
        highest = std::max(highest, number_of(entry.filename().native()));
    return highest;
}

Result<int> GitCache::make_next() const {
    const int number = current() + 1;
    const fs::path making = directory_ / "making-mirror";
    std::error_code failure;
    fs::remove_all(making, failure);
    git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
    options.flags =
        GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
    options.mode = 0700;
    options.initial_head = "main";
    RepositoryPtr repository;
    if (git_call(repository, git_repository_init_ext, making.c_str(), &options) != 0)
        return Error{ErrorKind::Transient,
                     "cannot make a repository in " + directory_.native() + ": " + git_reason()};
    repository.reset();
    fs::rename(making, path_of(number), failure);
    if (failure)
        return Error{ErrorKind::Transient,
                     "cannot make " + path_of(number) + ": " + failure.message()};
    sweep();
    return number;
}

void GitCache::sweep() const {
    const int number = current();
    std::error_code ignored;
    for (const auto& entry : entries_of(directory_)) {
        const std::string name = entry.filename();
        const int copy = number_of(name);
        if ((copy > 0 && copy < number) || starts_with(name, "making-"))
            fs::remove_all(entry, ignored);
    }
    if (number == 0) return;
    const fs::path mirror = path_of(number);
    remove_reference_locks(mirror);
    for (const auto& entry : entries_of(packs_of(number))) {
        // libgit2 writes to pack_* and renames to pack-* once it is whole; git uses tmp_*.
        const std::string name = entry.filename();
        if (starts_with(name, "pack_") || starts_with(name, "tmp_")) fs::remove(entry, ignored);
    }
    remove_half_packs(packs_of(number));
}

// promotiond-advertised-1 <boot id> <steady nanoseconds>
// <default branch, or "-">
// <object id> <branch> ...
std::optional<DatedAdvertisement> GitCache::read_advertised() const {
    std::ifstream file(directory_ / "advertised");
    std::string format, boot, last;
    std::int64_t nanoseconds = 0;
    DatedAdvertisement dated;
    if (!(file >> format >> boot >> nanoseconds >> dated.advertised.default_branch)) return {};
    if (format != "promotiond-advertised-1" || boot != boot_id()) return {};
    if (dated.advertised.default_branch == "-") dated.advertised.default_branch.clear();
    std::string id, branch;
    while (file >> id >> branch) {
        if (id == "end") {
            dated.begun = SteadyTime(std::chrono::nanoseconds(nanoseconds));
            if (dated.begun > std::chrono::steady_clock::now()) return {};
            return dated;
        }
        if (!to_oid(id)) return {};
        dated.advertised.heads.emplace(std::move(branch), std::move(id));
    }
    return {};  // cut short
}

void GitCache::write_advertised(const DatedAdvertisement& dated) const {
    const fs::path making = directory_ / "making-advertised";
    {
        std::ofstream file(making, std::ios::trunc);
        const auto age = std::chrono::nanoseconds(dated.begun.time_since_epoch());
        const auto& branch = dated.advertised.default_branch;
        file << "promotiond-advertised-1 " << boot_id() << ' ' << age.count() << '\n'
             << (branch.empty() ? "-" : branch) << '\n';
        for (const auto& [name, id] : dated.advertised.heads) file << id << ' ' << name << '\n';
        file << "end -\n";
        if (!file.flush()) return;
    }
    std::error_code ignored;
    fs::rename(making, directory_ / "advertised", ignored);
}

}  // namespace promotiond::sdk::inline v1::gitops
