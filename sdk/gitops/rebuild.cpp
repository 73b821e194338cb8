#include "promotiond/gitops/rebuild.hpp"

#include "pull_request_answer.hpp"
#include "pull_request_change.hpp"

namespace promotiond::sdk::inline v1::gitops {
namespace {

// The answer, with why the request is left as it is; said once.
Outcome left(Outcome answer, Poco::JSON::Object::Ptr details, const std::string& why) {
    if (details->optValue<std::string>("left", {}) == why) return answer;
    details->set("left", why);
    answer.summary = "pull request #" + answer.external_id +
                     " cannot be merged, its branches conflict, and " + why;
    return std::move(answer).with_details(text_of(*details));
}

}  // namespace

// As the last answer had it.
struct Rebuild::Standing {
    Outcome answer;
    Poco::JSON::Object::Ptr details;
    std::uint64_t number = 0;
    ObjectId commit;  // that was pushed; empty: not known
};

Outcome Rebuild::look(Outcome answer, Call& call) {
    if (answer.code != PROMOTIOND_PENDING) return answer;
    const auto details = read_details(answer.details);
    if (details.isNull() || !details->optValue<bool>("conflicts", false)) return answer;
    const Standing standing{answer, details, details->optValue<Poco::UInt64>("number", 0),
                            details->optValue<std::string>("commit", {})};
    auto built = build(standing, call);
    if (built) return *std::move(built);
    const Error& why = built.error();
    if (!passes(why) && why.kind != ErrorKind::Conflict) {
        return left(std::move(answer), details, "it cannot be built anew: " + why.message);
    }
    call.log(Level::Info, "pull request #" + answer.external_id +
                              " is built anew at the next look: " + why.message);
    return answer;
}

Result<Outcome> Rebuild::build(const Standing& standing, Call& call) {
    const auto mirror = mirror_();
    if (!mirror) return Error(mirror.error());
    Change change(promotion_, call, config_, **mirror);
    const auto prepared = change.prepare();
    if (!prepared) return Error(prepared.error());
    auto request = forge_.by_number(standing.number, "");
    if (!request) return Error(request.error());
    // Settled meanwhile, or the Pipeline names another base now, which is for its next promotion.
    if (!*request || (*request)->state != PullRequestState::Open ||
        (*request)->base_branch != prepared->base) {
        return standing.answer;
    }
    const std::string branch = head_branch(promotion_);
    const auto head = (*mirror)->fetch(branch);
    if (!head) return Error(head.error());
    const auto made = change.made_as(*head);
    if (!made) return Error(made.error());
    if (!*made && *head != standing.commit) {
        return left(standing.answer, standing.details,
                    "it is not built anew, since somebody else has pushed to its branch " + branch +
                        "; merge " + prepared->base + " into that, or close the request");
    }
    if (prepared->changes.empty()) return close(**request, *prepared);
    const auto pushed = change.push(*prepared, MovedBase::Refused, *head);
    if (!pushed) return Error(pushed.error());
    if (*pushed == standing.commit)
        return standing.answer;  // the forge has yet to see that it fits
    // What people have made of the text stays, as long as it is true.
    if (!*made || (*made)->changed != prepared->changed) {
        auto told = forge_.update(**request, pull_request_text(promotion_, prepared->changed));
        if (!told) return std::move(told).error();
        *request = *std::move(told);
    }
    (*request)->head_sha = *pushed;
    auto outcome = complete(promotion_, call, config_, **mirror, forge_, **request, Opened::Updated,
                            prepared->base_head);
    if (outcome.code == PROMOTIOND_PENDING) {
        outcome.summary = "pull request #" + std::to_string(standing.number) +
                          " was built anew on " + prepared->base +
                          ", with which it conflicted: " + (*request)->title;
    }
    return outcome;
}

// The base has the revision by now: nothing is left to merge.
Result<Outcome> Rebuild::close(const PullRequest& request, const Prepared& prepared) {
    if (auto closed = forge_.close(request); !closed) return std::move(closed).error();
    return Outcome::done().with_summary("already at " + std::string(promotion_.revision) +
                                        "; closed pull request #" + std::to_string(request.number) +
                                        ", which conflicted with " + prepared.base);
}

}  // namespace promotiond::sdk::inline v1::gitops
