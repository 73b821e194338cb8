#include "platform/kube_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace promotiond::platform {

Result<Secret> contents_of(const std::filesystem::path& file) {
    // Without O_NONBLOCK a named pipe would hold us until somebody writes.
    const FileHandle handle(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (handle.fd() < 0) {
        if (errno == ENOENT) return Error{ErrorKind::NotFound, "does not exist"};
        return Error{ErrorKind::Transient, std::string("cannot be read: ") + std::strerror(errno)};
    }
    struct stat status {};
    if (::fstat(handle.fd(), &status) != 0 || !S_ISREG(status.st_mode))
        return Error{ErrorKind::Invalid, "is not a regular file"};
    if (status.st_size > kLargestFile)
        return Error{ErrorKind::Invalid,
                     "is larger than " + std::to_string(kLargestFile) + " bytes"};
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    const ssize_t size = ::pread(handle.fd(), bytes.data(), bytes.size(), 0);
    if (size < 0)
        return Error{ErrorKind::Transient, std::string("cannot be read: ") + std::strerror(errno)};
    Secret text(std::string_view(bytes).substr(0, static_cast<std::size_t>(size)));
    std::fill(bytes.begin(), bytes.end(), '\0');
    return text;
}

Result<Secret> WatchedText::text() {
    struct stat status {};
    const bool there = ::stat(file_.c_str(), &status) == 0;
    const FileState state = there ? state_of(status) : FileState{};
    {
        auto known = known_.access();
        if (there && *known && (*known)->state == state) return (*known)->text.duplicate();
    }
    auto text = contents_of(file_);
    if (!text) return context(std::move(text).error(), file_.string());
    auto known = known_.access();
    known->reset();
    if (settled(state)) known->emplace(Known{state, text->duplicate()});
    return text;
}

void WatchedText::forget() { known_.access()->reset(); }

}  // namespace promotiond::platform
