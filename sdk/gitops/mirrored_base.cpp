#include "manifest_marker.hpp"
#include "promotiond/gitops/manifest.hpp"
#include "promotiond/gitops/merge_gate.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::size_t kLargestSearched = 16u << 20;  // bytes
const std::vector<std::string> kSuffixes{".yaml", ".yml"};

}  // namespace

Result<Mirror*> MirroredBase::mirror() {
    if (mirror_ == nullptr) {
        auto opened = open_();
        if (!opened) return std::move(opened).error();
        mirror_ = &opened_.emplace(*std::move(opened));
    }
    return mirror_;
}

Result<std::optional<ObjectId>> MirroredBase::head(const std::string& branch) {
    const auto mirror = this->mirror();
    if (!mirror) return Error(mirror.error());
    return (*mirror)->remote_head(branch);
}

Result<bool> MirroredBase::carries(const std::string& branch, const ObjectId& commit) {
    if (!config_.image || config_.image->from.empty()) return true;
    const auto mirror = this->mirror();
    if (!mirror) return Error(mirror.error());
    if (const auto head = (*mirror)->fetch(branch); !head) return Error(head.error());
    const auto files = (*mirror)->files_below(commit, config_.image->from, kSuffixes);
    if (!files && files.error().kind == ErrorKind::NotFound) return false;
    if (!files) return Error(files.error());
    const ImageRelease release{config_.image->group, config_.image->app,
                               std::string(promotion_.revision)};
    bool there = false;
    for (const TreeFile& file : *files) {
        const auto content = (*mirror)->read(file.blob, kLargestSearched);
        if (!content) return Error(content.error());
        if (!may_hold_markers(file.path, *content, kImageMarkerKey)) continue;
        const auto edited = set_image_values(*content, release);
        if (!edited) return Error(edited.error());
        if (edited->changed) return false;
        there = there || !edited->edits.empty();
    }
    return there;
}

}  // namespace promotiond::sdk::inline v1::gitops
