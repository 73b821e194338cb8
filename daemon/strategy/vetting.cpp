#include "strategy/vetting.hpp"

#include <Poco/DigestEngine.h>
#include <Poco/SHA2Engine.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace promotiond::strategy {

namespace {

Error unsafe(const std::filesystem::path& path, const std::string& why) {
    return {ErrorKind::Invalid, path.string() + ": " + why};
}

std::string why_errno() { return std::generic_category().message(errno); }

// Empty when nobody but root and ourselves can change it.
std::string writable_by_others(const struct stat& status) {
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return "is owned by user " + std::to_string(status.st_uid) +
               "; it must be owned by root or by the daemon's own user (chown it)";
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return "can be written by group or others; chmod go-w it";
    }
    return {};
}

// A sticky directory such as /tmp lets others add entries, but not replace ours.
Result<void> check_parents(const std::filesystem::path& directory) {
    for (auto parent = directory.parent_path();; parent = parent.parent_path()) {
        struct stat status {};
        if (::lstat(parent.c_str(), &status) != 0) return unsafe(parent, why_errno());
        if (S_ISLNK(status.st_mode)) {
            return unsafe(parent, "is a symbolic link; name the directory itself");
        }
        const auto why = writable_by_others(status);
        const bool sticky = (status.st_mode & S_ISVTX) != 0 && status.st_uid == 0;
        if (!why.empty() && !sticky) return unsafe(parent, why);
        if (parent == parent.root_path()) return {};
    }
}

Result<void> check_directory(const std::filesystem::path& directory) {
    if (!directory.is_absolute()) return unsafe(directory, "the directory must be absolute");
    struct stat status {};
    if (::lstat(directory.c_str(), &status) != 0) return unsafe(directory, why_errno());
    if (S_ISLNK(status.st_mode)) {
        return unsafe(directory, "is a symbolic link; name the directory itself");
    }
    if (!S_ISDIR(status.st_mode)) return unsafe(directory, "is not a directory");
    const auto why = writable_by_others(status);
    if (!why.empty()) return unsafe(directory, why);
    return check_parents(directory);
}

Result<std::string> sha256_of(int fd, const std::filesystem::path& path) {
    Poco::SHA2Engine engine(Poco::SHA2Engine::SHA_256);
    std::array<char, 64 * 1024> block{};
    off_t at = 0;
    while (true) {
        const auto count = ::pread(fd, block.data(), block.size(), at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return unsafe(path, "cannot read: " + why_errno());
        if (count == 0) break;
        engine.update(block.data(), static_cast<std::size_t>(count));
        at += count;
    }
    return Poco::DigestEngine::digestToHex(engine.digest());
}

Result<std::string> check_file(int fd, const std::filesystem::path& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return unsafe(path, why_errno());
    if (!S_ISREG(status.st_mode)) return unsafe(path, "is not a regular file");
    const auto why = writable_by_others(status);
    if (!why.empty()) return unsafe(path, why);
    return sha256_of(fd, path);
}

}  // namespace

Result<std::vector<std::filesystem::path>> list_libraries(const std::filesystem::path& directory) {
    const auto clean = (directory / "").lexically_normal().parent_path();
    if (const auto safe = check_directory(clean); !safe) return safe.error();
    std::vector<std::filesystem::path> files;
    std::error_code failed;
    for (auto entry = std::filesystem::directory_iterator(clean, failed);
         !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
        if (entry->path().extension() == ".so") files.push_back(entry->path());
    }
    if (failed) return unsafe(clean, "cannot list: " + failed.message());
    std::sort(files.begin(), files.end());
    return files;
}

Result<VettedFile> vet(const std::filesystem::path& file,
                       const std::optional<std::string>& pinned_sha256) {
    // O_NONBLOCK: opening a FIFO must not wait for its other end.
    const int fd = ::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP) {
        return unsafe(file, "is a symbolic link; put the library itself into the directory");
    }
    if (fd < 0) return unsafe(file, "cannot open: " + why_errno());
    auto digest = check_file(fd, file);
    if (digest && pinned_sha256 && *digest != *pinned_sha256) {
        digest = unsafe(file, "its SHA-256 is " + *digest + ", the configuration pins " +
                                  *pinned_sha256 + "; install the pinned file or change the pin");
    }
    if (!digest) {
        ::close(fd);
        return std::move(digest).error();
    }
    return VettedFile{file, fd, std::move(*digest)};
}

}  // namespace promotiond::strategy
