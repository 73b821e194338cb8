// Which blobs hold a text, remembered by object id, so that a tree of thousands of files is
// searched once and afterwards only where it changed. A subtree without a hit is remembered as a
// whole.
//
// File: records of 32 bytes, native byte order (a cache of this machine): kind, 3 zero bytes, size
// (32 bits), object id (20 bytes), checksum (32 bits). The first record names the format. Appended
// to under the cache's lock; a file with any wrong record is dropped and made anew.
#ifndef PROMOTIOND_GITOPS_GIT_HOLDING_HPP
#define PROMOTIOND_GITOPS_GIT_HOLDING_HPP

#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "git_library.hpp"

namespace promotiond::sdk::inline v1::gitops {

enum class Holding : unsigned char {
    BlobWithout = 'b',
    BlobWith = 'B',
    BlobTooLarge = 'L',
    TreeWithout = 't',
};

struct HoldingAnswer {
    Holding kind = Holding::BlobWithout;
    std::uint32_t size = 0;  // bytes of the blob; capped at 4 GiB
};

class HoldingMemo {
public:
    // question: all that the answers depend on besides the objects.
    [[nodiscard]] static HoldingMemo load(const std::filesystem::path& directory,
                                          const std::string& question);

    [[nodiscard]] std::optional<HoldingAnswer> find(const git_oid& id) const;
    void add(const git_oid& id, HoldingAnswer answer);
    [[nodiscard]] bool changed() const { return !added_.empty(); }
    // Writes what was added since; the cache's lock must be held. A cache may fail to remember.
    void save();

private:
    struct Hash {
        std::size_t operator()(const git_oid& id) const {
            std::size_t hash = 0;
            std::memcpy(&hash, id.id, sizeof hash);
            return hash;
        }
    };
    struct Equal {
        bool operator()(const git_oid& a, const git_oid& b) const { return git_oid_equal(&a, &b); }
    };

    std::filesystem::path path_;
    std::unordered_map<git_oid, HoldingAnswer, Hash, Equal> answers_;
    std::vector<git_oid> added_;
    bool anew_ = true;  // there is no sound file to append to
};

}  // namespace promotiond::sdk::inline v1::gitops

#endif
