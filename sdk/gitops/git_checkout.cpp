#include <promotiond/gitops/checkout.hpp>

#include <set>

#include "git_library.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

using ConfigPtr = GitPtr<git_config, git_config_free>;
using IteratorPtr = GitPtr<git_reference_iterator, git_reference_iterator_free>;

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::string_view kOrigin = "refs/remotes/origin/";

Error wrong(const std::string& directory, const std::string& why) {
    return {ErrorKind::Invalid, directory + " " + why};
}

// What a CI system puts in front of the host would end in logs.
std::string without_user(std::string url) {
    const auto scheme = url.find("://");
    if (scheme == std::string::npos || url.starts_with("ssh://")) return url;
    const auto begin = scheme + 3;
    const auto slash = std::min(url.find('/', begin), url.size());
    const auto at = url.rfind('@', slash);
    if (at != std::string::npos && at >= begin && at < slash) url.erase(begin, at + 1 - begin);
    return url;
}

Result<void> take_head(git_repository* repository, Checkout& into, const std::string& directory) {
    ReferencePtr head;
    if (git_call(head, git_repository_head, repository) != 0)
        return wrong(directory, "has no commit to stand on: " + git_reason());
    const std::string_view name = git_reference_name(head.get());
    if (git_repository_head_detached(repository) == 0 && name.starts_with(kHeads))
        into.branch = name.substr(kHeads.size());
    const git_oid* id = git_reference_target(head.get());
    CommitPtr commit;
    if (id == nullptr || git_call(commit, git_commit_lookup, repository, id) != 0)
        return wrong(directory, "has no commit to stand on: " + git_reason());
    into.head = to_text(*id);
    for (unsigned i = 0; i < git_commit_parentcount(commit.get()); ++i)
        into.parents.push_back(to_text(*git_commit_parent_id(commit.get(), i)));
    return {};
}

void take_branches(git_repository* repository, Checkout& into) {
    IteratorPtr references;
    const std::string pattern = std::string(kOrigin) + "*";
    if (git_call(references, git_reference_iterator_glob_new, repository, pattern.c_str()) != 0)
        return;
    git_reference* next = nullptr;
    while (git_reference_next(&next, references.get()) == 0) {
        const ReferencePtr reference(next);
        const git_oid* id = git_reference_target(next);  // null: symbolic, as origin/HEAD
        const std::string_view name = git_reference_name(next);
        if (id != nullptr) into.branches.emplace(name.substr(kOrigin.size()), to_text(*id));
    }
}

}  // namespace

std::string likely_branch(const Checkout& checkout) {
    std::set<std::string> here;
    std::set<std::string> merged;  // a merge commit made for CI has the branch as second parent
    for (const auto& [branch, commit] : checkout.branches) {
        if (commit == checkout.head) here.insert(branch);
        if (checkout.parents.size() == 2 && commit == checkout.parents[1]) merged.insert(branch);
    }
    const auto& found = here.empty() ? merged : here;
    return found.size() == 1 ? *found.begin() : std::string();
}

Result<Checkout> read_checkout(const std::string& directory) {
    if (auto started = start_git_library(); !started) return started.error();
    // A CI job's container often has another user than the one who checked out. Nothing of the
    // repository is run, so whose it is does not matter.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    RepositoryPtr repository;
    if (git_call(repository, git_repository_open, directory.c_str()) != 0)
        return wrong(directory, "is no git repository: " + git_reason());
    Checkout checkout;
    RemotePtr origin;
    const char* url = nullptr;
    if (git_call(origin, git_remote_lookup, repository.get(), "origin") == 0)
        url = git_remote_url(origin.get());
    if (url == nullptr || *url == '\0')
        return wrong(directory, "has no remote origin with an address (remoteURL empty)");
    checkout.origin = without_user(url);
    if (auto taken = take_head(repository.get(), checkout, directory); !taken)
        return std::move(taken).error();
    take_branches(repository.get(), checkout);
    checkout.shallow = git_repository_is_shallow(repository.get()) == 1;
    checkout.objects = std::string(git_repository_commondir(repository.get())) + "objects";
    ConfigPtr config;
    git_buf file = GIT_BUF_INIT;
    if (git_call(config, git_repository_config, repository.get()) == 0 &&
        git_config_get_path(&file, config.get(), "http.sslCAInfo") == 0)
        checkout.ca_file.assign(file.ptr, file.size);
    git_buf_dispose(&file);
    return checkout;
}

}  // namespace promotiond::sdk::inline v1::gitops
