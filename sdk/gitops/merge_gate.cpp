#include "promotiond/gitops/merge_gate.hpp"

#include <Poco/Exception.h>
#include <Poco/JSON/Parser.h>

#include <sstream>

namespace promotiond::sdk::inline v1::gitops {
namespace {

using Object = Poco::JSON::Object;

Object::Ptr parsed(const std::string& details) {
    try {
        return Poco::JSON::Parser().parse(details).extract<Object::Ptr>();
    } catch (const Poco::Exception&) {
        return {};
    }
}

std::string text_of(const Object& object) {
    std::ostringstream out;
    object.stringify(out);
    return out.str();
}

// Kept with the promotion, to tell a new word from one that was published already.
constexpr std::string_view kOpen = "open";
std::string word(std::optional<Verdict> verdict) {
    if (verdict == Verdict::Success) return "success";
    if (verdict == Verdict::Failure) return "failure";
    return "pending";
}

bool passes(const Error& error) {
    return error.kind == ErrorKind::Transient || error.kind == ErrorKind::Throttled;
}

constexpr const char* kGate = "promotiond/gate";

}  // namespace

struct MergeGate::Seen {
    std::optional<Verdict> verdict;
    ObjectId commit;
    bool gone_back = false;  // Flux is content, but not with this revision
};

namespace {

std::string sentence(const std::string& gate, std::optional<Verdict> verdict, bool gone_back,
                     const ObjectId& commit) {
    const std::string at = " on " + commit.substr(0, 10);
    if (gone_back) return gate + " has another version" + at + "; waits until it has this one";
    if (verdict == Verdict::Success) return gate + " is reconciled" + at;
    if (verdict == Verdict::Failure) return gate + " failed to reconcile" + at;
    return "waits for Flux to reconcile " + gate + at;
}

}  // namespace

PullRequestConfig MergeGate::held(PullRequestConfig config) {
    if (!config.gate.empty()) config.options.auto_merge = false;
    return config;
}

Result<MergeGate::Seen> MergeGate::flux_says(const ObjectId& built_on, const std::string& branch) {
    bool gone_back = false;
    const auto word_on = [&](const ObjectId& commit) -> Result<std::optional<Verdict>> {
        const auto there = commits_.statuses(commit);
        if (!there) return Error(there.error());
        const auto verdict = verdict_on(config_.gate, *there);
        if (verdict != Verdict::Success) return verdict;
        const auto carried = base_.carries(branch, commit);
        if (!carried) return Error(carried.error());
        gone_back = !*carried;
        return gone_back ? std::optional<Verdict>() : verdict;
    };
    const auto older = word_on(built_on);
    if (!older) return Error(older.error());
    if (*older == Verdict::Success) return Seen{*older, built_on};
    const auto head = base_.head(branch);
    if (!head) return Error(head.error());
    if (!*head || **head == built_on) return Seen{*older, built_on, gone_back};
    const auto newer = word_on(**head);
    if (!newer) return Error(newer.error());
    if (*newer || gone_back || !*older) return Seen{*newer, **head, gone_back};
    return Seen{*older, built_on};
}

Result<void> MergeGate::show(std::uint64_t number, const ObjectId& commit,
                             const StatusReport& report) {
    if (!config_.gate.empty()) {
        auto named = report;
        named.context = "promotiond/" + config_.gate;
        if (auto told = commits_.publish(commit, number, named); !told) return told;
    }
    return commits_.publish(commit, number, report);
}

Result<void> MergeGate::let_go(std::uint64_t number, Call& call) {
    const auto request = forge_.by_number(number, "");
    if (!request) return Error(request.error());
    if (!*request || (*request)->state != PullRequestState::Open) return {};
    const auto warnings = forge_.apply(**request, config_.options);
    if (!warnings) return Error(warnings.error());
    for (const auto& warning : *warnings) call.log(Level::Warn, warning);
    return {};
}

Outcome MergeGate::look(Outcome answer, Call& call) {
    const bool waits = !config_.gate.empty();
    if ((!waits && !config_.image) || answer.code != PROMOTIOND_PENDING) return answer;
    auto details = parsed(answer.details);
    if (details.isNull()) return answer;
    const auto before = details->optValue<std::string>("gate", {});
    if (before == kOpen) return answer;
    Seen seen{Verdict::Success, {}};
    std::string said = "nothing is waited for";
    if (waits) {
        auto looked = flux_says(details->optValue<std::string>("baseCommit", {}),
                                details->optValue<std::string>("base", {}));
        if (!looked) {
            call.log(Level::Warn,
                     "cannot see how " + config_.gate + " fares: " + looked.error().message);
            return answer;
        }
        seen = *std::move(looked);
        said = sentence(config_.gate, seen.verdict, seen.gone_back, seen.commit);
    }
    const auto number = details->optValue<Poco::UInt64>("number", 0);
    std::string now = seen.gone_back ? "gone back" : word(seen.verdict);
    if (now != before) {
        const auto told = show(number, details->optValue<std::string>("commit", {}),
                               {kGate, seen.verdict.value_or(Verdict::Pending), said});
        if (!told) call.log(Level::Warn, told.error().message);
        if (!told && passes(told.error())) return answer;  // all of it again, at the next look
    }
    // A conflict holds it back whatever Flux says.
    if (waits && !details->has("conflicts")) {
        answer.summary = "pull request #" + std::to_string(number) + ": " + said;
    }
    if (seen.verdict == Verdict::Success) {
        const auto done = waits ? let_go(number, call) : Result<void>();
        if (done) now = kOpen;
        else call.log(Level::Warn, done.error().message);
    }
    details->set("gate", now);
    if (waits) details->set("gateCommit", seen.commit);
    return std::move(answer).with_details(text_of(*details));
}

}  // namespace promotiond::sdk::inline v1::gitops
