// new and promote: an image's way from one environment to the next.
#include <promotiond/gitops/manifest.hpp>

#include "ctl/gitops/commands.hpp"
#include "ctl/gitops/patience.hpp"

namespace promotiond::ctl::gitops {
namespace {

using sdk::gitops::FileChange;
using sdk::gitops::ImageRelease;
using sdk::gitops::PromotionState;
using sdk::gitops::PullRequest;

constexpr std::size_t kLargestFile = 1u << 20;

struct ImageChanges {
    std::vector<FileChange> files;
    bool marked = false;       // also where the tag is there already
    std::size_t tags = 0;      // marked values that hold a tag
    std::size_t tags_set = 0;  // of these, with the tag already
};

Result<ImageChanges> image_changes(const Work& work, const ObjectId& base,
                                   const std::string& directory, const ImageRelease& release) {
    auto& mirror = *work.repository.mirror;
    auto files = mirror.files_below(base, directory, {".yaml", ".yml"});
    if (!files)
        return Error{files.error().kind, files.error().message + " on branch " +
                                             work.repository.base +
                                             "; each group has a directory for each environment"};
    ImageChanges changes;
    for (const auto& file : *files) {
        const auto text = mirror.read(file.blob, std::max(file.size, kLargestFile));
        if (!text) return context(Error(text.error()), file.path);
        if (!sdk::gitops::may_hold_markers(file.path, *text, "$imagepolicy")) continue;
        auto edited = sdk::gitops::set_image_values(*text, release);
        if (!edited) return context(std::move(edited).error(), file.path);
        changes.marked = changes.marked || !edited->edits.empty();
        for (const auto& edit : edited->edits) {
            if (edit.after != release.tag && !edit.after.ends_with(':' + release.tag)) continue;
            ++changes.tags;
            if (edit.before == edit.after) ++changes.tags_set;
        }
        if (edited->changed) changes.files.push_back({file.path, std::move(edited->text)});
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
    Patience patience(work.repository.call, work.progress);
    while (true) {
        auto found = work.repository.commits.merged_as(work.repository.checkout.head);
        if (found && *found) return found;
        if (found ? !patience.wait() : !patience.wait_after(found.error())) return found;
    }
}

// An open request for another tag would undo what is asked for now, the sooner if it merges by
// itself. What was closed, as a clause.
Result<std::string> close_older(const Work& work, const Proposal& proposal,
                                const PromotionState& state) {
    auto& forge = *work.repository.forge;
    const auto found = forge.find_open(proposal.branch, work.repository.base);
    if (!found) return Error(found.error());
    if (!*found || (*found)->base_branch != work.repository.base) return std::string();
    const auto read = sdk::gitops::state_in((*found)->body);
    if (!read || !*read) return std::string();
    const PromotionState& older = **read;
    const bool same = older.group == state.group && older.app == state.app &&
                      older.env == state.env && older.type == state.type;
    if (!same || older.tag == state.tag) return std::string();
    if (auto closed = forge.close(**found); !closed) return std::move(closed).error();
    return "; closed pull request " + std::to_string((*found)->number) + ", which would set tag " +
           older.tag;
}

// Runs may overtake each other, and an old one may be run again: then the environment that it
// promotes from has another tag by now, which goes on by itself.
bool is_overtaken(const Work& work, const PromotionState& state) {
    const auto base = work.repository.mirror->fetch(work.repository.base);
    if (!base) return false;  // the proposal will say why
    const auto now = image_changes(work, *base, state.group + "/" + state.env,
                                   {state.group, state.app, state.tag});
    return now && now->tags > 0 && now->tags_set == 0;
}

// What came of one environment.
struct Step {
    enum class Kind { Proposed, HasIt, NotMarked };
    Kind kind = Kind::Proposed;
    std::string message;
};

Result<Step> step_into(const Work& work, const PromotionState& state) {
    if (auto good = check(state); !good) return std::move(good).error();
    const auto environment = work.rules.environment(state.env);
    if (!environment) return Error(environment.error());
    const std::string directory = state.group + "/" + state.env;
    bool marked = false;
    Proposal proposal;
    proposal.branch = branch_of(state, work.rules.branch_per);
    proposal.text = {title_of(state), description_of(state)};
    proposal.merges_itself = (*environment)->merges_itself;
    proposal.changes = [&](const ObjectId& base) -> Result<std::vector<FileChange>> {
        work.progress.say("Updating images with " + state.group + ":" + state.app + ":" +
                          state.tag + " in " + directory);
        auto changes = image_changes(work, base, directory, {state.group, state.app, state.tag});
        if (!changes) return context(std::move(changes).error(), "failed updating manifests");
        marked = changes->marked;
        return std::move(changes->files);
    };
    auto done = propose(work.repository, proposal, work.progress);
    if (!done) return std::move(done).error();
    if (*done) return Step{Step::Kind::Proposed, **done};
    const std::string marker =
        "{\"$imagepolicy\": \"" + state.group + ":" + state.app + "\"} in " + directory;
    if (!marked)
        return Step{Step::Kind::NotMarked, "nothing to change: no line is marked " + marker};
    const auto closed = close_older(work, proposal, state);
    if (!closed) return Error(closed.error());
    return Step{Step::Kind::HasIt, "nothing to change: what is marked " + marker + " has tag " +
                                       state.tag + " already" + *closed};
}

}  // namespace

Result<std::string> propose_images(const Work& work, const PromotionState& state) {
    auto step = step_into(work, state);
    if (!step) return std::move(step).error();
    return std::move(step->message);
}

Result<std::string> start(const Work& work) {
    if (auto given = check_names(work.options); !given) return std::move(given).error();
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
    if (auto good = check(state); !good) return std::move(good).error();
    if (is_overtaken(work, state))
        return "skipping promotion as " + state.group + "/" + state.env + " has another tag than " +
               state.tag + " by now";
    state.sha = work.repository.checkout.head;
    state.feature.clear();
    std::string told = "no next environment to promote to";
    // An environment that has the tag already is passed over, or the way would end there: the
    // request into the one after it waits for its status all the same.
    for (auto next = work.rules.next(state.env); next; next = work.rules.next(state.env)) {
        state.env = (*next)->name;
        auto step = step_into(work, state);
        if (!step) return std::move(step).error();
        told = std::move(step->message);
        if (step->kind != Step::Kind::HasIt) break;
        work.progress.say(told);
    }
    return told;
}

}  // namespace promotiond::ctl::gitops
