// new and promote: an image's way from one environment to the next.
#include <promotiond/gitops/manifest.hpp>

#include "ctl/gitops/commands.hpp"

namespace promotiond::ctl::gitops {
namespace {

using sdk::gitops::FileChange;
using sdk::gitops::ImageRelease;
using sdk::gitops::PromotionState;
using sdk::gitops::PullRequest;

constexpr std::size_t kLargestFile = 1u << 20;
constexpr int kTries = 5;
constexpr std::chrono::milliseconds kFirstNap{100};

Result<std::vector<FileChange>> image_changes(const Work& work, const ObjectId& base,
                                              const std::string& directory,
                                              const ImageRelease& release) {
    auto& mirror = *work.repository.mirror;
    auto files = mirror.files_below(base, directory, {".yaml", ".yml"});
    if (!files)
        return Error{files.error().kind, files.error().message + " on branch " +
                                             work.repository.base +
                                             "; each group has a directory for each environment"};
    std::vector<FileChange> changes;
    for (const auto& file : *files) {
        const auto text = mirror.read(file.blob, std::max(file.size, kLargestFile));
        if (!text) return context(Error(text.error()), file.path);
        if (!sdk::gitops::may_hold_markers(file.path, *text, "$imagepolicy")) continue;
        auto edited = sdk::gitops::set_image_values(*text, release);
        if (!edited) return context(std::move(edited).error(), file.path);
        if (edited->changed) changes.push_back({file.path, std::move(edited->text)});
    }
    return changes;
}

Result<void> check(const PromotionState& state) {
    if (auto good = sdk::gitops::check_tree_name("group", state.group); !good) return good;
    if (auto good = sdk::gitops::check_tree_name("application", state.app); !good) return good;
    if (auto good = sdk::gitops::check_image({state.group, state.app, state.tag}); !good)
        return context(std::move(good).error(), "failed updating manifests");
    return {};
}

// The forge takes a moment to know what a merge made.
Result<std::optional<PullRequest>> made_by(const Work& work) {
    auto pause = kFirstNap;
    for (int attempt = 1;; ++attempt) {
        auto found = work.repository.commits.merged_as(work.repository.checkout.head);
        if (!found || *found || attempt == kTries) return found;
        nap(work.repository.call, pause);
        pause *= 2;
    }
}

}  // namespace

Result<std::string> propose_images(const Work& work, const PromotionState& state) {
    if (auto good = check(state); !good) return std::move(good).error();
    const auto environment = work.rules.environment(state.env);
    if (!environment) return Error(environment.error());
    const std::string directory = state.group + "/" + state.env;
    Proposal proposal;
    proposal.branch = branch_of(state, work.rules.branch_per);
    proposal.text = {title_of(state), description_of(state)};
    proposal.merges_itself = (*environment)->merges_itself;
    proposal.changes = [&](const ObjectId& base) -> Result<std::vector<FileChange>> {
        work.progress.say("Updating images with " + state.group + ":" + state.app + ":" +
                          state.tag + " in " + directory);
        auto changes = image_changes(work, base, directory, {state.group, state.app, state.tag});
        if (!changes) return context(std::move(changes).error(), "failed updating manifests");
        return changes;
    };
    auto done = propose(work.repository, proposal, work.progress);
    if (!done) return std::move(done).error();
    if (*done) return **done;
    return "nothing to change: what is marked {\"$imagepolicy\": \"" + state.group + ":" +
           state.app + "\"} in " + directory + " has tag " + state.tag +
           " already, or no line is marked so";
}

Result<std::string> start(const Work& work) {
    PromotionState state;
    state.group = work.options.group;
    state.app = work.options.app;
    state.tag = work.options.tag;
    state.env = work.rules.environments.front().name;
    state.sha = work.repository.checkout.head;
    return propose_images(work, state);
}

Result<std::string> promote(const Work& work) {
    const auto request = made_by(work);
    if (!request || !*request) {
        if (!request) work.progress.say(request.error().message);
        return std::string("skipping promotion as commit does not originate from PR");
    }
    const auto previous = sdk::gitops::state_in((*request)->body);
    if (!previous) {
        work.progress.say("pull request #" + std::to_string((*request)->number) + ": " +
                          previous.error().message);
        return std::string("skipping promotion as commit does not originate from PR");
    }
    if (!*previous)
        return std::string("skipping promotion as PR is not created by gitops-promotion");
    PromotionState state = **previous;
    if (state.type == PromotionState::Type::Feature)
        return std::string("skipping promotion of feature");
    if (const auto here = work.rules.environment(state.env); !here) return Error(here.error());
    const auto next = work.rules.next(state.env);
    if (!next) return std::string("no next environment to promote to");
    state.env = (*next)->name;
    state.sha = work.repository.checkout.head;
    state.feature.clear();
    return propose_images(work, state);
}

}  // namespace promotiond::ctl::gitops
