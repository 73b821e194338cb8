#include "pull_request_change.hpp"

#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeParser.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <utility>

#include "manifest_marker.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// Looked through for markers; what may be edited is smaller, so that a marked file in between is
// refused by name instead of passed over.
constexpr std::size_t kLargestSearched = 16u << 20;  // bytes
const std::vector<std::string> kSuffixes{".yaml", ".yml"};

std::string first_marker(const Promotion& promotion) {
    return "{\"$promotion\": \"" + marker_names(promotion).front() + "\"}";
}

bool mentions_any(std::string_view text, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (text.find(name) != std::string_view::npos) return true;
    }
    return false;
}

// Deterministic where the event says when it happened, so that a repeat makes the same commit.
// Without a time it is the call's: then a repeat finds its branch by tree and parent instead.
std::chrono::sys_seconds commit_time(const Promotion& promotion, const Call& call) {
    try {
        Poco::JSON::Parser parser;
        const auto event =
            parser.parse(std::string(promotion.event)).extract<Poco::JSON::Object::Ptr>();
        const auto text = event->optValue<std::string>("timestamp", {});
        Poco::DateTime time;
        int zone = 0;
        if (Poco::DateTimeParser::tryParse(Poco::DateTimeFormat::ISO8601_FRAC_FORMAT, text, time,
                                           zone)) {
            time.makeUTC(zone);
            return std::chrono::sys_seconds(std::chrono::seconds(time.timestamp().epochTime()));
        }
    } catch (const Poco::Exception&) {
        // no event: fall through
    }
    return std::chrono::floor<std::chrono::seconds>(call.now());
}

void take(Prepared& prepared, const std::string& path, Edited edited) {
    for (const Edit& edit : edited.edits) {
        prepared.changed.push_back(path + ":" + std::to_string(edit.line) + ": from " +
                                   edit.before + " to " + edit.after);
    }
    prepared.changes.push_back({path, std::move(edited.text)});
}

}  // namespace

Result<Prepared> Change::prepare() {
    Prepared prepared;
    auto base =
        config_.branch.empty() ? mirror_.default_branch() : Result<std::string>(config_.branch);
    if (!base) return context(std::move(base).error(), "cannot find the default branch");
    prepared.base = *base;
    call_.progress("fetching " + prepared.base);
    auto head = mirror_.fetch(prepared.base);
    if (!head) return context(std::move(head).error(), "cannot fetch base branch " + *base);
    prepared.base_head = *head;
    call_.progress("setting marked values");
    if (auto edited = edit(prepared); !edited) return std::move(edited).error();
    return prepared;
}

// Where the base is the repository's default branch, only the remote knows which that is.
std::optional<Prepared> Change::prepare_secondhand() {
    // A gate looks at what Flux says of the base, which must not be from before the last merge.
    if (config_.branch.empty() || !config_.gate.empty()) return {};
    const auto head = mirror_.recently_fetched(config_.branch);
    if (!head) return {};
    // A branch that is there may be the very change, which is for prepare() to find.
    const auto mine = mirror_.remote_head(head_branch(promotion_));
    if (!mine || *mine) return {};
    Prepared prepared;
    prepared.base = config_.branch;
    prepared.base_head = *head;
    prepared.secondhand = true;
    if (const auto edited = edit(prepared); !edited || prepared.changes.empty()) return {};
    return prepared;
}

Result<ObjectId> Change::commit(const Prepared& prepared) {
    return commit(prepared, commit_time(promotion_, call_));
}

Result<ObjectId> Change::commit(const Prepared& prepared, std::chrono::sys_seconds when) {
    CommitText text;
    text.message = pull_request_text(promotion_, {}).title;
    text.author_name = config_.author_name;
    text.author_email = config_.author_email;
    text.when = when;
    return mirror_.commit(prepared.base_head, prepared.changes, text);
}

Result<std::optional<Prepared>> Change::made_as(const ObjectId& head) {
    const auto parent = mirror_.parent(head);
    if (!parent) return Error(parent.error());
    if (!*parent) return std::optional<Prepared>();
    Prepared then;
    then.base_head = **parent;
    if (const auto edited = edit(then); !edited) {
        // Nothing that this promotion would be made on.
        if (edited.error().kind == ErrorKind::Invalid) return std::optional<Prepared>();
        return Error(edited.error());
    }
    if (then.changes.empty()) return std::optional<Prepared>();
    auto made = commit(then);
    if (!made) return Error(made.error());
    const auto same = mirror_.same_tree(*made, head);
    if (!same) return Error(same.error());
    if (!*same) return std::optional<Prepared>();
    // Its own time, which is the call's that made it where the event does not say when it happened.
    const auto when = mirror_.last_change(head, then.changes.front().path);
    if (!when) return Error(when.error());
    made = commit(then, *when);
    if (!made) return Error(made.error());
    return *made == head ? std::optional(std::move(then)) : std::nullopt;
}

Result<ObjectId> Change::push(const Prepared& prepared, MovedBase moved_base,
                              const std::optional<ObjectId>& from) {
    const std::string branch = head_branch(promotion_);
    auto made = commit(prepared);
    if (!made) return made;
    auto remote = mirror_.remote_head(branch);
    if (!remote) return std::move(remote).error();
    if (from && *remote != *from) {
        return Error{ErrorKind::Conflict, "branch " + branch + " moved meanwhile"};
    }
    auto same = holds_already(*remote, *made, prepared, branch);
    if (!same) return std::move(same).error();
    if (*same) return **remote;
    call_.progress("pushing " + branch);
    std::optional<BranchHead> base;
    if (moved_base == MovedBase::Refused) base = {prepared.base, prepared.base_head};
    auto done = mirror_.push(*made, branch, *remote, base);
    if (!done) return context(std::move(done).error(), "cannot push branch " + branch);
    return made;
}

Result<void> Change::edit_image(Prepared& prepared, const PromotedImage& image) {
    const ImageRelease release{image.group, image.app, std::string(promotion_.revision)};
    const auto files = mirror_.files_below(prepared.base_head, image.directory, kSuffixes);
    if (!files && files.error().kind == ErrorKind::NotFound) {
        return Error{ErrorKind::Invalid, "there is no directory " + image.directory +
                                             " on branch " + prepared.base + "; make it"};
    }
    if (!files) return Error(files.error());
    bool matched = false;
    for (const TreeFile& file : *files) {
        if (call_.cancelled()) return Error{ErrorKind::Cancelled, "asked to stop"};
        auto content = mirror_.read(file.blob, kLargestSearched);
        if (!content) return context(std::move(content).error(), file.path);
        if (!may_hold_markers(file.path, *content, kImageMarkerKey)) continue;
        auto edited = set_image_values(*content, release);
        if (!edited) return context(std::move(edited).error(), "cannot edit " + file.path);
        matched = matched || !edited->edits.empty();
        if (edited->changed) take(prepared, file.path, *std::move(edited));
    }
    if (matched) return {};
    return Error{ErrorKind::Invalid, "no marker # {\"$imagepolicy\": \"" + image.group + ":" +
                                         image.app + "\"} found below " + image.directory +
                                         " on branch " + prepared.base +
                                         "; put it behind the image that is to be promoted"};
}

Result<void> Change::edit(Prepared& prepared) {
    if (config_.image) return edit_image(prepared, *config_.image);
    const auto names = marker_names(promotion_);
    const ManifestLimits limits;
    // The key rather than our own name: what is remembered per file then serves all Pipelines.
    const auto files = mirror_.files_holding(
        prepared.base_head, '"' + std::string(kMarkerKey) + '"', kSuffixes, kLargestSearched);
    if (!files) return Error(files.error());
    bool matched = false;
    for (const TreeFile& file : *files) {
        if (call_.cancelled()) return Error{ErrorKind::Cancelled, "asked to stop"};
        auto content = mirror_.read(file.blob, kLargestSearched);
        if (!content) return context(std::move(content).error(), file.path);
        if (!mentions_any(*content, names)) continue;
        auto edited = set_marked_values(*content, names, promotion_.revision, limits);
        if (!edited) {
            return context(std::move(edited).error(), "cannot edit " + file.path);
        }
        matched = matched || !edited->edits.empty();
        if (edited->changed) take(prepared, file.path, *std::move(edited));
    }
    if (matched) return {};
    return Error{ErrorKind::Invalid,
                 "no marker # " + first_marker(promotion_) + " found on branch " + prepared.base +
                     "; put it behind the value that is to be promoted, in a .yaml or .yml file"};
}

// True if the remote branch is the very change already: same tree on the same parent.
Result<bool> Change::holds_already(const std::optional<ObjectId>& remote, const ObjectId& made,
                                   const Prepared& prepared, const std::string& branch) {
    if (!remote) return false;
    if (*remote == made) return true;
    auto fetched = mirror_.fetch(branch);
    if (!fetched) {
        if (fetched.error().kind != ErrorKind::NotFound) return std::move(fetched).error();
        return Error{ErrorKind::Conflict, "branch " + branch + " was deleted meanwhile"};
    }
    if (*fetched != *remote) {
        return Error{ErrorKind::Conflict, "branch " + branch + " moved meanwhile"};
    }
    auto parent = mirror_.parent(*remote);
    if (!parent) return std::move(parent).error();
    if (*parent != prepared.base_head) return false;
    return mirror_.same_tree(*remote, made);
}

}  // namespace promotiond::sdk::inline v1::gitops
