// libgit2's global state, its handles as owners, and its errors as values.
#ifndef PROMOTIOND_GITOPS_GIT_LIBRARY_HPP
#define PROMOTIOND_GITOPS_GIT_LIBRARY_HPP

#include <git2.h>

#include <memory>
#include <optional>
#include <string>

#include <promotiond/gitops/mirror.hpp>

namespace promotiond::sdk::inline v1::gitops {

// Once per process, whichever thread and whichever copy of this code comes first. Sets memory
// bounds and turns off the configuration files of the host (an insteadOf there would send a push
// elsewhere).
[[nodiscard]] Result<void> start_git_library();

template <auto kFree>
struct GitFree {
    template <class Handle>
    void operator()(Handle* handle) const {
        kFree(handle);
    }
};
template <class Handle, auto kFree>
using GitPtr = std::unique_ptr<Handle, GitFree<kFree>>;

using RepositoryPtr = GitPtr<git_repository, git_repository_free>;
using RemotePtr = GitPtr<git_remote, git_remote_free>;
using OdbPtr = GitPtr<git_odb, git_odb_free>;
using CommitPtr = GitPtr<git_commit, git_commit_free>;
using TreePtr = GitPtr<git_tree, git_tree_free>;
using EntryPtr = GitPtr<git_tree_entry, git_tree_entry_free>;
using BlobPtr = GitPtr<git_blob, git_blob_free>;
using DiffPtr = GitPtr<git_diff, git_diff_free>;
using SignaturePtr = GitPtr<git_signature, git_signature_free>;
using ReferencePtr = GitPtr<git_reference, git_reference_free>;

// Fills an owner from a C function's out parameter: git_call(tree, git_tree_lookup, repository,
// &id)
template <class Owner, class Function, class... Arguments>
int git_call(Owner& owner, Function function, Arguments... arguments) {
    typename Owner::pointer handle = nullptr;
    const int code = function(&handle, arguments...);
    owner.reset(handle);
    return code;
}

// The library's last error on this thread, printable.
[[nodiscard]] std::string git_reason();
[[nodiscard]] ObjectId to_text(const git_oid& id);
[[nodiscard]] std::optional<git_oid> to_oid(const ObjectId& text);

}  // namespace promotiond::sdk::inline v1::gitops

#endif
