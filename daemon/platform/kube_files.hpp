// Reading files that the operator names for an API server: kubeconfig, certificates, tokens.
//
// Unlike file_read.hpp, links are followed: the place is the operator's own choice, and rotated
// files often are links. Thread-safety: WatchedText from any thread; contents_of has no state.
#pragma once

#include <filesystem>
#include <optional>

#include "base/guarded.hpp"
#include "base/result.hpp"
#include "platform/file_read.hpp"

namespace promotiond::platform {

// At most kLargestFile bytes. NotFound; Invalid (no regular file, too large); Transient.
[[nodiscard]] Result<Secret> contents_of(const std::filesystem::path& file);

// A file that is read again when it has changed.
class WatchedText {
public:
    explicit WatchedText(std::filesystem::path file) : file_(std::move(file)) {}

    // As contents_of, with the file's name in the message.
    [[nodiscard]] Result<Secret> text();
    // The next text() reads the file whatever it looks like.
    void forget();

private:
    struct Known {
        FileState state;
        Secret text;
    };
    const std::filesystem::path file_;
    Guarded<std::optional<Known>> known_;
};

}  // namespace promotiond::platform
