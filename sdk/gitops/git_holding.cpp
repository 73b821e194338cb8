#include "git_holding.hpp"

#include <array>
#include <cstring>
#include <fstream>
#include <limits>

namespace promotiond::sdk::inline v1::gitops {
namespace {

// Answers for objects long gone pile up; past this (6 MiB) the file begins anew.
constexpr std::size_t kMaxRecords = 200'000;

struct Record {
    unsigned char kind = 0;
    std::array<unsigned char, 3> zero{};
    std::uint32_t size = 0;
    std::array<unsigned char, GIT_OID_RAWSZ> id{};
    std::uint32_t checksum = 0;
};
static_assert(sizeof(Record) == 32);

// FNV-1a: against torn and overwritten records, not against malice (the directory is ours alone).
std::uint32_t checksum_of(const Record& record) {
    std::array<unsigned char, sizeof(Record)> bytes{};
    std::memcpy(bytes.data(), &record, sizeof record);
    std::uint32_t hash = 2166136261U;
    for (std::size_t i = 0; i < offsetof(Record, checksum); ++i)
        hash = (hash ^ bytes[i]) * 16777619U;
    return hash;
}

Record make_record(unsigned char kind, std::uint32_t size, const unsigned char* id) {
    Record record;
    record.kind = kind;
    record.size = size;
    if (id != nullptr) std::memcpy(record.id.data(), id, record.id.size());
    record.checksum = checksum_of(record);
    return record;
}

Record first_record() { return make_record('1', 0, nullptr); }

bool same(const Record& a, const Record& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

bool known_kind(unsigned char kind) { return std::strchr("bBLt", kind) != nullptr && kind != 0; }

void write(std::ofstream& file, const Record& record) {
    file.write(reinterpret_cast<const char*>(&record), sizeof record);
}

}  // namespace

HoldingMemo HoldingMemo::load(const std::filesystem::path& directory, const std::string& question) {
    HoldingMemo memo;
    git_oid key{};
    (void)git_odb_hash(&key, question.data(), question.size(), GIT_OBJECT_BLOB);
    memo.path_ = directory / ("holding-" + to_text(key).substr(0, 16));
    std::ifstream file(memo.path_, std::ios::binary);
    Record record;
    const auto next = [&] {
        return static_cast<bool>(file.read(reinterpret_cast<char*>(&record), sizeof record));
    };
    if (!next() || !same(record, first_record())) return memo;
    while (next()) {
        git_oid id{};
        std::memcpy(id.id, record.id.data(), record.id.size());
        if (record.checksum != checksum_of(record) || !known_kind(record.kind)) {
            memo.answers_.clear();
            return memo;
        }
        memo.answers_.insert_or_assign(id, HoldingAnswer{Holding{record.kind}, record.size});
    }
    // A torn last record would put all later ones out of step.
    memo.anew_ = file.gcount() != 0 || memo.answers_.size() > kMaxRecords;
    if (memo.answers_.size() > kMaxRecords) memo.answers_.clear();
    return memo;
}

std::optional<HoldingAnswer> HoldingMemo::find(const git_oid& id) const {
    const auto found = answers_.find(id);
    if (found == answers_.end()) return std::nullopt;
    return found->second;
}

void HoldingMemo::add(const git_oid& id, HoldingAnswer answer) {
    if (answers_.insert_or_assign(id, answer).second) added_.push_back(id);
}

void HoldingMemo::save() {
    if (added_.empty()) return;
    std::error_code ignored;
    if (anew_) {
        std::filesystem::remove(path_, ignored);
        added_.clear();
        for (const auto& [id, answer] : answers_) added_.push_back(id);
    }
    std::ofstream file(path_, std::ios::binary | std::ios::app);
    if (anew_) write(file, first_record());
    for (const auto& id : added_) {
        const auto& answer = answers_.at(id);
        write(file, make_record(static_cast<unsigned char>(answer.kind), answer.size, id.id));
    }
    added_.clear();
    anew_ = !file.flush();
}

}  // namespace promotiond::sdk::inline v1::gitops
