// Giving commits to the remote, alone or together with those of other calls.
#include <algorithm>

#include "mirror_state.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// libgit2 pushes references, not object ids; these are the scratch repository's only.
const std::string kOutgoing = "refs/heads/outgoing";

std::optional<ObjectId> head_of(const Advertised& there, const std::string& branch) {
    const auto found = there.heads.find(branch);
    if (found == there.heads.end()) return {};
    return found->second;
}

enum class Standing { There, Free, Moved, BaseMoved, InTheWay };

// How the remote's branches are, compared with what a push expects.
Standing standing(const Advertised& there, const OutgoingBranch& mine) {
    if (mine.based_on && head_of(there, mine.based_on->branch) != mine.based_on->commit)
        return Standing::BaseMoved;
    const auto now = head_of(there, mine.branch);
    if (now == mine.commit) return Standing::There;
    if (now != mine.expected) return Standing::Moved;
    if (now) return Standing::Free;
    const bool blocked = std::any_of(there.heads.begin(), there.heads.end(), [&](const auto& head) {
        return in_the_way(head.first, mine.branch);
    });
    return blocked ? Standing::InTheWay : Standing::Free;
}

bool refer(git_repository* repository, const std::string& name, const ObjectId& commit) {
    const auto id = to_oid(commit);
    ReferencePtr made;
    return id && git_call(made, git_reference_create, repository, name.c_str(), &*id, 1,
                          static_cast<const char*>(nullptr)) == 0;
}

}  // namespace

Result<void> Mirror::State::push(OutgoingBranch mine) {
    auto repository = scratch();
    if (!repository) return repository.error();
    mine.objects = scratch_path_ / "objects";
    const auto queue = PushQueue::of(push_queue_key(cache_.directory(), credentials_));
    auto answer = queue->join(mine, waiting_, std::move(coming_));
    if (!answer) return answer.error();
    if (!answer->turn) {
        if (answer->without == PushQueue::Without::Alone) return push_alone(mine);
        note_push(mine, *answer->heads);
        return {};
    }
    if (auto done = push_leading(mine, *answer->turn)) return *std::move(done);
    answer->turn.reset();  // who was taken along need not wait for what is now done alone
    return push_alone(mine);
}

// Whoever reads a branch is likely to build on it.
void Mirror::State::expect_push() {
    coming_ = PushQueue::Coming(PushQueue::of(push_queue_key(cache_.directory(), credentials_)));
}

Result<void> Mirror::State::push_alone(const OutgoingBranch& mine) {
    GitRemote remote(transport_, scratch_.get(), url_);
    if (auto connected = remote.connect(GIT_DIRECTION_PUSH); !connected) return connected;
    const auto there = remote.advertised();
    if (!there) return there.error();
    return push_alone(remote, *there, mine);
}

Result<void> Mirror::State::push_alone(GitRemote& remote, const Advertised& there,
                                       const OutgoingBranch& mine) {
    const auto state = standing(there, mine);
    if (state == Standing::Moved || state == Standing::BaseMoved) {
        // What was fetched before does not know of it.
        opened_ = std::chrono::steady_clock::now();
        return state == Standing::Moved
                   ? moved(there, mine.branch, mine.expected)
                   : moved(there, mine.based_on->branch, mine.based_on->commit);
    }
    if (state == Standing::InTheWay) {
        const auto other =
            std::find_if(there.heads.begin(), there.heads.end(),
                         [&](const auto& head) { return in_the_way(head.first, mine.branch); });
        return Error{ErrorKind::Invalid, "branch " + mine.branch +
                                             " cannot be made beside branch " + other->first +
                                             " of " + address_.display()};
    }
    if (state == Standing::Free) {
        if (!refer(scratch_.get(), kOutgoing, mine.commit))
            return damage(ErrorKind::NotFound, "no commit " + mine.commit + " to push");
        // Whatever was said before, the remote may have changed: ask again when it matters.
        if (auto done = remote.upload(kOutgoing, mine.branch); !done) return done;
    }
    note_push(mine, there.heads);
    return {};
}

Error Mirror::State::moved(const Advertised& there, const std::string& branch,
                           const std::optional<ObjectId>& expected) const {
    return {ErrorKind::Conflict, "branch " + branch + " of " + address_.display() + " is at " +
                                     head_of(there, branch).value_or("nothing") + " and not at " +
                                     expected.value_or("nothing") +
                                     ": somebody else has changed it"};
}

// Who has come while we connected is taken along. None: one's own branch is not there, and is to be
// pushed alone on a connection of its own.
std::optional<Result<void>> Mirror::State::push_leading(const OutgoingBranch& mine,
                                                        PushQueue::Turn& turn) {
    // A handle of its own: it sees the others' scratch repositories, which go when they are done.
    RepositoryPtr view;
    OdbPtr objects;
    const std::string mirror = cache_.path_of(number_) + "/objects";
    if (git_call(view, git_repository_open_bare, scratch_path_.c_str()) != 0 ||
        git_call(objects, git_repository_odb, view.get()) != 0 ||
        git_odb_add_disk_alternate(objects.get(), mirror.c_str()) != 0 || !lend(view.get()))
        return {};
    GitRemote remote(transport_, view.get(), url_);
    if (auto connected = remote.connect(GIT_DIRECTION_PUSH); !connected) return connected;
    const auto there = remote.advertised();
    if (!there) return there.error();
    auto all = turn.gather();
    if (all.empty()) return push_alone(remote, *there, mine);
    // Who is gone by now has no objects: that branch is left out when it is to be referred to.
    for (const auto& each : all)
        (void)git_odb_add_disk_alternate(objects.get(), each.objects.c_str());
    all.push_back(mine);
    if (push_group(remote, view.get(), *there, all, turn)) return Result<void>();
    return {};
}

// Of the turn's branches and one's own, which is the last. True if one's own is there now. Whatever
// fails is not said here: who is left pushes alone.
bool Mirror::State::push_group(GitRemote& remote, git_repository* view, const Advertised& there,
                               const std::vector<OutgoingBranch>& all, PushQueue::Turn& turn) {
    std::vector<bool> pushed(all.size());
    std::vector<std::pair<std::string, std::string>> pairs;
    std::map<std::string, std::size_t>
        uploads;  // by branch: two of one branch are not our business
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto state = standing(there, all[i]);
        const std::string name = kOutgoing + "-" + std::to_string(i);
        if (state == Standing::There) pushed[i] = true;
        else if (state == Standing::Free && refer(view, name, all[i].commit) &&
                 uploads.emplace(all[i].branch, i).second)
            pairs.emplace_back(name, all[i].branch);
    }
    if (!pairs.empty()) {
        const auto updated = remote.upload(pairs);
        if (!updated) return false;
        for (const auto& branch : *updated)
            if (const auto one = uploads.find(branch); one != uploads.end())
                pushed[one->second] = true;
    }
    const auto heads = std::make_shared<const RemoteHeads>(there.heads);
    for (std::size_t i = 0; i + 1 < all.size(); ++i)
        if (pushed[i]) turn.pushed(i, heads);
    if (!pushed.back()) return false;
    note_push(all.back(), *heads);
    return true;
}

// A push tells the branches as a fetch does, but not which of them is the default.
void Mirror::State::note_push(const OutgoingBranch& mine, const RemoteHeads& before) {
    if (advertised_) {
        advertised_->heads = before;
        advertised_->heads.insert_or_assign(mine.branch, mine.commit);
    }
    // What was fetched before does not know of this push.
    opened_ = std::chrono::steady_clock::now();
}

}  // namespace promotiond::sdk::inline v1::gitops
