#include "git_packs.hpp"

#include <git2/odb_backend.h>
#include <git2/sys/odb_backend.h>

#include <algorithm>
#include <vector>

namespace promotiond::sdk::inline v1::gitops {
namespace {

namespace fs = std::filesystem;
using PackBuilderPtr = GitPtr<git_packbuilder, git_packbuilder_free>;

// A pack is two files of one stem: objects in .pack, where they are in .idx.
struct Pack {
    fs::path stem;
    std::uintmax_t bytes = 0;

    [[nodiscard]] fs::path objects() const { return stem.native() + ".pack"; }
    [[nodiscard]] fs::path index() const { return stem.native() + ".idx"; }
};

std::vector<Pack> packs_in(const fs::path& directory) {
    std::vector<Pack> packs;
    std::error_code failure;
    for (fs::directory_iterator at(directory, failure), end; !failure && at != end;
         at.increment(failure)) {
        if (at->path().extension() != ".idx") continue;
        Pack pack{at->path().parent_path() / at->path().stem(), 0};
        std::error_code missing;
        pack.bytes = fs::file_size(pack.objects(), missing);
        if (!missing) packs.push_back(std::move(pack));
    }
    return packs;
}

// The pack goes first out of sight, then away: without an index nobody looks at it.
void remove(const Pack& pack) {
    std::error_code ignored;
    fs::remove(pack.index(), ignored);
    fs::remove(pack.objects(), ignored);
}

Error failed(const Waiting& waiting) {
    if (auto stop = waiting.over()) return context(*stop, "gathering packs");
    return {ErrorKind::Transient, "cannot gather packs: " + git_reason()};
}

int go_on(const Waiting& waiting) { return waiting.over() ? GIT_EUSER : 0; }

int on_index(const git_indexer_progress*, void* waiting) {
    return go_on(*static_cast<const Waiting*>(waiting));
}

int on_pack(int, std::uint32_t, std::uint32_t, void* waiting) {
    return go_on(*static_cast<const Waiting*>(waiting));
}

int insert(const git_oid* id, void* builder) {
    return git_packbuilder_insert(static_cast<git_packbuilder*>(builder), id, nullptr);
}

bool insert_all(git_packbuilder* builder, const std::vector<Pack>& packs) {
    OdbPtr objects;
    if (git_call(objects, git_odb_new) != 0) return false;
    for (const auto& pack : packs) {
        git_odb_backend* backend = nullptr;
        if (git_odb_backend_one_pack(&backend, pack.index().c_str()) != 0) return false;
        if (git_odb_add_backend(objects.get(), backend, 1) != 0) {
            backend->free(backend);
            return false;
        }
    }
    return git_odb_foreach(objects.get(), insert, builder) == 0;
}

}  // namespace

Result<void> gather_packs(git_repository* repository, const fs::path& directory,
                          const Waiting& waiting) {
    auto packs = packs_in(directory);
    if (packs.size() <= kMostPacks) return {};
    std::iter_swap(packs.rbegin(),
                   std::max_element(packs.begin(), packs.end(), [](const auto& a, const auto& b) {
                       return a.bytes < b.bytes;
                   }));
    packs.pop_back();
    PackBuilderPtr builder;
    if (git_call(builder, git_packbuilder_new, repository) != 0) return failed(waiting);
    (void)git_packbuilder_set_threads(builder.get(), 1);
    void* const payload = const_cast<Waiting*>(&waiting);
    if (git_packbuilder_set_callbacks(builder.get(), on_pack, payload) != 0 ||
        !insert_all(builder.get(), packs) ||
        git_packbuilder_write(builder.get(), directory.c_str(), 0, on_index, payload) != 0)
        return failed(waiting);
    const std::string made = std::string("pack-") + git_packbuilder_name(builder.get());
    for (const auto& pack : packs)
        if (pack.stem.filename() != made) remove(pack);
    return {};
}

void remove_half_packs(const fs::path& directory) {
    std::vector<fs::path> halves;
    std::error_code failure;
    for (fs::directory_iterator at(directory, failure), end; !failure && at != end;
         at.increment(failure)) {
        const fs::path& file = at->path();
        const bool objects = file.extension() == ".pack";
        if (!objects && file.extension() != ".idx") continue;
        const Pack pack{file.parent_path() / file.stem(), 0};
        std::error_code unknown;
        if (!fs::exists(objects ? pack.index() : pack.objects(), unknown) && !unknown)
            halves.push_back(file);
    }
    for (const auto& half : halves) fs::remove(half, failure);
}

}  // namespace promotiond::sdk::inline v1::gitops
