// Commits made in the object database, and looking at them.
#include <algorithm>
#include <set>

#include "mirror_state.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// A stricter reading of git's own rules (fsck's hasDot, hasDotdot, hasDotgit): what is committed
// here will be checked out by others, on other systems too.
std::optional<std::string> path_fault(std::string_view path) {
    if (path.empty() || path.size() > 4096) return "it is empty or longer than 4096 bytes";
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const auto part = path.substr(begin, end - begin);
        if (part.empty()) return "it is absolute or holds an empty part";
        if (part == "." || part == "..") return "it holds '.' or '..'";
        if (part.back() == '.' || part.back() == ' ') return "a part ends with a dot or a space";
        std::string lower(part);
        for (char& c : lower)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (lower == ".git" || lower.rfind("git~", 0) == 0) return "it leads into .git";
        begin = end + 1;
    }
    for (const char c : path)
        if ((c >= 0 && c < 0x20) || c == 0x7f || c == '\\' || c == ':')
            return "it holds a control character, a backslash or a colon";
    return std::nullopt;
}

Error invalid_path(const std::string& path, const std::string& why) {
    return {ErrorKind::Invalid, "cannot change " + printable(path, 200) + ": " + why};
}

// The mode to keep; a new file is a plain one.
Result<git_filemode_t> mode_for(const git_tree* tree, const std::string& path) {
    EntryPtr entry;
    const int code = git_call(entry, git_tree_entry_bypath, tree, path.c_str());
    if (code == GIT_ENOTFOUND) return GIT_FILEMODE_BLOB;
    if (code != 0) return invalid_path(path, git_reason());
    const auto mode = git_tree_entry_filemode(entry.get());
    if (mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE) return mode;
    return invalid_path(path, "it is a symlink, a submodule or a directory, not a file");
}

Result<git_oid> changed_tree(git_repository* repository, git_tree* tree,
                             const std::vector<FileChange>& changes) {
    std::vector<git_tree_update> updates;
    std::set<std::string_view> paths;
    for (const auto& change : changes) {
        if (auto fault = path_fault(change.path)) return invalid_path(change.path, *fault);
        if (!paths.insert(change.path).second)
            return invalid_path(change.path, "it is given twice");
        if (change.removed) {
            updates.push_back({GIT_TREE_UPDATE_REMOVE, {}, GIT_FILEMODE_BLOB, change.path.c_str()});
            continue;
        }
        const auto mode = mode_for(tree, change.path);
        if (!mode) return mode.error();
        git_tree_update update{GIT_TREE_UPDATE_UPSERT, {}, *mode, change.path.c_str()};
        if (git_blob_create_from_buffer(&update.id, repository, change.content.data(),
                                        change.content.size()) != 0)
            return Error{ErrorKind::Transient,
                         "cannot write " + printable(change.path, 200) + ": " + git_reason()};
        updates.push_back(update);
    }
    git_oid id = *git_tree_id(tree);
    if (!updates.empty() &&
        git_tree_create_updated(&id, repository, tree, updates.size(), updates.data()) != 0)
        return Error{ErrorKind::Invalid, "cannot change these files together: " + git_reason()};
    return id;
}

// Angle brackets and line breaks would break the commit object's header.
std::string plain_identity(std::string text) {
    for (char& c : text)
        if (c == '<' || c == '>' || (c >= 0 && c < 0x20)) c = ' ';
    return text;
}

}  // namespace

Result<ObjectId> Mirror::commit(const ObjectId& parent, const std::vector<FileChange>& changes,
                                const CommitText& text) {
    return state_->sound([&]() -> Result<ObjectId> {
        auto repository = state_->scratch();
        if (!repository) return repository.error();
        auto before = state_->find_commit(parent);
        if (!before) return before.error();
        TreePtr tree;
        if (git_call(tree, git_commit_tree, before->get()) != 0)
            return state_->damage(ErrorKind::Transient, "cannot read the files of " + parent);
        const auto changed = changed_tree(*repository, tree.get(), changes);
        if (!changed) return changed.error();
        TreePtr after;
        if (git_call(after, git_tree_lookup, *repository, &*changed) != 0)
            return state_->damage(ErrorKind::Transient, "cannot read the changed files");
        SignaturePtr author;
        // No time zone: the same input gives the same commit wherever it is made.
        if (git_call(author, git_signature_new, plain_identity(text.author_name).c_str(),
                     plain_identity(text.author_email).c_str(),
                     git_time_t{text.when.time_since_epoch().count()}, 0) != 0)
            return Error{ErrorKind::Invalid, "cannot name the commit's author: " + git_reason()};
        const git_commit* parents[] = {before->get()};
        git_oid id{};
        if (git_commit_create(&id, *repository, nullptr, author.get(), author.get(), nullptr,
                              text.message.c_str(), after.get(), 1, parents) != 0)
            return Error{ErrorKind::Transient, "cannot write the commit: " + git_reason()};
        state_->note_commit();
        return to_text(id);
    });
}

Result<std::string> Mirror::diff(const ObjectId& commit) {
    return state_->sound([&]() -> Result<std::string> {
        auto found = state_->find_commit(commit);
        if (!found) return found.error();
        TreePtr after;
        TreePtr before;
        CommitPtr first;
        const bool has_parent = git_commit_parentcount(found->get()) > 0;
        if (git_call(after, git_commit_tree, found->get()) != 0 ||
            (has_parent && (git_call(first, git_commit_parent, found->get(), 0U) != 0 ||
                            git_call(before, git_commit_tree, first.get()) != 0)))
            return state_->damage(ErrorKind::Transient, "cannot read commit " + commit);
        DiffPtr difference;
        git_buf text = GIT_BUF_INIT;
        const bool made = git_call(difference, git_diff_tree_to_tree,
                                   git_commit_owner(found->get()), before.get(), after.get(),
                                   static_cast<const git_diff_options*>(nullptr)) == 0 &&
                          git_diff_to_buf(&text, difference.get(), GIT_DIFF_FORMAT_PATCH) == 0;
        if (!made) return state_->damage(ErrorKind::Transient, "cannot compare " + commit);
        std::string result(text.ptr, text.size);
        git_buf_dispose(&text);
        return result;
    });
}

Result<bool> Mirror::same_tree(const ObjectId& a, const ObjectId& b) {
    return state_->sound([&]() -> Result<bool> {
        auto first = state_->tree_of(a);
        if (!first) return first.error();
        auto second = state_->tree_of(b);
        if (!second) return second.error();
        return git_oid_equal(&first->id, &second->id) != 0;
    });
}

Result<std::optional<ObjectId>> Mirror::parent(const ObjectId& commit) {
    return state_->sound([&]() -> Result<std::optional<ObjectId>> {
        auto found = state_->find_commit(commit);
        if (!found) return found.error();
        const git_oid* id = git_commit_parent_id(found->get(), 0);
        if (id == nullptr) return std::optional<ObjectId>();
        return std::optional<ObjectId>(to_text(*id));
    });
}

}  // namespace promotiond::sdk::inline v1::gitops
