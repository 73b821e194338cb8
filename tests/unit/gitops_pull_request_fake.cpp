#include "gitops_pull_request_fake.hpp"

namespace fake {

Remote remote;

std::string Remote::add(const std::string& parent, std::map<std::string, std::string> tree,
                        const std::string& message) {
    // Content decides the id, as in git.
    std::string all = parent + message;
    for (const auto& [path, content] : tree) all += path + '\0' + content + '\0';
    const std::string id = "c" + std::to_string(std::hash<std::string>{}(all));
    commits[id] = {parent, std::move(tree), message};
    return id;
}

void Remote::write(const std::string& branch, const std::string& path, const std::string& content) {
    auto tree = branches.contains(branch) ? commits[branches[branch]].tree
                                          : std::map<std::string, std::string>();
    tree[path] = content;
    branches[branch] = add(branches[branch], std::move(tree), "by hand " + content);
}

std::string Remote::read(const std::string& branch, const std::string& path) const {
    const auto at = branches.find(branch);
    return at == branches.end() ? "(no branch)" : commits.at(at->second).tree.at(path);
}

}  // namespace fake

namespace promotiond::sdk::inline v1::gitops {

class Mirror::State {};
Mirror::Mirror(std::unique_ptr<State> state) : state_(std::move(state)) {}
Mirror::Mirror(Mirror&&) noexcept = default;
Mirror& Mirror::operator=(Mirror&&) noexcept = default;
Mirror::~Mirror() = default;

Result<Mirror> Mirror::open(Call&, const std::string&, Credentials) {
    return Mirror(std::make_unique<State>());
}
Result<ObjectId> Mirror::fetch(const std::string& branch) {
    ++fake::remote.fetches;
    const auto at = fake::remote.branches.find(branch);
    if (at == fake::remote.branches.end()) {
        return Error{ErrorKind::NotFound, "no branch " + branch + "; the default is main"};
    }
    return at->second;
}
std::optional<ObjectId> Mirror::recently_fetched(const std::string& branch) {
    const auto at = fake::remote.fetched.find(branch);
    if (at == fake::remote.fetched.end()) return {};
    return at->second;
}
Result<std::string> Mirror::default_branch() { return std::string("main"); }
Result<std::optional<ObjectId>> Mirror::remote_head(const std::string& branch) {
    const auto at = fake::remote.branches.find(branch);
    if (at == fake::remote.branches.end()) return std::optional<ObjectId>();
    return std::optional(at->second);
}
Result<std::string> Mirror::read(const ObjectId& blob, std::size_t limit_bytes) {
    if (blob.size() > limit_bytes) return Error{ErrorKind::Invalid, "the file is too large"};
    return blob;  // a blob's id is its content here
}
Result<std::vector<TreeFile>> Mirror::files_holding(const ObjectId& commit, std::string_view text,
                                                    const std::vector<std::string>&,
                                                    std::size_t limit_bytes) {
    std::vector<TreeFile> found;
    for (const auto& [path, content] : fake::remote.commits.at(commit).tree) {
        if (content.size() > limit_bytes) continue;
        if (content.find(text) != std::string::npos) found.push_back({path, content, 0, false});
    }
    return found;
}
Result<std::vector<TreeFile>> Mirror::files_below(const ObjectId& commit, const std::string&,
                                                  const std::vector<std::string>& suffixes) {
    return files_holding(commit, "", suffixes, SIZE_MAX);
}
Result<ObjectId> Mirror::commit(const ObjectId& parent, const std::vector<FileChange>& changes,
                                const CommitText& text) {
    auto tree = fake::remote.commits.at(parent).tree;
    for (const auto& change : changes) tree[change.path] = change.content;
    const auto id =
        fake::remote.add(parent, std::move(tree),
                         text.message + std::to_string(text.when.time_since_epoch().count()));
    fake::remote.commits.at(id).when = text.when;
    return id;
}
Result<std::string> Mirror::diff(const ObjectId& commit) { return "diff of " + commit; }
Result<bool> Mirror::same_tree(const ObjectId& a, const ObjectId& b) {
    return fake::remote.commits.at(a).tree == fake::remote.commits.at(b).tree;
}
// As if every commit changed every file.
Result<std::chrono::sys_seconds> Mirror::last_change(const ObjectId& commit, const std::string&) {
    return fake::remote.commits.at(commit).when;
}
Result<std::optional<ObjectId>> Mirror::parent(const ObjectId& commit) {
    return std::optional(fake::remote.commits.at(commit).parent);
}
Result<void> Mirror::push(const ObjectId& commit, const std::string& branch,
                          const std::optional<ObjectId>& expected,
                          const std::optional<BranchHead>& based_on) {
    if (fake::remote.before_push) std::exchange(fake::remote.before_push, {})();
    if (fake::remote.push_error) return *fake::remote.push_error;
    if (based_on && *remote_head(based_on->branch) != based_on->commit)
        return Error{ErrorKind::Conflict, "the base moved"};
    if (*remote_head(branch) != expected) return Error{ErrorKind::Conflict, "it moved"};
    fake::remote.branches[branch] = commit;
    ++fake::remote.pushes;
    return {};
}

}  // namespace promotiond::sdk::inline v1::gitops
