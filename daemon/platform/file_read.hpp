// Opening and reading files of a directory that others may write to, without following links out of
// it. Linux only.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/result.hpp"

namespace promotiond::platform {

// Owns a file descriptor.
class FileHandle {
public:
    explicit FileHandle(int fd = -1) noexcept : fd_(fd) {}
    FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileHandle& operator=(FileHandle&& other) noexcept;
    ~FileHandle();
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_;
};

// Tells one state of a file from another.
struct FileState {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const FileState&) const = default;
};
[[nodiscard]] FileState state_of(const struct stat& status);

// A file system's clock ticks in milliseconds, so a file that changed a moment ago may change again
// and look the same. True once that is over.
[[nodiscard]] bool settled(const FileState& state);

inline constexpr std::int64_t kLargestFile = 1 << 20;  // bytes

struct FileRead {
    std::string bytes;
    FileState state;
    bool others_may_read = false;
};

// Symbolic links are refused. NotFound, Invalid (a link, not a directory), Transient.
[[nodiscard]] Result<FileHandle> open_directory(int parent, const std::string& name);

// Opens <directory>/<name> and reads all of it. A symbolic link is followed only as the kubelet
// makes it: <name> -> ..data/<name>, ..data -> ..<one folder>. NotFound; Invalid (a link that leads
// elsewhere, not a regular file, over kLargestFile); Transient (no permission, I/O). Messages say
// only what is wrong.
[[nodiscard]] Result<FileRead> read_file(int directory, const std::string& name);

}  // namespace promotiond::platform
