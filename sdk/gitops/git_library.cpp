#include "git_library.hpp"

#include <fcntl.h>
#include <libssh2.h>
#include <sys/file.h>
#include <unistd.h>

#include "git_http.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// Bounds for the whole process. libgit2's own default window is 1 GiB.
constexpr std::size_t kWindowBytes = std::size_t{1} << 20;
constexpr std::size_t kMappedBytes = std::size_t{12} << 20;
constexpr ssize_t kCacheBytes = ssize_t{4} << 20;

// Each plugin carries its own copy of this code, but libgit2 is one library whose options are
// global and unguarded. A lock on the program's own file is one that all copies can see: flock
// excludes separate opens of one file even within a process.
class ProcessLock {
public:
    ProcessLock() : fd_(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)) {
        if (fd_ >= 0) (void)::flock(fd_, LOCK_EX);
    }
    ~ProcessLock() {
        if (fd_ >= 0) (void)::close(fd_);
    }
    ProcessLock(const ProcessLock&) = delete;
    ProcessLock& operator=(const ProcessLock&) = delete;

private:
    int fd_;
};

Result<void> initialise() {
    const ProcessLock lock;
    const int users = git_libgit2_init();
    if (users < 0) return Error{ErrorKind::Internal, "cannot start libgit2: " + git_reason()};
    // A reference is never given back: other copies, and git handles at exit, may still need it.
    if (libssh2_init(0) != 0) return Error{ErrorKind::Internal, "cannot start libssh2"};
    for (int level = GIT_CONFIG_LEVEL_PROGRAMDATA; level <= GIT_CONFIG_LEVEL_GLOBAL; ++level)
        if (git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "") < 0)
            return Error{ErrorKind::Internal, "cannot set up libgit2: " + git_reason()};
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, kWindowBytes);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, kMappedBytes);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, kCacheBytes);
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1);
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
    return {};
}

}  // namespace

Result<void> start_git_library() {
    static const Result<void> kStarted = initialise();
    return kStarted;
}

std::string git_reason() {
    const git_error* error = git_error_last();
    if (error == nullptr || error->message == nullptr) return "unknown reason";
    return printable(error->message);
}

ObjectId to_text(const git_oid& id) {
    ObjectId text(GIT_OID_HEXSZ, '\0');
    (void)git_oid_fmt(text.data(), &id);
    return text;
}

std::optional<git_oid> to_oid(const ObjectId& text) {
    git_oid id{};
    if (text.size() != GIT_OID_HEXSZ || git_oid_fromstr(&id, text.c_str()) != 0)
        return std::nullopt;
    return id;
}

}  // namespace promotiond::sdk::inline v1::gitops
