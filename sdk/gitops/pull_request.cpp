#include "promotiond/gitops/pull_request.hpp"

#include <Poco/JSON/Array.h>

#include <charconv>
#include <utility>

#include "manifest_scalar.hpp"
#include "pull_request_answer.hpp"
#include "pull_request_change.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

constexpr int kRebuilds = 3;  // when the base or the branch moves under us

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
        if (*found) {
            const auto held = hold(**found, config.options, forge);
            if (!held) return Outcome::from(held.error());
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
            return complete(promotion, call, config, mirror, forge, *request, opened, *prepared);
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
    auto last = read_details(details);
    if (last.isNull()) {
        if (!details.empty()) {
            call.log(Level::Warn, "the details of the last answer cannot be read; looking afresh");
        }
        last = new Poco::JSON::Object;  // Poco's own shared pointer
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
    if (!request.head_sha.empty()) last->set("head", request.head_sha);
    if (request.conflicts) {
        last->set("conflicts", true);
    } else {
        last->remove("conflicts");
        last->remove("left");
    }
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
