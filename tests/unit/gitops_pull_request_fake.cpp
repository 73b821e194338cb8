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

Result<std::optional<PullRequest>> MemoryForge::find_open(const std::string& head,
                                                          const std::string& base) {
    calls.push_back("find");
    if (find_error) return *find_error;
    if (std::exchange(hide_from_first_find, false)) return std::optional<PullRequest>();
    for (const auto& request : all) {
        if (request.head_branch == head && request.base_branch == base &&
            request.state == PullRequestState::Open) {
            return std::optional(request);
        }
    }
    return std::optional<PullRequest>();
}

Result<PullRequest> MemoryForge::create(const std::string& head, const std::string& base,
                                        const PullRequestText& text, bool draft) {
    calls.push_back("create");
    for (const auto& request : all) {
        if (request.head_branch == head && request.state == PullRequestState::Open) {
            return Error{ErrorKind::Conflict, "it already exists"};
        }
    }
    PullRequest request;
    request.number = all.size() + 1;
    request.url = "https://forge.test/pull/" + std::to_string(request.number);
    request.title = text.title;
    request.body = text.body;
    request.head_branch = head;
    request.base_branch = base;
    request.draft = draft;
    request.etag = "\"1\"";
    all.push_back(request);
    if (std::exchange(lose_answer_of_create, false)) return Error{ErrorKind::Transient, "cut off"};
    return request;
}

Result<PullRequest> MemoryForge::update(const PullRequest& existing, const PullRequestText& text) {
    calls.push_back("update");
    auto& request = all.at(existing.number - 1);
    request.title = text.title;
    request.body = text.body;
    return request;
}

Result<void> MemoryForge::close(const PullRequest& existing) {
    calls.push_back("close");
    all.at(existing.number - 1).state = PullRequestState::Closed;
    return {};
}

Result<std::optional<PullRequest>> MemoryForge::by_number(std::uint64_t number,
                                                          const std::string& etag) {
    calls.push_back("look");
    if (number > all.size()) return Error{ErrorKind::NotFound, "no such pull request"};
    if (all[number - 1].etag == etag) return std::optional<PullRequest>();
    return std::optional(all[number - 1]);
}

Result<std::vector<std::string>> MemoryForge::apply(const PullRequest&, const PullRequestOptions&) {
    calls.push_back("apply");
    if (apply_error) return *apply_error;
    return std::vector<std::string>();
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
    const auto at = fake::remote.branches.find(branch);
    if (at == fake::remote.branches.end()) {
        return Error{ErrorKind::NotFound, "no branch " + branch + "; the default is main"};
    }
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
Result<ObjectId> Mirror::commit(const ObjectId& parent, const std::vector<FileChange>& changes,
                                const CommitText& text) {
    auto tree = fake::remote.commits.at(parent).tree;
    for (const auto& change : changes) tree[change.path] = change.content;
    return fake::remote.add(parent, std::move(tree),
                            text.message + std::to_string(text.when.time_since_epoch().count()));
}
Result<std::string> Mirror::diff(const ObjectId& commit) { return "diff of " + commit; }
Result<bool> Mirror::same_tree(const ObjectId& a, const ObjectId& b) {
    return fake::remote.commits.at(a).tree == fake::remote.commits.at(b).tree;
}
Result<std::optional<ObjectId>> Mirror::parent(const ObjectId& commit) {
    return std::optional(fake::remote.commits.at(commit).parent);
}
Result<void> Mirror::push(const ObjectId& commit, const std::string& branch,
                          const std::optional<ObjectId>& expected) {
    if (fake::remote.before_push) std::exchange(fake::remote.before_push, {})();
    if (fake::remote.push_error) return *fake::remote.push_error;
    if (*remote_head(branch) != expected) return Error{ErrorKind::Conflict, "it moved"};
    fake::remote.branches[branch] = commit;
    ++fake::remote.pushes;
    return {};
}

}  // namespace promotiond::sdk::inline v1::gitops
