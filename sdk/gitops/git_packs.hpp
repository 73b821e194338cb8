// Keeping a mirror's packs few. Each fetch that brings something leaves a pack, git's own upkeep
// does not run here and libgit2 has none, and every look-up asks one pack after the other.
#ifndef PROMOTIOND_GITOPS_GIT_PACKS_HPP
#define PROMOTIOND_GITOPS_GIT_PACKS_HPP

#include <filesystem>

#include "git_library.hpp"
#include "git_waiting.hpp"

namespace promotiond::sdk::inline v1::gitops {

inline constexpr std::size_t kMostPacks = 32;

// With more than kMostPacks packs in the repository: writes all objects of all but the largest into
// one, and only then removes those it came from. The largest is left alone, so that the work
// follows what was fetched and not what the repository holds. Ending at any point loses nothing.
// The cache's lock must be held; readers are not disturbed, since libgit2 looks for new packs when
// an object is in none that it knows. Cancelled, Transient: nothing was removed.
[[nodiscard]] Result<void> gather_packs(git_repository* repository,
                                        const std::filesystem::path& directory,
                                        const Waiting& waiting);

// Removes the halves of packs that a crash can leave behind. The cache's lock must be held.
void remove_half_packs(const std::filesystem::path& directory);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
