// What the tests of daemon/journal share: a folder of their own, and batches in few words.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "journal/journal.hpp"

namespace promotiond::test {

using journal::Batch;
using journal::Journal;
using model::Phase;

struct Folder {
    Folder() {
        std::string name = "/tmp/journal-test-XXXXXX";
        path = ::mkdtemp(name.data());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    [[nodiscard]] std::filesystem::path file() const { return path / "journal.db"; }
    std::filesystem::path path;
};

inline std::unique_ptr<Journal> opened(const Folder& folder) {
    auto journal = Journal::open({folder.file()});
    if (!journal) FAIL(journal.error().message);
    return std::move(*journal);
}

inline model::Promotion promotion(const std::string& id, const std::string& revision = "1.0.0") {
    model::Promotion made;
    made.id = id;
    made.scope = {{"apps", "shop"}, "prod", ""};
    made.revision = revision;
    made.event = "{}";
    made.reason = "due";
    return made;
}

inline journal::Step first(const model::Promotion& made) {
    return {made, {made.id, std::nullopt, made.phase, made.created, made.reason, "test", 0}};
}

inline journal::Step step(model::Promotion made, Phase to) {
    const Phase from = made.phase;
    made.phase = to;
    return {made, {made.id, from, to, made.updated, "moved", "test", 1}};
}

inline Batch batch_of(std::vector<journal::Step> steps) {
    Batch batch;
    batch.steps = std::move(steps);
    return batch;
}

}  // namespace promotiond::test
