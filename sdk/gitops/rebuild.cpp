#include "promotiond/gitops/rebuild.hpp"

#include <charconv>

#include "pull_request_answer.hpp"
#include "pull_request_change.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

using Object = Poco::JSON::Object;

// What the request is yet to be told since its branch was pushed: "text" and the options, or
// "options" alone.
constexpr const char* kOwed = "owed";
// The head that somebody else has pushed.
constexpr const char* kTheirs = "theirs";
// Why a request that conflicts is left as it is.
constexpr const char* kLeft = "left";

std::string text_in(const Object& details, const char* name) {
    return details.optValue<std::string>(name, {});
}

std::vector<std::string> changed_in(const Object& details) {
    std::vector<std::string> changed;
    const auto list = details.getArray("changed");
    for (std::size_t i = 0; !list.isNull() && i < list->size(); ++i)
        changed.push_back(list->getElement<std::string>(static_cast<unsigned>(i)));
    return changed;
}

std::uint64_t number_in(const std::string& external_id) {
    std::uint64_t number = 0;
    (void)std::from_chars(external_id.data(), external_id.data() + external_id.size(), number);
    return number;
}

bool comes_back(const Error& error) { return passes(error) || error.kind == ErrorKind::Cancelled; }

}  // namespace

// As the last answer had it.
struct Rebuild::Standing {
    Outcome answer;
    Object::Ptr details;
    ObjectId commit;  // that was pushed; empty: not known
    bool conflicts = false;

    [[nodiscard]] bool wants_nothing() const {
        const auto head = details->optValue<std::string>("head", commit);  // in the forge's words
        if (details->has(kTheirs) && text_in(*details, kTheirs) == head) {
            return !conflicts || details->has(kLeft);
        }
        return !conflicts && head == commit && !details->has(kOwed);
    }
    [[nodiscard]] Outcome as_it_is() const {
        Outcome same = answer;
        return std::move(same).with_details(text_of(*details));
    }
    // With why; said once.
    [[nodiscard]] Outcome left(const std::string& why) {
        if (!conflicts || text_in(*details, kLeft) == why) return as_it_is();
        details->set(kLeft, why);
        answer.summary = "pull request #" + answer.external_id +
                         " cannot be merged, its branches conflict, and " + why;
        return as_it_is();
    }
};

Outcome Rebuild::look(Outcome answer, Call& call) {
    if (answer.code != PROMOTIOND_PENDING) return answer;
    auto details = read_details(answer.details);
    if (details.isNull()) return answer;
    Standing standing{answer, details, text_in(*details, "commit"),
                      details->optValue<bool>("conflicts", false)};
    if (standing.wants_nothing()) return answer;
    auto built = build(standing, call);
    if (built) return *std::move(built);
    const Error& why = built.error();
    if (why.kind == ErrorKind::Cancelled) return standing.as_it_is();
    if (!passes(why) && why.kind != ErrorKind::Conflict) {
        details->remove(kTheirs);
        return standing.left("it cannot be built anew: " + why.message);
    }
    call.log(Level::Info, "pull request #" + answer.external_id +
                              " is built anew at the next look: " + why.message);
    return standing.as_it_is();
}

Result<Outcome> Rebuild::build(Standing& standing, Call& call) {
    const auto mirror = mirror_();
    if (!mirror) return Error(mirror.error());
    Change change(promotion_, call, config_, **mirror);
    const std::string branch = head_branch(promotion_);
    auto commit = (*mirror)->fetch(branch);
    if (!commit) return commit.error();
    auto made = change.made_as(*commit);
    if (!made) return Error(made.error());
    if (!*made && *commit != standing.commit) {
        standing.details->set(kTheirs, *commit);
        return standing.left("it is not built anew, since somebody else has pushed to its branch " +
                             branch + "; merge " +
                             standing.details->optValue<std::string>("base", "its base") +
                             " into that, or close the request");
    }
    auto request = forge_.by_number(number_in(standing.answer.external_id), "");
    if (!request) return Error(request.error());
    if (!*request || (*request)->state != PullRequestState::Open) return standing.answer;
    if (standing.conflicts) {
        auto prepared = change.prepare();
        if (!prepared) return Error(prepared.error());
        // The Pipeline names another base now, which is for its next promotion.
        if ((*request)->base_branch != prepared->base) return standing.answer;
        if (prepared->changes.empty()) return close(**request, *prepared);
        const bool stands = *made && (*made)->base_head == prepared->base_head;
        if (!stands) {  // else nothing is pushed
            if (auto held = stop_merge(standing, **request); !held) return Error(held.error());
        }
        commit = change.push(*prepared, MovedBase::Refused, *commit);
        if (!commit) return commit.error();
        *made = *std::move(prepared);
    }
    // From here on nothing is an error: what was pushed must be remembered.
    (*request)->head_sha = *commit;
    if (*commit == standing.commit) {  // the forge has yet to see that it fits
        tell(standing, **request, call);
        return standing.as_it_is();
    }
    const bool true_text = text_in(*standing.details, kOwed) != "text" &&
                           changed_in(*standing.details) == (*made)->changed;
    Standing anew{standing.answer, details_of(config_, **mirror, **request, **made), *commit};
    anew.details->set(kOwed, true_text ? "options" : "text");
    tell(anew, **request, call);
    anew.answer.summary = "pull request #" + anew.answer.external_id + " was built anew on " +
                          (*request)->base_branch +
                          ", with which it conflicted: " + text_in(*anew.details, "title");
    return anew.as_it_is();
}

Result<void> Rebuild::stop_merge(Standing& standing, PullRequest& request) {
    const bool merged_by_itself = request.auto_merge;
    auto held = hold(request, config_.options, forge_);
    // Switched on again by the gate, which is to find itself closed for that.
    if (merged_by_itself && !request.auto_merge) standing.details->remove("gate");
    return held;
}

// What people have made of the text stays, as long as it is true. What a passing fault keeps from
// the request stays owed.
void Rebuild::tell(Standing& standing, PullRequest request, Call& call) {
    Object& details = *standing.details;
    const auto owed_still = [&](const Error& why) {
        call.log(Level::Info, "pull request #" + std::to_string(request.number) +
                                  " is brought up to date at the next look: " + why.message);
    };
    if (text_in(details, kOwed) == "text") {
        auto told = forge_.update(request, pull_request_text(promotion_, changed_in(details)));
        if (!told && comes_back(told.error())) return owed_still(told.error());
        if (!told) call.log(Level::Warn, told.error().message);
        if (told) {
            told->head_sha = request.head_sha;
            request = *std::move(told);
            details.set("title", request.title);
            details.set("body", request.body);
            details.set("etag", request.etag);
        }
        details.set(kOwed, "options");
    }
    if (!details.has(kOwed)) return;
    const auto applied = forge_.apply(request, config_.options);
    if (!applied && comes_back(applied.error())) return owed_still(applied.error());
    keep_warnings(details, applied, call);
    details.remove(kOwed);
}

// The base has the revision by now: nothing is left to merge.
Result<Outcome> Rebuild::close(const PullRequest& request, const Prepared& prepared) {
    if (auto closed = forge_.close(request); !closed) return std::move(closed).error();
    return Outcome::done().with_summary("already at " + std::string(promotion_.revision) +
                                        "; closed pull request #" + std::to_string(request.number) +
                                        ", which conflicted with " + prepared.base);
}

}  // namespace promotiond::sdk::inline v1::gitops
