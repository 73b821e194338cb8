#include "platform/file_read.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace promotiond::platform {

namespace {

Error error_of(int number) {
    const std::string text = std::strerror(number);
    switch (number) {
        case ENOENT: return {ErrorKind::NotFound, "does not exist"};
        case ENOTDIR: return {ErrorKind::Invalid, "is not a directory"};
        case ELOOP:
            return {
                ErrorKind::Invalid,
                "is a symbolic link; put the file itself there, or mount it as Kubernetes does"};
        case EACCES:
            return {ErrorKind::Transient, "must not be read by this user; give it permission"};
        default: return {ErrorKind::Transient, "cannot be read now: " + text};
    }
}

Result<FileHandle> open_at(int directory, const std::string& name, int flags) {
    // Without O_NONBLOCK a named pipe would hold us until somebody writes.
    const int fd =
        ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags);
    if (fd < 0) return error_of(errno);
    return FileHandle(fd);
}

std::string link_target(int directory, const std::string& name) {
    std::array<char, 512> text{};
    const ssize_t size = ::readlinkat(directory, name.c_str(), text.data(), text.size());
    if (size <= 0 || size == static_cast<ssize_t>(text.size())) return {};
    return {text.data(), static_cast<std::size_t>(size)};
}

Result<FileHandle> open_file(int directory, const std::string& name) {
    auto file = open_at(directory, name, 0);
    if (file || link_target(directory, name) != "..data/" + name) return file;
    const std::string folder = link_target(directory, "..data");
    if (folder.size() < 3 || folder.rfind("..", 0) != 0 || folder.find('/') != std::string::npos) {
        return file;
    }
    auto inside = open_at(directory, folder, O_DIRECTORY);
    if (!inside) return inside;
    return open_at(inside->fd(), name, 0);
}

std::int64_t nanoseconds(const struct timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

Error too_large() {
    return {ErrorKind::Invalid,
            "is larger than " + std::to_string(kLargestFile) + " bytes; make it smaller"};
}

}  // namespace

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

FileHandle::~FileHandle() {
    if (fd_ >= 0) ::close(fd_);
}

FileState state_of(const struct stat& status) {
    return {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
}

bool settled(const FileState& state) {
    // The file system's own time, not the daemon's Clock: it is compared with stamps of files.
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::nanoseconds{state.changed_ns} + std::chrono::seconds{1} < now;
}

Result<FileHandle> open_directory(int parent, const std::string& name) {
    return open_at(parent, name, O_DIRECTORY);
}

Result<FileRead> read_file(int directory, const std::string& name) {
    auto file = open_file(directory, name);
    if (!file) return std::move(file).error();
    struct stat status {};
    if (::fstat(file->fd(), &status) != 0) return error_of(errno);
    if (!S_ISREG(status.st_mode)) return Error{ErrorKind::Invalid, "is not a regular file"};
    if (status.st_size > kLargestFile) return too_large();
    FileRead read;
    read.state = state_of(status);
    read.others_may_read = (status.st_mode & S_IROTH) != 0;
    std::array<char, 16384> block{};
    while (true) {
        const ssize_t size = ::read(file->fd(), block.data(), block.size());
        if (size == 0) return read;
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return error_of(errno);
        read.bytes.append(block.data(), static_cast<std::size_t>(size));
        if (static_cast<std::int64_t>(read.bytes.size()) > kLargestFile) return too_large();
    }
}

}  // namespace promotiond::platform
