#include "ctl/gitops/proposal.hpp"

#include <algorithm>
#include <ctime>
#include <ostream>

#include "ctl/gitops/patience.hpp"
#include "ctl/table.hpp"

namespace promotiond::ctl::gitops {
namespace {

using sdk::gitops::PullRequest;

sdk::gitops::CommitText commit_text(const Proposal& proposal, const sdk::Call& call) {
    return {.message = proposal.text.title,
            .author_name = "gitops-promotion",
            .author_email = "gitops-promotion@xenit.se",
            .when = std::chrono::floor<std::chrono::seconds>(call.now())};
}

// True if the branch is this change already: a second run leaves it, and its checks, alone.
Result<bool> holds_already(const Repository& repository, const ObjectId& there,
                           const ObjectId& made, const std::string& branch) {
    auto& mirror = *repository.mirror;
    const auto fetched = mirror.fetch(branch);
    if (!fetched) return Error(fetched.error());
    const auto old_base = mirror.parent(there);
    const auto new_base = mirror.parent(made);
    if (!old_base) return Error(old_base.error());
    if (!new_base) return Error(new_base.error());
    if (*fetched != there || *old_base != *new_base) return false;
    return mirror.same_tree(there, made);
}

// What is pushed to an open request that merges by itself would be merged with it.
Result<void> keep_from_merging(const Repository& repository, const Proposal& proposal) {
    if (proposal.merges_itself) return {};
    const auto found = repository.forge->find_open(proposal.branch, repository.base);
    if (!found) return Error(found.error());
    return *found ? repository.forge->stop_auto_merge(**found) : Result<void>();
}

// The branch's head with the change, pushed if it is not there yet. Conflict: look again.
Result<std::optional<ObjectId>> push(const Repository& repository, const Proposal& proposal,
                                     const Progress& progress) {
    auto& mirror = *repository.mirror;
    const auto base = mirror.fetch(repository.base);
    if (!base) return Error(base.error());
    const auto changes = proposal.changes(*base);
    if (!changes) return Error(changes.error());
    if (changes->empty()) return std::optional<ObjectId>();
    const auto made = mirror.commit(*base, *changes, commit_text(proposal, repository.call));
    if (!made) return Error(made.error());
    const auto there = mirror.remote_head(proposal.branch);
    if (!there) return Error(there.error());
    if (*there) {
        const auto same = holds_already(repository, **there, *made, proposal.branch);
        if (!same) return Error(same.error());
        if (*same) return std::optional(**there);
        if (auto safe = keep_from_merging(repository, proposal); !safe)
            return std::move(safe).error();
    }
    progress.say("Created commit " + *made + " on refs/heads/" + proposal.branch +
                 " with message '" + proposal.text.title + "'");
    if (auto done = mirror.push(*made, proposal.branch, *there); !done)
        return context(std::move(done).error(), "could not push branch " + proposal.branch);
    progress.say("Pushed branch +refs/heads/" + proposal.branch + " to remote");
    return std::optional(*made);
}

Result<PullRequest> open(const Repository& repository, const Proposal& proposal,
                         const Progress& progress) {
    auto& forge = *repository.forge;
    auto found = forge.find_open(proposal.branch, repository.base);
    if (!found) return std::move(found).error();
    if (*found && (*found)->base_branch == repository.base) {
        const bool same =
            (*found)->title == proposal.text.title && (*found)->body == proposal.text.body;
        auto updated = same ? Result<PullRequest>(**found) : forge.update(**found, proposal.text);
        if (updated) progress.say("Updated PR #" + std::to_string(updated->number));
        return updated;
    }
    auto created = forge.create(proposal.branch, repository.base, proposal.text, false);
    if (created)
        progress.say("Created new PR #" + std::to_string(created->number) + " merging " +
                     proposal.branch + " -> " + repository.base);
    return created;
}

Result<void> set_auto_merge(const Repository& repository, const Proposal& proposal,
                            const PullRequest& request, const Progress& progress) {
    sdk::gitops::PullRequestOptions options;
    options.auto_merge = proposal.merges_itself;
    options.needs_rules = true;
    options.merge_method.clear();
    const auto warnings = repository.forge->apply(request, options);
    const std::string number = std::to_string(request.number);
    std::string why = warnings ? "" : warnings.error().message;
    for (std::size_t i = 0; warnings && i < warnings->size(); ++i)
        why += (why.empty() ? "" : "; ") + (*warnings)[i];
    if (why.empty()) {
        if (proposal.merges_itself) progress.say("Auto-merge activated for PR #" + number);
        return {};
    }
    // An error may pass; warnings do not.
    Error error = warnings ? Error{ErrorKind::Invalid, ""} : Error(warnings.error());
    error.message = proposal.merges_itself
                        ? "could not set auto-merge on PR #" + number +
                              " (check auto-merge setting and required checks): " + why
                        : "could not switch auto-merge off on PR #" + number + ": " + why;
    return error;
}

}  // namespace

void Progress::say(const std::string& line) const {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    char time[32] = {};
    if (::gmtime_r(&now, &parts) != nullptr)
        (void)std::strftime(time, sizeof time, "%Y/%m/%d %H:%M:%S ", &parts);
    err_ << time << shown(line) << '\n';
}

Result<std::optional<std::string>> propose(const Repository& repository, const Proposal& proposal,
                                           const Progress& progress) {
    if (auto good = sdk::gitops::check_branch_name(proposal.branch); !good)
        return context(std::move(good).error(), proposal.branch.substr(0, 80));
    Patience patience(repository.call, progress);
    while (true) {
        const auto pushed = push(repository, proposal, progress);
        if (pushed && !*pushed) return std::optional<std::string>();
        // The branch was moved or deleted meanwhile, or the forge has not seen the push yet.
        auto request =
            pushed ? open(repository, proposal, progress) : Result<PullRequest>(pushed.error());
        if (request) request->head_sha = **pushed;
        auto set = request ? set_auto_merge(repository, proposal, *request, progress)
                           : Result<void>(request.error());
        if (set)
            return std::optional("created branch " + proposal.branch + " with pull request " +
                                 std::to_string(request->number) + " on commit " + **pushed);
        if (patience.wait_after(set.error())) continue;
        return pushed ? context(std::move(set).error(), "could not create a PR")
                      : std::move(set).error();
    }
}

}  // namespace promotiond::ctl::gitops
