#include <promotiond/gitops/mirror.hpp>

#include "mirror_state.hpp"

namespace promotiond::sdk::inline v1::gitops {

Mirror::Mirror(std::unique_ptr<State> state) : state_(std::move(state)) {}
Mirror::Mirror(Mirror&&) noexcept = default;
Mirror& Mirror::operator=(Mirror&&) noexcept = default;
Mirror::~Mirror() = default;

Result<Mirror> Mirror::open(Call& call, const std::string& url, Credentials credentials) {
    auto address = parse_git_address(url);
    if (!address) return address.error();
    for (const char c : credentials.username)
        if (c == ':' || (c >= 0 && c < 0x20) || c == 0x7f)
            return Error{ErrorKind::Invalid,
                         "the secret's username holds a colon or a control character"};
    for (const char c : credentials.bearer.reveal())
        if (c <= 0x20 || c >= 0x7f)
            return Error{ErrorKind::Invalid,
                         "the secret's bearer token holds a space or another character that no "
                         "header can hold"};
    if (auto started = start_git_library(); !started) return started.error();
    auto cache = call.cache_directory("git " + url);
    if (!cache) return context(cache.error(), "no cache for " + address->display());
    return Mirror(std::make_unique<State>(call, url, std::move(*address), std::move(credentials),
                                          std::move(*cache)));
}

Result<ObjectId> Mirror::fetch(const std::string& branch) {
    if (auto good = check_branch_name(branch); !good) return good.error();
    return state_->fetch(branch);
}

std::optional<ObjectId> Mirror::recently_fetched(const std::string& branch) {
    return state_->recently_fetched(branch);
}

Result<std::string> Mirror::default_branch() {
    auto there = state_->advertised();
    if (!there) return there.error();
    if (!(*there)->default_branch.empty()) return (*there)->default_branch;
    return Error{ErrorKind::NotFound, state_->address().display() +
                                          " has no default branch; name the branch, or make a "
                                          "first commit if the repository is empty"};
}

Result<std::optional<ObjectId>> Mirror::remote_head(const std::string& branch) {
    if (auto good = check_branch_name(branch); !good) return good.error();
    auto there = state_->advertised();
    if (!there) return there.error();
    const auto found = (*there)->heads.find(branch);
    if (found == (*there)->heads.end()) return std::optional<ObjectId>();
    return std::optional<ObjectId>(found->second);
}

Result<void> Mirror::push(const ObjectId& commit, const std::string& branch,
                          const std::optional<ObjectId>& expected,
                          const std::optional<BranchHead>& based_on) {
    if (auto good = check_branch_name(branch); !good) return good;
    const auto id = to_oid(commit);
    if (!id) return Error{ErrorKind::Invalid, "not an object id: " + printable(commit, 80)};
    return state_->push(
        {.commit = to_text(*id), .branch = branch, .expected = expected, .based_on = based_on});
}

}  // namespace promotiond::sdk::inline v1::gitops
