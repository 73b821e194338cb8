// Reading a commit's files, and finding those that hold a text.
#include <algorithm>

#include "git_holding.hpp"
#include "mirror_state.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// Against trees made to exhaust the reader; repositories of manifests are far below.
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxEntries = 1'000'000;

bool ends_with_one_of(std::string_view name, const std::vector<std::string>& suffixes) {
    return std::any_of(suffixes.begin(), suffixes.end(), [&](const std::string& suffix) {
        return name.size() >= suffix.size() && name.substr(name.size() - suffix.size()) == suffix;
    });
}

enum class Step { On, Stop };

// Goes through the regular files of a tree, in git's order.
class TreeWalk {
public:
    TreeWalk(git_repository* repository, const Waiting& waiting,
             const std::vector<std::string>& suffixes)
        : repository_(repository), waiting_(&waiting), suffixes_(&suffixes) {}
    virtual ~TreeWalk() = default;
    TreeWalk(const TreeWalk&) = delete;
    TreeWalk& operator=(const TreeWalk&) = delete;

    [[nodiscard]] Result<Step> walk(const git_oid& tree) { return descend(tree, ""); }
    // A failure was about an object of the repository, not about a limit.
    [[nodiscard]] bool unreadable() const { return unreadable_; }

protected:
    [[nodiscard]] virtual bool enter(const git_oid&) { return true; }
    virtual void leave(const git_oid&) {}
    [[nodiscard]] virtual Result<Step> file(TreeFile file, const git_oid& id) = 0;

    [[nodiscard]] git_repository* repository() const { return repository_; }
    [[nodiscard]] Error broken(const std::string& doing) {
        unreadable_ = true;
        return {ErrorKind::Transient, doing + ": " + git_reason()};
    }

private:
    [[nodiscard]] Result<Step> descend(const git_oid& id, const std::string& prefix) {
        if (!enter(id)) return Step::On;
        TreePtr tree;
        if (git_call(tree, git_tree_lookup, repository_, &id) != 0)
            return broken("cannot read directory " + prefix);
        const std::size_t count = git_tree_entrycount(tree.get());
        for (std::size_t i = 0; i < count; ++i) {
            const auto step = visit(*git_tree_entry_byindex(tree.get(), i), prefix);
            if (!step || *step == Step::Stop) return step;
        }
        leave(id);
        return Step::On;
    }

    [[nodiscard]] Result<Step> visit(const git_tree_entry& entry, const std::string& prefix) {
        if (++entries_ > kMaxEntries)
            return Error{ErrorKind::Invalid, "the repository has more than 1,000,000 files"};
        if (entries_ % 256 == 0)
            if (auto stop = waiting_->over()) return *stop;
        const std::string name = git_tree_entry_name(&entry);
        const git_oid& id = *git_tree_entry_id(&entry);
        const auto mode = git_tree_entry_filemode(&entry);
        if (mode == GIT_FILEMODE_TREE) {
            if (depth_ >= kMaxDepth)
                return Error{ErrorKind::Invalid, "directories are nested deeper than 64 levels"};
            ++depth_;
            const auto step = descend(id, prefix + name + "/");
            --depth_;
            return step;
        }
        const bool regular = mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE;
        if (!regular || !ends_with_one_of(name, *suffixes_)) return Step::On;
        return file({.path = prefix + name,
                     .blob = to_text(id),
                     .size = 0,
                     .executable = mode == GIT_FILEMODE_BLOB_EXECUTABLE},
                    id);
    }

    git_repository* repository_;
    const Waiting* waiting_;
    const std::vector<std::string>* suffixes_;
    std::size_t depth_ = 0;
    std::size_t entries_ = 0;
    bool unreadable_ = false;
};

Result<std::size_t> size_of(git_repository* repository, const git_oid& id) {
    OdbPtr objects;
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    if (git_call(objects, git_repository_odb, repository) != 0 ||
        git_odb_read_header(&size, &type, objects.get(), &id) != 0 || type != GIT_OBJECT_BLOB)
        return Error{ErrorKind::Transient, "cannot read file " + to_text(id) + ": " + git_reason()};
    return size;
}

class Listing : public TreeWalk {
public:
    Listing(git_repository* repository, const Waiting& waiting,
            const std::vector<std::string>& suffixes,
            const std::function<bool(const TreeFile&)>& visit)
        : TreeWalk(repository, waiting, suffixes), visit_(&visit) {}

private:
    Result<Step> file(TreeFile file, const git_oid& id) override {
        const auto size = size_of(repository(), id);
        if (!size) return broken("cannot read " + file.path);
        file.size = *size;
        return (*visit_)(file) ? Step::On : Step::Stop;
    }

    const std::function<bool(const TreeFile&)>* visit_;
};

class Search : public TreeWalk {
public:
    struct Question {
        std::string_view text;
        std::size_t limit_bytes;
    };
    Search(git_repository* repository, const Waiting& waiting,
           const std::vector<std::string>& suffixes, HoldingMemo& memo, Question question)
        : TreeWalk(repository, waiting, suffixes), memo_(&memo), question_(question) {}

    std::vector<TreeFile> hits;
    std::vector<TreeFile> too_large;

private:
    bool enter(const git_oid& tree) override {
        const auto known = memo_->find(tree);
        if (known && known->kind == Holding::TreeWithout) return false;
        found_before_.push_back(found());
        return true;
    }
    void leave(const git_oid& tree) override {
        if (found_before_.back() == found()) memo_->add(tree, {Holding::TreeWithout, 0});
        found_before_.pop_back();
    }
    Result<Step> file(TreeFile file, const git_oid& id) override {
        auto answer = memo_->find(id);
        if (!answer) {
            auto looked = look(id);
            if (!looked) return broken("cannot read " + file.path);
            answer = *looked;
            memo_->add(id, *answer);
        }
        file.size = answer->size;
        if (answer->kind == Holding::BlobWith) hits.push_back(std::move(file));
        else if (answer->kind == Holding::BlobTooLarge) too_large.push_back(std::move(file));
        return Step::On;
    }
    Result<HoldingAnswer> look(const git_oid& id) const {
        const auto size = size_of(repository(), id);
        if (!size) return size.error();
        const auto capped = static_cast<std::uint32_t>(std::min<std::size_t>(*size, UINT32_MAX));
        if (*size > question_.limit_bytes) return HoldingAnswer{Holding::BlobTooLarge, capped};
        BlobPtr blob;
        if (git_call(blob, git_blob_lookup, repository(), &id) != 0)
            return Error{ErrorKind::Transient, git_reason()};
        const std::string_view content(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                                       static_cast<std::size_t>(git_blob_rawsize(blob.get())));
        const bool held = content.find(question_.text) != std::string_view::npos;
        return HoldingAnswer{held ? Holding::BlobWith : Holding::BlobWithout, capped};
    }
    [[nodiscard]] std::size_t found() const { return hits.size() + too_large.size(); }

    HoldingMemo* memo_;
    Question question_;
    std::vector<std::size_t> found_before_;  // one per open directory
};

}  // namespace

Result<void> Mirror::files(const ObjectId& commit, const std::vector<std::string>& suffixes,
                           const std::function<bool(const TreeFile&)>& visit) {
    // Files already shown are not shown again when the walk begins anew on a new copy.
    std::size_t shown = 0;
    return state_->sound([&]() -> Result<void> {
        auto tree = state_->tree_of(commit);
        if (!tree) return tree.error();
        std::size_t seen = 0;
        const std::function<bool(const TreeFile&)> once = [&](const TreeFile& file) {
            if (++seen <= shown) return true;
            ++shown;
            return visit(file);
        };
        Listing listing(tree->repository, state_->waiting(), suffixes, once);
        const auto walked = listing.walk(tree->id);
        if (walked) return {};
        if (listing.unreadable()) state_->suspect_damage();
        return walked.error();
    });
}

Result<std::vector<TreeFile>> Mirror::files_holding(const ObjectId& commit, std::string_view text,
                                                    const std::vector<std::string>& suffixes,
                                                    std::size_t limit_bytes) {
    std::string question = std::to_string(limit_bytes) + '\0' + std::string(text);
    for (const auto& suffix : suffixes) question += '\0' + suffix;
    return state_->sound([&]() -> Result<std::vector<TreeFile>> {
        auto tree = state_->tree_of(commit);
        if (!tree) return tree.error();
        auto memo = HoldingMemo::load(state_->cache().directory(), question);
        Search search(tree->repository, state_->waiting(), suffixes, memo, {text, limit_bytes});
        const auto walked = search.walk(tree->id);
        if (!walked) {
            if (search.unreadable()) state_->suspect_damage();
            return walked.error();
        }
        if (memo.changed()) {
            auto lock =
                FileLock::take(state_->cache().directory() / "holding.lock", state_->waiting());
            if (lock) memo.save();
        }
        for (const auto& file : search.too_large)
            state_->call().log(Level::Warn,
                               file.path + " is not searched: it has " + std::to_string(file.size) +
                                   " bytes, more than the limit of " + std::to_string(limit_bytes));
        return std::move(search.hits);
    });
}

Result<std::vector<TreeFile>> Mirror::files_below(const ObjectId& commit,
                                                  const std::string& directory,
                                                  const std::vector<std::string>& suffixes) {
    return state_->sound([&]() -> Result<std::vector<TreeFile>> {
        auto root = state_->tree_of(commit);
        if (!root) return root.error();
        TreePtr tree;
        EntryPtr entry;
        if (git_call(tree, git_tree_lookup, root->repository, &root->id) != 0)
            return state_->damage(ErrorKind::Transient, "cannot read the files of " + commit);
        if (git_call(entry, git_tree_entry_bypath, tree.get(), directory.c_str()) != 0 ||
            git_tree_entry_type(entry.get()) != GIT_OBJECT_TREE)
            return Error{ErrorKind::NotFound, "there is no directory " + directory};
        std::vector<TreeFile> found;
        const std::function<bool(const TreeFile&)> take = [&](const TreeFile& file) {
            found.push_back(file);
            found.back().path.insert(0, directory + "/");
            return true;
        };
        Listing listing(root->repository, state_->waiting(), suffixes, take);
        const auto walked = listing.walk(*git_tree_entry_id(entry.get()));
        if (walked) return found;
        if (listing.unreadable()) state_->suspect_damage();
        return walked.error();
    });
}

Result<std::string> Mirror::read(const ObjectId& blob, std::size_t limit_bytes) {
    const auto id = to_oid(blob);
    if (!id) return Error{ErrorKind::Invalid, "not an object id: " + printable(blob, 80)};
    return state_->sound([&]() -> Result<std::string> {
        auto repository = state_->repository();
        if (!repository) return repository.error();
        const auto size = size_of(*repository, *id);
        if (!size) return state_->damage(ErrorKind::NotFound, "cannot read file " + blob);
        if (*size > limit_bytes)
            return Error{ErrorKind::Invalid, "the file has " + std::to_string(*size) +
                                                 " bytes, more than the limit of " +
                                                 std::to_string(limit_bytes)};
        BlobPtr found;
        if (git_call(found, git_blob_lookup, *repository, &*id) != 0)
            return state_->damage(ErrorKind::Transient, "cannot read file " + blob);
        return std::string(static_cast<const char*>(git_blob_rawcontent(found.get())),
                           static_cast<std::size_t>(git_blob_rawsize(found.get())));
    });
}

}  // namespace promotiond::sdk::inline v1::gitops
