// feature and feature-stale: features shown in the first environment, and gone again.
#include <promotiond/gitops/feature.hpp>

#include <algorithm>
#include <map>

#include "ctl/gitops/commands.hpp"

namespace promotiond::ctl::gitops {
namespace {

using sdk::gitops::FeatureWish;
using sdk::gitops::FileChange;
using sdk::gitops::PromotionState;
using sdk::gitops::ReadText;

constexpr std::size_t kLargestFile = 1u << 20;
constexpr std::string_view kKustomization = "/kustomization.yaml";

// The files of one directory of a commit, by path.
struct Files {
    const Work& work;
    std::map<std::string, ObjectId> blobs;

    static Result<Files> below(const Work& work, const ObjectId& base,
                               const std::string& directory) {
        Files files{work, {}};
        auto found = work.repository.mirror->files_below(base, directory, {""});
        if (!found) return context(std::move(found).error(), "branch " + work.repository.base);
        for (auto& file : *found) files.blobs.emplace(std::move(file.path), std::move(file.blob));
        return files;
    }

    Result<std::optional<std::string>> read(const std::string& path) const {
        const auto found = blobs.find(path);
        if (found == blobs.end()) return std::optional<std::string>();
        auto text = work.repository.mirror->read(found->second, kLargestFile);
        if (!text) return context(std::move(text).error(), path);
        return std::optional(*std::move(text));
    }
};

Result<std::vector<FileChange>> copies(const Work& work, const ObjectId& base,
                                       const FeatureWish& wish) {
    // Environments may take resources from beside their own directory.
    const auto files = Files::below(work, base, wish.release.group);
    if (!files) return Error(files.error());
    const ReadText read = [&](const std::string& path) { return files->read(path); };
    const std::string directory = feature_directory(wish) + "/";
    std::vector<std::string> there;
    for (const auto& [path, blob] : files->blobs)
        if (path.starts_with(directory)) there.push_back(path);
    auto changes = copy_feature(wish, read, there);
    if (!changes) return changes;
    // What is as it was is no change.
    std::erase_if(*changes, [&](const FileChange& change) {
        const auto now = change.removed ? Result<std::optional<std::string>>(std::nullopt)
                                        : files->read(change.path);
        return now && *now && **now == change.content;
    });
    return changes;
}

Result<std::string> propose_copy(const Work& work, const PromotionState& state,
                                 const std::map<std::string, std::string>& labels) {
    const auto& environment = work.rules.environments.front();
    FeatureWish wish{{state.group, state.app, state.tag}, environment.name, state.feature, labels};
    Proposal proposal;
    proposal.branch = branch_of(state, sdk::gitops::BranchPer::App);
    proposal.text = {title_of(state), description_of(state)};
    proposal.merges_itself = environment.merges_itself;
    proposal.changes = [&](const ObjectId& base) {
        work.progress.say("Copying " + state.group + "/" + state.app + " to " +
                          feature_directory(wish) + " with tag " + state.tag);
        auto changes = copies(work, base, wish);
        return changes ? std::move(changes)
                       : Result<std::vector<FileChange>>(
                             context(std::move(changes).error(), "failed updating manifests"));
    };
    auto done = propose(work.repository, proposal, work.progress);
    if (!done) return std::move(done).error();
    if (*done) return **done;
    return "nothing to change: feature " + state.feature + " of " + state.group + "/" + state.app +
           " has tag " + state.tag + " in environment " + state.env + " already";
}

// The directories of an application's features in a listing, by name without the path.
std::vector<std::string> features_in(const Files& files, const std::string& environment,
                                     const std::string& app) {
    std::vector<std::string> found;
    const std::string begin = environment + "/" + app + "-";
    for (const auto& [path, blob] : files.blobs) {
        if (!path.starts_with(begin) || !path.ends_with(kKustomization)) continue;
        const auto directory = path.substr(0, path.size() - kKustomization.size());
        const auto name = directory.substr(environment.size() + 1);
        if (name.find('/') != std::string::npos) continue;
        // Another application's directory may begin with the same letters.
        const auto text = files.read(path);
        if (text && *text && sdk::gitops::is_feature(**text)) found.push_back(name);
    }
    return found;
}

class Stale {
public:
    Stale(const Work& work, const ObjectId& base) : work_(work), base_(base) {}

    Result<std::vector<FileChange>> changes() {
        const std::string& first = work_.rules.environments.front().name;
        for (const auto& [group, applications] : work_.rules.groups) {
            const std::string environment = group + "/" + first;
            const auto files = Files::below(work_, base_, environment);
            if (!files) {
                work_.progress.say(files.error().message);
                continue;
            }
            std::vector<std::string> gone;
            for (const auto& [app, rules] : applications)
                if (auto added = add(*files, environment, app, gone); !added)
                    return std::move(added).error();
            if (auto shorter = shorten_list(*files, environment, gone); !shorter)
                return std::move(shorter).error();
        }
        return std::move(changes_);
    }

private:
    Result<void> add(const Files& files, const std::string& environment, const std::string& app,
                     std::vector<std::string>& gone) {
        for (const auto& name : features_in(files, environment, app)) {
            if (std::find(gone.begin(), gone.end(), name) != gone.end()) continue;
            const std::string directory = environment + "/" + name;
            const auto changed = work_.repository.mirror->last_change(base_, directory);
            if (!changed) return Error(changed.error());
            if (work_.repository.call.now() - *changed <= work_.options.max_age) continue;
            work_.progress.say("Removing stale feature " + directory);
            changes_.push_back({directory, "", true});
            gone.push_back(name);
        }
        return {};
    }

    Result<void> shorten_list(const Files& files, const std::string& environment,
                              const std::vector<std::string>& gone) {
        for (const auto file : sdk::gitops::kKustomizationFiles) {
            const std::string path = environment + "/" + std::string(file);
            const auto text = files.read(path);
            if (!text) return Error(text.error());
            if (!*text) continue;
            std::string shorter = **text;
            for (const auto& name : gone) {
                auto next = sdk::gitops::without_resource(shorter, name);
                if (!next) return context(std::move(next).error(), path);
                shorter = *std::move(next);
            }
            if (shorter != **text) changes_.push_back({path, std::move(shorter)});
            break;
        }
        return {};
    }

    const Work& work_;
    const ObjectId& base_;
    std::vector<FileChange> changes_;
};

}  // namespace

Result<std::string> feature(const Work& work) {
    if (auto given = check_names(work.options); !given) return std::move(given).error();
    PromotionState state;
    state.group = work.options.group;
    state.app = work.options.app;
    state.tag = work.options.tag;
    state.env = work.rules.environments.front().name;
    state.type = PromotionState::Type::Feature;
    if (auto good = sdk::gitops::check_tree_name("group", state.group); !good)
        return std::move(good).error();
    if (auto good = sdk::gitops::check_tree_name("application", state.app); !good)
        return std::move(good).error();
    auto name = sdk::gitops::feature_name(work.options.feature);
    if (!name) return std::move(name).error();
    state.feature = *std::move(name);
    const auto rules = work.rules.application(state.group, state.app);
    if (!rules) return Error(rules.error());
    if ((*rules)->feature_overwrite) return propose_images(work, state);
    return propose_copy(work, state, (*rules)->feature_labels);
}

Result<std::string> remove_stale_features(const Work& work) {
    Proposal proposal;
    proposal.branch = "remove/stale-feature";
    proposal.text = {"Remove stale review features", ""};
    proposal.changes = [&](const ObjectId& base) { return Stale(work, base).changes(); };
    auto done = propose(work.repository, proposal, work.progress);
    if (!done) return std::move(done).error();
    return *done ? **done : std::string("No stale application to remove, exiting early.");
}

}  // namespace promotiond::ctl::gitops
