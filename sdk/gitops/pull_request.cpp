#include "promotiond/gitops/pull_request.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <charconv>
#include <sstream>
#include <utility>

#include "manifest_scalar.hpp"
#include "pull_request_change.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// So often a promotion is repeated for labels and people that a passing fault kept from being set.
constexpr std::uint32_t kTriesForOptions = 3;
constexpr int kRebuilds = 3;                     // when the base or the branch moves under us
constexpr std::size_t kLargestDiff = 32u << 10;  // bytes kept in the details

std::string text_of(const Poco::JSON::Object& object) {
    std::ostringstream out;
    object.stringify(out);
    return out.str();
}

enum class Owner { ThisPipeline, AnotherPipeline, Nobody };

// A branch name may fit two Pipelines ("a-b/c" and "a/b-c"); the metadata block says whose it is.
// A person may have taken it out, or opened a request of their own for the branch.
Owner owner_of(const PullRequest& found, const Promotion& promotion) {
    constexpr std::string_view kBlock = "!!! DO NOT EDIT !!!";
    const auto ours = pull_request_text(promotion, {}).body;
    const auto end = ours.find("</details>");
    const auto begin = ours.find(kBlock) + kBlock.size() + 1;
    std::string theirs;
    for (const char c : found.body) {
        if (c != '\r') theirs += c;
    }
    if (theirs.find(kBlock) == std::string::npos) return Owner::Nobody;
    return theirs.find(ours.substr(begin, end - begin)) == std::string::npos
               ? Owner::AnotherPipeline
               : Owner::ThisPipeline;
}

bool belongs_to_another(const PullRequest& found, const Promotion& promotion) {
    return owner_of(found, promotion) == Owner::AnotherPipeline;
}

// Opened by this Pipeline when its base was another branch.
bool is_left_over(const PullRequest& found, const Promotion& promotion, const std::string& base) {
    return found.base_branch != base && owner_of(found, promotion) == Owner::ThisPipeline;
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
        if (!*again || (*again)->base_branch != base) return std::move(created).error();
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

Outcome complete(const Promotion& promotion, Call& call, const PullRequestConfig& config,
                 Mirror& mirror, Forge& forge, const PullRequest& request, Opened opened,
                 const ObjectId& base_head) {
    if (request.state != PullRequestState::Open) return settled(request);
    auto warnings = forge.apply(request, config.options);
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
    details.set("repository", config.url);
    details.set("baseCommit", base_head);
    details.set("warnings", list);
    add_diff(details, mirror, request.head_sha);
    return Outcome::pending(request.url, std::to_string(request.number))
        .with_summary("pull request #" + std::to_string(request.number) +
                      (opened == Opened::Updated ? " updated: " : " opened: ") + request.title)
        .with_details(text_of(details));
}

// What an earlier config let merge by itself must not do so with a revision that waits for people.
// Where it cannot be switched off for good, apply() says so.
Result<void> hold(std::optional<PullRequest>& found, const PullRequestOptions& options,
                  Forge& forge) {
    if (!found || !found->auto_merge || options.auto_merge) return {};
    auto stopped = forge.stop_auto_merge(*found);
    if (!stopped) return passes(stopped.error()) ? std::move(stopped) : Result<void>();
    found->auto_merge = false;
    return {};
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
    if ((*found)->base_branch != prepared.base &&
        !is_left_over(**found, promotion, prepared.base)) {
        return already_there(promotion);
    }
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
        auto secondhand = build == 1 ? change.prepare_secondhand() : std::nullopt;
        const auto prepared = secondhand ? *std::move(secondhand) : change.prepare();
        if (!prepared) return Outcome::from(prepared.error());
        if (prepared->changes.empty()) return withdraw(promotion, *prepared, forge);
        // Asked before the push, so that a refused token leaves nothing behind in the repository.
        auto found = forge.find_open(head_branch(promotion), prepared->base);
        if (!found) return Outcome::from(found.error());
        if (*found && belongs_to_another(**found, promotion)) {
            if (prepared->secondhand) continue;
            return Outcome::rejected("branch " + head_branch(promotion) +
                                     " is in use by another Pipeline: " + (*found)->url);
        }
        // The Pipeline's base was changed: left open, the old request would show the new branch.
        if (*found && is_left_over(**found, promotion, prepared->base)) {
            if (const auto closed = forge.close(**found); !closed) {
                return Outcome::from(closed.error());
            }
        }
        if (*found && (*found)->base_branch != prepared->base) {
            found = std::optional<PullRequest>();
        }
        if (auto held = hold(*found, config.options, forge); !held) {
            return Outcome::from(held.error());
        }
        // A base that never holds still must not keep the request from opening.
        const auto pushed =
            change.push(*prepared, build < kRebuilds ? MovedBase::Refused : MovedBase::Tolerated);
        if (!pushed) {
            auto outcome = Outcome::from(pushed.error());
            const bool settled = outcome.code == PROMOTIOND_REJECTED;
            if (pushed.error().kind != ErrorKind::Conflict && !(prepared->secondhand && settled))
                return outcome;
            why = pushed.error().message;
            continue;
        }
        call.progress("opening the pull request");
        const auto opened = *found ? Opened::Updated : Opened::Created;
        auto request = find_or_create(promotion, config, prepared->base,
                                      pull_request_text(promotion, prepared->changed),
                                      *std::move(found), forge);
        if (request) {
            request->head_sha = *pushed;
            return complete(promotion, call, config, mirror, forge, *request, opened,
                            prepared->base_head);
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
                Call& call, const PullRequestConfig& config, Forge& forge) {
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
    // Another spelling of the same repository's address shows the same request.
    const auto url = last->optValue<std::string>("url", {});
    const bool renamed = last->optValue<std::string>("repository", config.url) != config.url;
    auto now = forge.by_number(number, renamed ? "" : last->optValue<std::string>("etag", {}));
    const bool gone = !now && now.error().kind == ErrorKind::NotFound;
    if (renamed && (gone || (now && *now && (*now)->url != url))) {
        return Outcome::rejected(url + " is not of the repository that the Pipeline names now, " +
                                 config.url + "; merge or close it there by hand");
    }
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
    last->set("repository", config.url);
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
