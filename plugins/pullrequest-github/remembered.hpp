// Remembered: GitHub's answers to reads that come again with each look, so that it can say "not
// modified", which counts against no limit (docs.github.com, "Best practices for using the REST
// API", conditional requests, 2026-11).
//
// An entity tag is of the answer that this very request would get, so answers of one address may be
// shared by all credentials: whom it concerns, GitHub has decided before it compares.
//
// Bounded; what was not asked for longest goes first. In memory only: after a restart each is read
// once. Any thread.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace promotiond::github {

class Remembered {
public:
    static constexpr std::size_t kMost = 512;
    static constexpr std::size_t kMostBytes = 2u << 20;  // of all bodies

    struct Answer {
        std::string etag;
        std::string body;  // or what it has led to, where only news matters
    };
    [[nodiscard]] std::optional<Answer> find(const std::string& url);
    // One that is larger than all may be is not kept, nor is what was kept before it.
    void keep(const std::string& url, Answer answer);

private:
    struct Entry {
        std::string url;
        Answer answer;
    };
    using Entries = std::list<Entry>;  // the one asked for last comes first
    void drop(Entries::iterator entry);

    std::mutex mutex_;
    Entries entries_;
    std::unordered_map<std::string, Entries::iterator> by_url_;
    std::size_t bytes_ = 0;
};

}  // namespace promotiond::github
