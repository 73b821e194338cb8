#include "mirror_state.hpp"

#include <cstdlib>
#include <fstream>

#include "git_packs.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::milliseconds kLockNap{4};
// Long enough for a burst of promotions; short, because what is built on a branch that has moved is
// built twice.
constexpr std::chrono::seconds kRecent{10};

std::string reference_of(const std::string& branch) { return "refs/heads/" + branch; }

// As little as makes a bare repository (gitrepository-layout(5)). What git_repository_init() adds
// is some twenty files and directories: made and removed for each of many promotions at once they
// cost more than the promotions.
bool lay_out(const fs::path& repository) {
    std::error_code failed;
    fs::create_directory(repository / "objects", failed);
    if (!failed) fs::create_directory(repository / "refs", failed);
    if (failed) return false;
    std::ofstream head(repository / "HEAD");
    head << "ref: refs/heads/main\n";
    head.close();
    return head.good();
}

}  // namespace

Mirror::State::~State() { drop_scratch(); }

void Mirror::State::drop_scratch() {
    scratch_.reset();
    std::error_code ignored;
    if (!scratch_path_.empty()) fs::remove_all(scratch_path_, ignored);
    scratch_path_.clear();
}

Error Mirror::State::damage(ErrorKind kind, const std::string& doing) {
    damaged_ = true;
    return {kind, doing + ": " + git_reason()};
}

bool Mirror::State::open_current() {
    const int number = cache_.current();
    if (number == 0) return false;
    if (mirror_ && number == number_) return true;
    drop_scratch();
    number_ = number;
    return git_call(mirror_, git_repository_open_bare, cache_.path_of(number).c_str()) == 0 &&
           lend(mirror_.get());
}

bool Mirror::State::lend(git_repository* to) const {
    OdbPtr objects;
    return borrowed_.empty() || (git_call(objects, git_repository_odb, to) == 0 &&
                                 git_odb_add_disk_alternate(objects.get(), borrowed_.c_str()) == 0);
}

Result<void> Mirror::State::open_or_make() {
    if (open_current()) return {};
    auto made = cache_.make_next();
    if (!made) return made.error();
    if (open_current()) return {};
    return Error{ErrorKind::Transient, "cannot open the repository just made in " +
                                           cache_.directory().native() + ": " + git_reason()};
}

// Another call may have replaced the copy already; then its work is used.
Result<void> Mirror::State::heal() {
    mirror_.reset();
    drop_scratch();
    borrowed_.clear();
    {
        auto lock = FileLock::take(cache_.lock_path(), waiting_);
        if (!lock) return lock.error();
        call_->log(Level::Warn, "the local copy of " + address_.display() +
                                    " is damaged; it is thrown away and fetched anew");
        if (cache_.current() == number_) {
            if (auto made = cache_.make_next(); !made) return made.error();
        }
        if (auto opened = open_or_make(); !opened) return opened;
    }
    if (std::exchange(committed_, false))
        return Error{ErrorKind::Transient,
                     "the local copy of the repository was damaged and is thrown away; try again"};
    const auto branches = asked_;
    for (const auto& [branch, when] : branches)
        if (auto head = fetch_since(branch, when); !head) return head.error();
    return {};
}

bool Mirror::State::readable(const git_oid& commit) const {
    CommitPtr found;
    TreePtr tree;
    return git_call(found, git_commit_lookup, mirror_.get(), &commit) == 0 &&
           git_call(tree, git_commit_tree, found.get()) == 0;
}

Result<ObjectId> Mirror::State::fetch(const std::string& branch) {
    expect_push();
    const auto now = std::chrono::steady_clock::now();
    const auto known = asked_.find(branch);
    // The first time, what others fetched since this call began is new enough; whoever asks again
    // wants to know what has happened since.
    const auto since = known == asked_.end() ? opened_ : now;
    asked_.insert_or_assign(branch, now);
    return sound([&] { return fetch_since(branch, since); });
}

Result<ObjectId> Mirror::State::fetch_since(const std::string& branch, SteadyTime since) {
    while (true) {
        if (auto shared = shared_fetch(branch, since)) return *shared;
        auto lock = FileLock::try_take(cache_.lock_path());
        if (!lock) return lock.error();
        if (*lock) {
            if (auto shared = shared_fetch(branch, since)) return *shared;
            return fetch_locked(branch);
        }
        if (auto slept = waiting_.nap(kLockNap); !slept)
            return context(slept.error(), "waiting for another fetch of " + address_.display());
    }
}

std::optional<Result<ObjectId>> Mirror::State::shared_fetch(const std::string& branch,
                                                            SteadyTime since) {
    auto dated = cache_.read_advertised();
    if (!dated || dated->begun < since || !open_current()) return std::nullopt;
    const auto head = dated->advertised.heads.find(branch);
    git_oid local{};
    if (head == dated->advertised.heads.end()) {
        advertised_ = std::move(dated->advertised);
        return Result<ObjectId>(no_such_branch(branch));
    }
    if (git_reference_name_to_id(&local, mirror_.get(), reference_of(branch).c_str()) != 0 ||
        to_text(local) != head->second || !readable(local))
        return std::nullopt;
    ObjectId id = head->second;
    advertised_ = std::move(dated->advertised);
    return Result<ObjectId>(std::move(id));
}

std::optional<ObjectId> Mirror::State::recently_fetched(const std::string& branch) {
    expect_push();
    const auto shared = shared_fetch(branch, std::chrono::steady_clock::now() - kRecent);
    if (shared && *shared) return **shared;
    if (shared) advertised_.reset();  // it may have been made since
    return {};
}

Error Mirror::State::no_such_branch(const std::string& branch) const {
    std::string message = "no branch " + branch + " in " + address_.display();
    if (advertised_->heads.empty()) message += "; the repository is empty";
    else if (!advertised_->default_branch.empty())
        message += "; its default branch is " + advertised_->default_branch;
    return {ErrorKind::NotFound, message};
}

Result<ObjectId> Mirror::State::fetch_locked(const std::string& branch) {
    if (auto opened = open_or_make(); !opened) return opened.error();
    cache_.sweep();
    const auto begun = std::chrono::steady_clock::now();
    GitRemote remote(transport_, mirror_.get(), url_);
    if (auto connected = remote.connect(GIT_DIRECTION_FETCH); !connected) return connected.error();
    auto now_there = remote.advertised();
    if (!now_there) return now_there.error();
    advertised_ = std::move(*now_there);
    const auto head = advertised_->heads.find(branch);
    if (head == advertised_->heads.end()) {
        cache_.write_advertised({*advertised_, begun});
        return no_such_branch(branch);
    }
    ObjectId id = head->second;
    if (auto brought = bring(remote, branch, id); !brought) return brought.error();
    cache_.write_advertised({*advertised_, begun});
    tidy();
    return id;
}

// What was asked for is there already, so a failure here is nobody's but the log's.
void Mirror::State::tidy() {
    const auto gathered = gather_packs(mirror_.get(), cache_.packs_of(number_), waiting_);
    if (!gathered)
        call_->log(Level::Warn, "the local copy of " + address_.display() +
                                    " is not tidied up: " + gathered.error().message);
}

Result<void> Mirror::State::bring(GitRemote& remote, const std::string& branch,
                                  const ObjectId& head) {
    const auto id = to_oid(head);
    if (!id) return Error{ErrorKind::Transient, "the remote names a head that is no object id"};
    git_oid local{};
    const bool current =
        git_reference_name_to_id(&local, mirror_.get(), reference_of(branch).c_str()) == 0 &&
        git_oid_equal(&local, &*id);
    if (current) {
        if (readable(*id)) return {};
        return damage(ErrorKind::Transient, "cannot read the head of branch " + branch);
    }
    if (auto failure = remote.download(branch)) {
        if (failure->blame == Blame::Mirror) damaged_ = true;
        return failure->error;
    }
    if (!readable(*id))
        return damage(ErrorKind::Transient, "cannot read what was fetched of branch " + branch);
    return point(branch, *id);
}

Result<void> Mirror::State::point(const std::string& branch, const git_oid& head) {
    ReferencePtr made;
    const std::string name = reference_of(branch);
    const auto set = [&] {
        return git_call(made, git_reference_create, mirror_.get(), name.c_str(), &head, 1,
                        static_cast<const char*>(nullptr));
    };
    if (set() == 0) return {};
    git_strarray names{};
    if (git_reference_list(&names, mirror_.get()) == 0) {
        for (std::size_t i = 0; i < names.count; ++i)
            if (in_the_way(names.strings[i], name))
                (void)git_reference_remove(mirror_.get(), names.strings[i]);
        git_strarray_dispose(&names);
    }
    if (set() == 0) return {};
    return damage(ErrorKind::Transient, "cannot set branch " + branch + " in the local copy");
}

Result<const Advertised*> Mirror::State::advertised() {
    if (advertised_) return &*advertised_;
    auto lock = FileLock::take(cache_.lock_path(), waiting_);
    if (!lock) return lock.error();
    if (auto opened = open_or_make(); !opened) return opened.error();
    const auto begun = std::chrono::steady_clock::now();
    GitRemote remote(transport_, mirror_.get(), url_);
    if (auto connected = remote.connect(GIT_DIRECTION_FETCH); !connected) return connected.error();
    auto now_there = remote.advertised();
    if (!now_there) return now_there.error();
    advertised_ = std::move(*now_there);
    cache_.write_advertised({*advertised_, begun});
    return &*advertised_;
}

Result<git_repository*> Mirror::State::repository() {
    if (scratch_) return scratch_.get();
    if (mirror_ || open_current()) return mirror_.get();
    return damage(ErrorKind::NotFound, "nothing has been fetched of " + address_.display());
}

Result<CommitPtr> Mirror::State::find_commit(const ObjectId& commit) {
    const auto id = to_oid(commit);
    if (!id) return Error{ErrorKind::Invalid, "not an object id: " + printable(commit, 80)};
    auto where = repository();
    if (!where) return where.error();
    CommitPtr found;
    if (git_call(found, git_commit_lookup, *where, &*id) != 0)
        return damage(ErrorKind::NotFound, "cannot read commit " + commit);
    return found;
}

Result<Mirror::State::CommitTree> Mirror::State::tree_of(const ObjectId& commit) {
    auto found = find_commit(commit);
    if (!found) return found.error();
    return CommitTree{git_commit_owner(found->get()), *git_commit_tree_id(found->get())};
}

Result<git_repository*> Mirror::State::scratch() {
    if (scratch_) return scratch_.get();
    auto base = repository();
    if (!base) return base;
    auto directory = call_->scratch_directory();
    if (!directory) return directory.error();
    // Several mirrors may be used in one call, and share its directory.
    std::string path = *directory + "/git-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr)
        return Error{ErrorKind::Internal, "cannot make a directory in " + *directory};
    scratch_path_ = path;
    OdbPtr objects;
    const std::string borrowed = cache_.path_of(number_) + "/objects";
    if (!lay_out(scratch_path_) ||
        git_call(scratch_, git_repository_open_bare, path.c_str()) != 0 ||
        git_call(objects, git_repository_odb, scratch_.get()) != 0 ||
        git_odb_add_disk_alternate(objects.get(), borrowed.c_str()) != 0 || !lend(scratch_.get())) {
        drop_scratch();
        return Error{ErrorKind::Internal, "cannot make a scratch repository: " + git_reason()};
    }
    return scratch_.get();
}

}  // namespace promotiond::sdk::inline v1::gitops
