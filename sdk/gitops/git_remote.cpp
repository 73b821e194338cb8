#include "git_remote.hpp"

#include <algorithm>
#include <initializer_list>

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::size_t kMaxServerWords = 8 * 1024;
// Far above any repository of manifests; a bound for what a hostile server can write to the disk.
constexpr std::size_t kMaxPackBytes = std::size_t{2} << 30;

bool holds(const std::string& text, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

}  // namespace

git_remote_callbacks GitRemote::callbacks() {
    git_remote_callbacks callbacks = GIT_REMOTE_CALLBACKS_INIT;
    callbacks.transport = on_transport;
    callbacks.push_update_reference = on_update;
    callbacks.sideband_progress = on_sideband;
    callbacks.transfer_progress = on_transfer;
    callbacks.pack_progress = on_pack;
    callbacks.payload = this;
    return callbacks;
}

int GitRemote::on_transport(git_transport** out, git_remote* owner, void* self) {
    return GitTransport::make(out, owner, static_cast<GitRemote*>(self)->transport_);
}

int GitRemote::on_update(const char* reference, const char* status, void* self) {
    auto& remote = *static_cast<GitRemote*>(self);
    const std::string_view name = reference;
    if (status != nullptr) remote.refusal_ = printable(status);
    else if (name.substr(0, kHeads.size()) == kHeads)
        remote.updated_.emplace(name.substr(kHeads.size()));
    return 0;
}

int GitRemote::on_sideband(const char* words, int size, void* self) {
    auto& remote = *static_cast<GitRemote*>(self);
    const auto count = static_cast<std::size_t>(std::max(size, 0));
    if (remote.server_words_.size() + count <= kMaxServerWords)
        remote.server_words_.append(words, count);
    return remote.transport_->check_call();
}

int GitRemote::on_transfer(const git_indexer_progress* progress, void* self) {
    auto& remote = *static_cast<GitRemote*>(self);
    if (progress->received_bytes > kMaxPackBytes)
        return remote.transport_->fail(
            {ErrorKind::Invalid, "the repository's pack is larger than 2 GiB"});
    return remote.transport_->check_call();
}

int GitRemote::on_pack(int, std::uint32_t, std::uint32_t, void* self) {
    return static_cast<GitRemote*>(self)->transport_->check_call();
}

Error GitRemote::failed(const std::string& doing) const {
    if (const auto& failure = transport_->failure()) return context(*failure, doing);
    return {ErrorKind::Transient, doing + ": " + git_reason()};
}

Result<void> GitRemote::connect(git_direction direction) {
    transport_->reset();
    if (git_call(remote_, git_remote_create_anonymous, repository_, url_.c_str()) != 0)
        return Error{ErrorKind::Internal, "cannot name the remote: " + git_reason()};
    const auto hooks = callbacks();
    if (git_remote_connect(remote_.get(), direction, &hooks, nullptr, nullptr) == 0) return {};
    return failed("cannot read the references of the repository");
}

Result<Advertised> GitRemote::advertised() {
    const git_remote_head** heads = nullptr;
    std::size_t count = 0;
    if (git_remote_ls(&heads, &count, remote_.get()) != 0)
        return failed("cannot read the references of the repository");
    Advertised result;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string_view name = heads[i]->name;
        if (name.substr(0, kHeads.size()) == kHeads)
            result.heads.emplace(name.substr(kHeads.size()), to_text(heads[i]->oid));
    }
    git_buf name = GIT_BUF_INIT;
    if (git_remote_default_branch(&name, remote_.get()) == 0 && name.ptr != nullptr) {
        const std::string_view full(name.ptr, name.size);
        if (full.substr(0, kHeads.size()) == kHeads)
            result.default_branch = full.substr(kHeads.size());
    }
    git_buf_dispose(&name);
    return result;
}

std::optional<RemoteFailure> GitRemote::download(const std::string& branch) {
    std::string reference = std::string(kHeads) + branch;
    std::string specification = "+" + reference + ":" + reference;
    char* words = specification.data();
    const git_strarray specifications{&words, 1};
    git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
    options.callbacks = callbacks();
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    options.prune = GIT_FETCH_NO_PRUNE;
    if (git_remote_download(remote_.get(), &specifications, &options) == 0) return std::nullopt;
    const bool remote_failed = transport_->failure().has_value();
    return RemoteFailure{failed("cannot fetch branch " + branch),
                         remote_failed ? Blame::Remote : Blame::Mirror};
}

Result<std::set<std::string>> GitRemote::upload(
    const std::vector<std::pair<std::string, std::string>>& pairs) {
    // Forced, since a rebuilt branch is no descendant; what protects is the old id.
    std::vector<std::string> texts;
    for (const auto& [reference, branch] : pairs)
        texts.push_back("+" + reference + ":" + std::string(kHeads) + branch);
    std::vector<char*> words;
    for (auto& text : texts) words.push_back(text.data());
    const git_strarray specifications{words.data(), words.size()};
    git_push_options options = GIT_PUSH_OPTIONS_INIT;
    options.callbacks = callbacks();
    options.pb_parallelism = 1;
    if (git_remote_upload(remote_.get(), &specifications, &options) != 0)
        return failed("cannot push");
    return updated_;
}

Result<void> GitRemote::upload(const std::string& reference, const std::string& branch) {
    const auto done = upload({{reference, branch}});
    if (!done) return context(done.error(), "cannot push branch " + branch);
    auto verdict = judge_update(branch);
    if (!verdict) return context(verdict.error(), "cannot push branch " + branch);
    return verdict;
}

// A refusal by a hook or a branch rule is reported per reference while the push as such succeeds.
Result<void> GitRemote::judge_update(const std::string& branch) const {
    if (updated_.count(branch) != 0) return {};
    const std::string words = printable(server_words_, 2000);
    if (refusal_.empty())
        return Error{ErrorKind::Transient, "the server did not say what became of it"};
    const std::string said =
        "refused by the server (" + refusal_ + ")" + (words.empty() ? "" : ": " + words);
    if (holds(refusal_, {"non-fast-forward", "fetch first", "stale info", "failed to update ref",
                         "already exists", "cannot lock", "failed to lock", "incorrect old value"}))
        return Error{ErrorKind::Conflict, said};
    if (holds(refusal_, {"unpacker error", "unpack-objects", "index-pack"}))
        return Error{ErrorKind::Transient, said};
    return Error{ErrorKind::Invalid, said};
}

}  // namespace promotiond::sdk::inline v1::gitops
