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

std::string sentence(const std::string& gate, std::optional<Verdict> verdict,
                     const ObjectId& commit) {
    const std::string at = " on " + commit.substr(0, 10);
    if (verdict == Verdict::Success) return gate + " is reconciled" + at;
    if (verdict == Verdict::Failure) return gate + " failed to reconcile" + at;
    return "waits for Flux to reconcile " + gate + at;
}

}  // namespace

struct MergeGate::Seen {
    std::optional<Verdict> verdict;
    ObjectId commit;
};

PullRequestConfig MergeGate::held(PullRequestConfig config) {
    if (!config.gate.empty()) config.options.auto_merge = false;
    return config;
}

Result<MergeGate::Seen> MergeGate::flux_says(const ObjectId& built_on, const std::string& base) {
    const auto there = commits_.statuses(built_on);
    if (!there) return Error(there.error());
    if (auto verdict = verdict_on(config_.gate, *there)) return Seen{verdict, built_on};
    const auto head = head_of_(base);
    if (!head) return Error(head.error());
    if (!*head || **head == built_on) return Seen{std::nullopt, built_on};
    const auto newer = commits_.statuses(**head);
    if (!newer) return Error(newer.error());
    return Seen{verdict_on(config_.gate, *newer), **head};
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
    if (config_.gate.empty() || answer.code != PROMOTIOND_PENDING) return answer;
    auto details = parsed(answer.details);
    if (details.isNull()) return answer;
    const auto before = details->optValue<std::string>("gate", {});
    if (before == kOpen) return answer;
    const auto seen = flux_says(details->optValue<std::string>("baseCommit", {}),
                                details->optValue<std::string>("base", {}));
    if (!seen) {
        call.log(Level::Warn, "cannot see how " + config_.gate + " fares: " + seen.error().message);
        return answer;
    }
    const auto number = details->optValue<Poco::UInt64>("number", 0);
    std::string now = word(seen->verdict);
    if (now != before) {
        const std::string said = sentence(config_.gate, seen->verdict, seen->commit);
        const auto told = commits_.publish(
            details->optValue<std::string>("commit", {}),
            {"promotiond/" + config_.gate, seen->verdict.value_or(Verdict::Pending), said});
        if (!told) call.log(Level::Warn, told.error().message);
        if (!told && passes(told.error())) return answer;  // all of it again, at the next look
        answer.summary = "pull request #" + std::to_string(number) + ": " + said;
    }
    if (seen->verdict == Verdict::Success) {
        if (const auto done = let_go(number, call); done) now = kOpen;
        else call.log(Level::Warn, done.error().message);
    }
    details->set("gate", now);
    return std::move(answer).with_details(text_of(*details));
}

}  // namespace promotiond::sdk::inline v1::gitops
