// The cache directory of one repository, shared by threads, plugins and processes:
//
//   lock                 held (flock) by whoever changes anything here
//   mirror-<n>.git       the bare copy; the highest n counts. A damaged one is never repaired in
//                        place, since others may be reading: the next number is made and the old
//                        one removed, which its readers notice as an error
//   advertised           what the remote said when it was last connected to, and when that was
//   holding-<key>        see git_holding.hpp
//   making-*             a copy in the making; left behind only by a crash
#ifndef PROMOTIOND_GITOPS_GIT_CACHE_HPP
#define PROMOTIOND_GITOPS_GIT_CACHE_HPP

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "git_remote.hpp"
#include "git_waiting.hpp"

namespace promotiond::sdk::inline v1::gitops {

// An exclusive lock on a file; given back on destruction or when the process ends.
class FileLock {
public:
    // At once, or none while somebody else holds it.
    [[nodiscard]] static Result<std::optional<FileLock>> try_take(const std::string& path);
    // Waits as long as the call lasts.
    [[nodiscard]] static Result<FileLock> take(const std::string& path, const Waiting& waiting);
    FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

private:
    explicit FileLock(int fd) : fd_(fd) {}
    int fd_;
};

using SteadyTime = std::chrono::steady_clock::time_point;

struct DatedAdvertisement {
    Advertised advertised;
    SteadyTime begun;  // before the connection was made
};

class GitCache {
public:
    explicit GitCache(std::filesystem::path directory) : directory_(std::move(directory)) {}

    [[nodiscard]] std::string lock_path() const { return directory_ / "lock"; }
    [[nodiscard]] std::string path_of(int number) const;
    [[nodiscard]] std::filesystem::path packs_of(int number) const;
    [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

    // The number of the copy that counts; 0 = there is none.
    [[nodiscard]] int current() const;
    // Makes the copy after `current` and removes the others. The lock must be held.
    [[nodiscard]] Result<int> make_next() const;
    // Removes what a crash can leave behind. The lock must be held.
    void sweep() const;

    // None when there is no readable one, or it is of an earlier boot of the machine.
    [[nodiscard]] std::optional<DatedAdvertisement> read_advertised() const;
    // The lock must be held. A cache may fail to remember: no error.
    void write_advertised(const DatedAdvertisement& dated) const;

private:
    std::filesystem::path directory_;
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
