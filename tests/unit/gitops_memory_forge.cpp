#include "gitops_memory_forge.hpp"

namespace fake {

Result<std::optional<PullRequest>> MemoryForge::find_open(const std::string& head,
                                                          const std::string& base) {
    calls.push_back("find");
    if (find_error) return *find_error;
    if (std::exchange(hide_from_first_find, false)) return std::optional<PullRequest>();
    std::optional<PullRequest> elsewhere;
    for (const auto& request : all) {
        if (request.head_branch != head || request.state != PullRequestState::Open) continue;
        if (request.base_branch == base) return std::optional(request);
        elsewhere = request;
    }
    return elsewhere;
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
    if (update_error) return *update_error;
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

Result<void> MemoryForge::stop_auto_merge(const PullRequest& existing) {
    calls.push_back("stop");
    on_stop();
    if (stop_error) return *stop_error;
    all.at(existing.number - 1).auto_merge = false;
    return {};
}

Result<std::vector<std::string>> MemoryForge::apply(const PullRequest&, const PullRequestOptions&) {
    calls.push_back("apply");
    if (apply_error) return *apply_error;
    return std::vector<std::string>();
}

}  // namespace fake
