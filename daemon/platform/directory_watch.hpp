// Waiting until something below some directories changes, or until told to stop. inotify is behind
// it; where it does not tell (network file systems, no watches left) wait() times out and the
// caller looks for itself.
//
// Thread-safety: stop() from any thread, the rest from one.
#pragma once

#include <chrono>
#include <filesystem>

#include "platform/file_read.hpp"

namespace promotiond::platform {

enum class Woken { Stopped, Changed, TimedOut };

class DirectoryWatch {
public:
    DirectoryWatch();
    // Adds a directory, not what is below it; again is harmless. False if it cannot be watched.
    bool add(const std::filesystem::path& directory);
    // Returns once changes have come and paused for a moment, so that a group of them is one.
    [[nodiscard]] Woken wait(std::chrono::milliseconds timeout);
    void stop();

private:
    FileHandle inotify_;
    FileHandle stop_;
};

}  // namespace promotiond::platform
