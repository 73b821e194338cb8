// A repository in memory behind the Mirror class: the flow's other half, without git and network.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "gitops_memory_forge.hpp"

namespace fake {

struct Commit {
    std::string parent;
    std::map<std::string, std::string> tree;
    std::string message;
    std::chrono::sys_seconds when = {};
};

// What every Mirror of this program looks at.
struct Remote {
    std::map<std::string, std::string> branches;
    std::map<std::string, Commit> commits;
    std::map<std::string, std::string> fetched = {};  // by another call, a moment ago
    int fetches = 0;
    int pushes = 0;
    std::function<void()> before_push = {};
    std::optional<Error> push_error = {};

    std::string add(const std::string& parent, std::map<std::string, std::string> tree,
                    const std::string& message);
    // A new commit on the branch with this file in it.
    void write(const std::string& branch, const std::string& path, const std::string& content);
    [[nodiscard]] std::string read(const std::string& branch, const std::string& path) const;
};
extern Remote remote;

}  // namespace fake
