#include "promotiond/gitops/pull_request.hpp"

#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeParser.h>
#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <charconv>
#include <sstream>
#include <utility>

#include "manifest_marker.hpp"
#include "manifest_scalar.hpp"
#include "promotiond/gitops/manifest.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// So often a promotion is repeated for labels and people that a passing fault kept from being set.
constexpr std::uint32_t kTriesForOptions = 3;
constexpr int kRebuilds = 3;  // when the base or the branch moves under us
// Looked through for markers; what may be edited is smaller, so that a marked file in between is
// refused by name instead of passed over.
constexpr std::size_t kLargestSearched = 16u << 20;  // bytes
constexpr std::size_t kLargestDiff = 32u << 10;      // bytes kept in the details
const std::vector<std::string> kSuffixes{".yaml", ".yml"};

// What the base branch would become.
struct Prepared {
    std::string base;
    ObjectId base_head;
    std::vector<FileChange> changes;
    std::vector<std::string> changed;  // for people: "path:line: from x to y"
};

struct Pushed {
    ObjectId commit;
    bool base_moved = false;  // while we worked: the branch is to be built anew
};

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

std::string text_of(const Poco::JSON::Object& object) {
    std::ostringstream out;
    object.stringify(out);
    return out.str();
}

// One promotion's git work: everything up to the pushed branch.
class Change {
public:
    Change(const Promotion& promotion, Call& call, const PullRequestConfig& config, Mirror& mirror)
        : promotion_(promotion), call_(call), config_(config), mirror_(mirror) {}

    Result<Prepared> prepare() {
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

    Result<ObjectId> commit(const Prepared& prepared) {
        CommitText text;
        text.message = pull_request_text(promotion_, {}).title;
        text.author_name = config_.author_name;
        text.author_email = config_.author_email;
        text.when = commit_time(promotion_, call_);
        return mirror_.commit(prepared.base_head, prepared.changes, text);
    }

    // Makes the remote branch hold the change on the current base; pushes only if it does not yet.
    Result<Pushed> push(const Prepared& prepared) {
        const std::string branch = head_branch(promotion_);
        auto made = commit(prepared);
        if (!made) return std::move(made).error();
        auto remote = mirror_.remote_head(branch);
        if (!remote) return std::move(remote).error();
        auto same = holds_already(*remote, *made, prepared, branch);
        if (!same) return std::move(same).error();
        if (*same) return Pushed{**remote, false};
        call_.progress("pushing " + branch);
        if (auto done = mirror_.push(*made, branch, *remote); !done) {
            return context(std::move(done).error(), "cannot push branch " + branch);
        }
        // As it was when the push connected, which has cost nothing to ask.
        const auto base = mirror_.remote_head(prepared.base);
        if (!base) return base.error();
        return Pushed{*made, *base && **base != prepared.base_head};
    }

private:
    Result<void> edit(Prepared& prepared) {
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
        return Error{
            ErrorKind::Invalid,
            "no marker # " + first_marker(promotion_) + " found on branch " + prepared.base +
                "; put it behind the value that is to be promoted, in a .yaml or .yml file"};
    }

    static void take(Prepared& prepared, const std::string& path, Edited edited) {
        for (const Edit& edit : edited.edits) {
            prepared.changed.push_back(path + ":" + std::to_string(edit.line) + ": from " +
                                       edit.before + " to " + edit.after);
        }
        prepared.changes.push_back({path, std::move(edited.text)});
    }

    // True if the remote branch is the very change already: same tree on the same parent.
    Result<bool> holds_already(const std::optional<ObjectId>& remote, const ObjectId& made,
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

    const Promotion& promotion_;
    Call& call_;
    const PullRequestConfig& config_;
    Mirror& mirror_;
};

// A branch name may fit two Pipelines ("a-b/c" and "a/b-c"); the metadata block says whose it is.
bool belongs_to_another(const PullRequest& found, const Promotion& promotion) {
    constexpr std::string_view kBlock = "!!! DO NOT EDIT !!!";
    const auto ours = pull_request_text(promotion, {}).body;
    const auto end = ours.find("</details>");
    const auto begin = ours.find(kBlock) + kBlock.size() + 1;
    std::string theirs;
    for (const char c : found.body) {
        if (c != '\r') theirs += c;
    }
    return theirs.find(kBlock) != std::string::npos &&
           theirs.find(ours.substr(begin, end - begin)) == std::string::npos;
}

Result<PullRequest> find_or_create(const Promotion& promotion, const PullRequestConfig& config,
                                   const std::string& base, const PullRequestText& text,
                                   std::optional<PullRequest> found, Forge& forge) {
    const std::string head = head_branch(promotion);
    if (!found) {
        auto created = forge.create(head, base, text, config.options.draft);
        if (created || created.error().kind != ErrorKind::Conflict) return created;
        auto again = forge.find_open(head, base);
        if (!again) return std::move(again).error();
        if (!*again) return std::move(created).error();
        found = *std::move(again);
    }
    if (found->title == text.title && found->body == text.body) return *std::move(found);
    return forge.update(*found, text);
}

Poco::JSON::Object details_of(const PullRequest& request) {
    Poco::JSON::Object details;
    details.set("number", static_cast<Poco::UInt64>(request.number));
    details.set("url", request.url);
    details.set("branch", request.head_branch);
    details.set("base", request.base_branch);
    details.set("commit", request.head_sha);
    details.set("title", request.title);
    details.set("body", request.body);
    details.set("etag", request.etag);
    return details;
}

void add_diff(Poco::JSON::Object& details, Mirror& mirror, const ObjectId& commit) {
    auto diff = mirror.diff(commit);
    if (diff && diff->size() <= kLargestDiff && is_utf8(*diff)) details.set("diff", *diff);
}

Outcome settled(const PullRequest& request) {
    const std::string name = "pull request #" + std::to_string(request.number);
    if (request.state == PullRequestState::Merged) {
        return Outcome::done(request.url).with_summary(name + " was merged");
    }
    const std::string why = request.obstacle.empty() ? "" : " (" + request.obstacle + ")";
    return Outcome::rejected(name + " was closed without a merge" + why + ": " + request.url);
}

bool passes(const Error& error) {
    return error.kind == ErrorKind::Transient || error.kind == ErrorKind::Throttled;
}

enum class Opened { Created, Updated };

Outcome complete(const Promotion& promotion, Call& call, const PullRequestOptions& options,
                 Mirror& mirror, Forge& forge, const PullRequest& request, Opened opened) {
    if (request.state != PullRequestState::Open) return settled(request);
    auto warnings = forge.apply(request, options);
    if (!warnings && passes(warnings.error()) && promotion.attempt < kTriesForOptions) {
        return Outcome::from(warnings.error());
    }
    // Labels and the like are no reason to undo what is open already.
    const std::vector<std::string> warned =
        warnings ? *warnings : std::vector<std::string>{warnings.error().message};
    Poco::JSON::Array list;
    for (const auto& warning : warned) {
        call.log(Level::Warn, warning);
        list.add(warning);
    }
    auto details = details_of(request);
    details.set("warnings", list);
    add_diff(details, mirror, request.head_sha);
    return Outcome::pending(request.url, std::to_string(request.number))
        .with_summary("pull request #" + std::to_string(request.number) +
                      (opened == Opened::Updated ? " updated: " : " opened: ") + request.title)
        .with_details(text_of(details));
}

Outcome already_there(const Promotion& promotion) {
    return Outcome::done().with_summary("already at " + std::string(promotion.revision));
}

// Nothing is to change. A request that is still open on our branch is for a revision that was
// superseded by this one: left open, its merge would bring the withdrawn revision.
Outcome withdraw(const Promotion& promotion, const Prepared& prepared, Forge& forge) {
    const auto found = forge.find_open(head_branch(promotion), prepared.base);
    if (!found) return Outcome::from(found.error());
    if (!*found || belongs_to_another(**found, promotion)) return already_there(promotion);
    if (const auto closed = forge.close(**found); !closed) return Outcome::from(closed.error());
    return Outcome::done().with_summary(
        "already at " + std::string(promotion.revision) + "; closed pull request #" +
        std::to_string((*found)->number) + ", which was for another revision");
}

}  // namespace

Outcome not_seen(const Error& error) {
    if (error.kind == ErrorKind::Cancelled) return Outcome::cancelled(error.message);
    return Outcome::retry_after(error.retry_after.value_or(std::chrono::milliseconds{0}),
                                error.message);
}

Outcome promote(const Promotion& promotion, Call& call, const PullRequestConfig& config,
                Mirror& mirror, Forge& forge) {
    Change change(promotion, call, config, mirror);
    std::string why;
    for (int build = 1; build <= kRebuilds; ++build) {
        if (call.cancelled()) return Outcome::cancelled();
        const auto prepared = change.prepare();
        if (!prepared) return Outcome::from(prepared.error());
        if (prepared->changes.empty()) return withdraw(promotion, *prepared, forge);
        // Asked before the push, so that a refused token leaves nothing behind in the repository.
        auto found = forge.find_open(head_branch(promotion), prepared->base);
        if (!found) return Outcome::from(found.error());
        if (*found && belongs_to_another(**found, promotion)) {
            return Outcome::rejected("branch " + head_branch(promotion) +
                                     " is in use by another Pipeline: " + (*found)->url);
        }
        const auto pushed = change.push(*prepared);
        if (!pushed) {
            if (pushed.error().kind != ErrorKind::Conflict) return Outcome::from(pushed.error());
            why = pushed.error().message;
            continue;
        }
        if (pushed->base_moved && build < kRebuilds) continue;
        call.progress("opening the pull request");
        const auto opened = *found ? Opened::Updated : Opened::Created;
        auto request = find_or_create(promotion, config, prepared->base,
                                      pull_request_text(promotion, prepared->changed),
                                      *std::move(found), forge);
        if (request) {
            request->head_sha = pushed->commit;
            return complete(promotion, call, config.options, mirror, forge, *request, opened);
        }
        const Error failure = context(std::move(request).error(), "cannot open pull request");
        // The branch was deleted since, or the forge is behind its own git: looked at again.
        if (failure.kind != ErrorKind::Conflict) return Outcome::from(failure);
        why = failure.message;
    }
    return Outcome::retry_after({}, why);
}

Outcome plan(const Promotion& promotion, Call& call, const PullRequestConfig& config,
             Mirror& mirror) {
    Change change(promotion, call, config, mirror);
    const auto prepared = change.prepare();
    if (!prepared) return Outcome::from(prepared.error());
    if (prepared->changes.empty()) return already_there(promotion);
    const auto commit = change.commit(*prepared);
    if (!commit) return Outcome::from(commit.error());
    auto diff = mirror.diff(*commit);
    if (!diff) return Outcome::from(diff.error());
    const auto text = pull_request_text(promotion, prepared->changed);
    Poco::JSON::Object details;
    details.set("diff", is_utf8(*diff) ? *diff : std::string("(not UTF-8)"));
    details.set("title", text.title);
    details.set("body", text.body);
    details.set("branch", head_branch(promotion));
    details.set("base", prepared->base);
    return Outcome::done()
        .with_summary("would open or update a pull request: " + text.title)
        .with_details(text_of(details));
}

Outcome observe(const Promotion& promotion, std::string_view external_id, std::string_view details,
                Call& call, Forge& forge) {
    std::uint64_t number = 0;
    const char* const end = external_id.data() + external_id.size();
    const auto read = std::from_chars(external_id.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end || number == 0) {
        return Outcome::rejected("\"" + std::string(external_id) +
                                 "\" is no pull request's number");
    }
    Poco::JSON::Object::Ptr last = new Poco::JSON::Object;  // Poco's own shared pointer
    try {
        Poco::JSON::Parser parser;
        if (!details.empty()) {
            last = parser.parse(std::string(details)).extract<Poco::JSON::Object::Ptr>();
        }
    } catch (const Poco::Exception&) {
        call.log(Level::Warn, "the details of the last answer cannot be read; looking afresh");
    }
    auto now = forge.by_number(number, last->optValue<std::string>("etag", {}));
    if (!now) return not_seen(now.error());
    if (!*now) {
        return Outcome::pending(last->optValue<std::string>("url", {}), std::string(external_id))
            .with_details(std::string(details));
    }
    const PullRequest& request = **now;
    if (request.head_branch != head_branch(promotion)) {
        return Outcome::rejected("pull request #" + std::to_string(number) + " is not of branch " +
                                 head_branch(promotion));
    }
    if (request.state != PullRequestState::Open) return settled(request);
    last->set("etag", request.etag);
    last->set("url", request.url);
    auto pending = Outcome::pending(request.url, std::string(external_id));
    // Said when it comes and when it goes; in between the daemon keeps the last word.
    if (request.obstacle != last->optValue<std::string>("obstacle", {})) {
        pending.summary =
            "pull request #" + std::to_string(number) +
            (request.obstacle.empty() ? " can be merged: "
                                      : " cannot be merged, " + request.obstacle + ": ") +
            request.title;
        last->set("obstacle", request.obstacle);
    }
    return std::move(pending).with_details(text_of(*last));
}

}  // namespace promotiond::sdk::inline v1::gitops
