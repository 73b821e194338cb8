// What a checkout has already, and when a path was changed last.
#include "mirror_state.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// The object that a commit has at a path; zero where it has none.
Result<git_oid> at_path(const git_commit* commit, const std::string& path) {
    TreePtr tree;
    if (git_call(tree, git_commit_tree, commit) != 0)
        return Error{ErrorKind::Transient, "cannot read a commit's files: " + git_reason()};
    EntryPtr entry;
    git_oid none{};
    if (git_call(entry, git_tree_entry_bypath, tree.get(), path.c_str()) != 0) return none;
    return *git_tree_entry_id(entry.get());
}

}  // namespace

Result<void> Mirror::borrow(const Checkout& checkout) {
    // A history that ends somewhere cannot be shown to a server as what one has.
    if (checkout.shallow) return {};
    return state_->borrow(checkout);
}

Result<void> Mirror::State::borrow(const Checkout& checkout) {
    auto lock = FileLock::take(cache_.lock_path(), waiting_);
    if (!lock) return lock.error();
    borrowed_ = checkout.objects;
    if (auto opened = open_or_make(); !opened) return opened;
    for (const auto& [branch, commit] : checkout.branches) {
        const auto id = to_oid(commit);
        // One that is not whole is fetched instead.
        if (id && check_branch_name(branch) && readable(*id)) (void)point(branch, *id);
    }
    damaged_ = false;
    return {};
}

Result<std::chrono::sys_seconds> Mirror::last_change(const ObjectId& commit,
                                                     const std::string& path) {
    return state_->sound([&]() -> Result<std::chrono::sys_seconds> {
        auto here = state_->find_commit(commit);
        if (!here) return here.error();
        auto now = at_path(here->get(), path);
        if (!now) return now.error();
        while (true) {
            if (auto stop = state_->waiting().over()) return *stop;
            const git_time_t when = git_commit_author(here->get())->when.time;
            const std::chrono::sys_seconds changed{std::chrono::seconds(when)};
            if (git_commit_parentcount(here->get()) == 0) return changed;
            CommitPtr before;
            if (git_call(before, git_commit_parent, here->get(), 0U) != 0)
                return state_->damage(ErrorKind::Transient, "cannot read the history");
            const auto then = at_path(before.get(), path);
            if (!then) return then.error();
            if (git_oid_equal(&*then, &*now) == 0) return changed;
            *here = std::move(before);
        }
    });
}

}  // namespace promotiond::sdk::inline v1::gitops
