// status: whether the environment before runs well, for the check of a promotion's pull request.
#include <algorithm>

#include "ctl/gitops/commands.hpp"
#include "ctl/gitops/patience.hpp"

namespace promotiond::ctl::gitops {
namespace {

using sdk::gitops::PromotionState;
using sdk::gitops::PullRequest;
using sdk::gitops::Verdict;

constexpr std::chrono::seconds kBetweenLooks{5};

// "refs/heads/x" and "x"; empty for a tag or a pull request's own ref.
std::string short_name(const std::string& ref) {
    constexpr std::string_view kHeads = "refs/heads/";
    if (ref.starts_with(kHeads)) return ref.substr(kHeads.size());
    return ref.starts_with("refs/") ? std::string() : ref;
}

// What is checked out for a pull request is often no branch, or the one it is for: then the CI
// system tells, or the branches of origin do.
Result<std::string> current_branch(const Work& work) {
    const auto& checkout = work.repository.checkout;
    if (!checkout.branch.empty() && checkout.branch != work.repository.base) return checkout.branch;
    for (const char* name : {"GITHUB_HEAD_REF", "SYSTEM_PULLREQUEST_SOURCEBRANCH", "GITHUB_REF",
                             "BUILD_SOURCEBRANCH"}) {
        const auto branch = short_name(work.variable(name).value_or(""));
        if (!branch.empty()) return branch;
    }
    if (!checkout.branch.empty()) return checkout.branch;
    if (auto likely = sdk::gitops::likely_branch(checkout); !likely.empty()) return likely;
    return Error{ErrorKind::Invalid,
                 "failed to find current branch: HEAD is detached at " + checkout.head +
                     ", which is the head of no branch known here; check the branch out, or name "
                     "it in GITHUB_HEAD_REF"};
}

struct Watch {
    const Work& work;
    std::string name;  // <group>-<environment before>

    // None: nothing is known yet.
    Result<std::optional<Verdict>> look(const ObjectId& commit) const {
        const auto statuses = work.repository.commits.statuses(commit);
        if (!statuses) {
            // No such commit, or the forge is not well: looked at again until the time is up.
            if (statuses.error().kind == ErrorKind::Unauthorized) return Error(statuses.error());
            work.progress.say(statuses.error().message);
            return std::optional<Verdict>();
        }
        std::string contexts;
        for (const auto& status : *statuses)
            contexts += (contexts.empty() ? "" : " ") + status.context;
        work.progress.say("Considering statuses [" + contexts + "]");
        const auto verdict = verdict_on(name, *statuses);
        return verdict == Verdict::Pending ? std::nullopt : verdict;
    }

    // The last word on a commit, if there is one.
    Result<std::optional<std::string>> settle(const ObjectId& commit,
                                              const std::string& where) const {
        const auto verdict = look(commit);
        if (!verdict) return Error(verdict.error());
        if (!*verdict) return std::optional<std::string>();
        if (**verdict == Verdict::Success)
            return std::optional("successful reconciliation for " + name + " found on " + where);
        return Error{ErrorKind::Invalid,
                     "failed reconciliation for " + name + " found on " + where};
    }

    Result<std::string> run(const std::string& sha) const {
        const auto deadline = std::chrono::steady_clock::now() + work.rules.status_timeout;
        const auto& repository = work.repository;
        while (true) {
            auto settled = sha.empty() ? Result<std::optional<std::string>>(std::nullopt)
                                       : settle(sha, '"' + sha + '"');
            if (settled && !*settled) {
                const auto head = repository.mirror->fetch(repository.base);
                if (!head) work.progress.say(head.error().message);
                else if (*head != sha) settled = settle(*head, repository.base + " at " + *head);
            }
            if (!settled) return std::move(settled).error();
            if (*settled) return **settled;
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0)
                return Error{ErrorKind::Transient,
                             "commit status check for " + name + " has timed out \"" + sha + "\""};
            work.out << "retrying status check for " << name << std::endl;
            nap(repository.call, std::min<std::chrono::milliseconds>(left, kBetweenLooks));
        }
    }
};

}  // namespace

Result<std::string> status(const Work& work) {
    const auto branch = current_branch(work);
    if (!branch) return Error(branch.error());
    const std::string manual = "Promotion was manual, skipping check";
    // People call branches of their own so, too; those have no state in their requests.
    const bool may_be_a_persons = branch->starts_with("feature/");
    if (!branch->starts_with("promote/") && !may_be_a_persons) return manual;
    const auto failed = [](const std::string& why) {
        return Error{ErrorKind::Invalid, "failed getting pr for current branch: " + why};
    };
    const auto found = work.repository.forge->find_open(*branch, work.repository.base);
    if (!found) return failed(found.error().message);
    const bool none = !*found || (*found)->base_branch != work.repository.base;
    if (none && may_be_a_persons) return manual;
    if (none) return failed("no PR found for branches " + *branch + " -> " + work.repository.base);
    const auto read = sdk::gitops::state_in((*found)->body);
    const std::string request = "pull request #" + std::to_string((*found)->number);
    if (!read) return failed(request + ": " + read.error().message);
    if (!*read && may_be_a_persons) return manual;
    if (!*read)
        return failed(request +
                      " has no state in its description, which was changed by hand: run new or "
                      "promote again, which writes it anew");
    const PromotionState& state = **read;
    if (state.type == PromotionState::Type::Feature)
        return std::string("Automatically allowing feature branch PR");
    if (const auto here = work.rules.environment(state.env); !here) return Error(here.error());
    const auto previous = work.rules.previous(state.env);
    if (!previous)
        return "\"" + state.env + "\" is the first environment so status check is skipped";
    return Watch{work, state.group + "-" + (*previous)->name}.run(state.sha);
}

}  // namespace promotiond::ctl::gitops
