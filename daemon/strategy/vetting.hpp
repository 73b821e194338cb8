// Vetting: is this file one that we may run as ourselves?
//
// A strategy is native code with the daemon's privileges, so who can write the file can be the
// daemon. Directory, its parents and the file must belong to root or to us and be writable by no
// one else; symlinks are refused. What was vetted is what is opened: the file stays open from the
// check on, and is loaded through its descriptor. Thread-safety: free functions without state.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace promotiond::strategy {

struct VettedFile {
    std::filesystem::path path;
    // Never closed: the loader's cache goes by name, and the name is made of this number.
    int fd = -1;
    std::string sha256;  // lower-case hex
};

// The *.so entries of a directory, sorted by name, not yet vetted themselves. Invalid: the
// directory is not absolute, missing, or unsafe; names the path and the remedy.
[[nodiscard]] Result<std::vector<std::filesystem::path>> list_libraries(
    const std::filesystem::path& directory);

// Invalid: symlink, not a regular file, wrong owner or mode, or not the pinned digest.
[[nodiscard]] Result<VettedFile> vet(const std::filesystem::path& file,
                                     const std::optional<std::string>& pinned_sha256);

}  // namespace promotiond::strategy
