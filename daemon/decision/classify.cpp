#include "decision/classify.hpp"

#include <algorithm>
#include <array>

namespace promotiond::decision {

namespace {

enum class Meaning { Runs, Failed, Progressing, RolledBack, Test, Uninstalled, Unclear };

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}
bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// Reasons of today's controllers are words of their own.
Meaning meaning_of_reason(std::string_view reason) {
    constexpr std::array<std::string_view, 3> kRuns{"ready", "healthy", "synced"};
    constexpr std::array<std::string_view, 5> kProgressing{
        "progressing", "progressingwithretry", "dependencynotready", "suspended", "driftdetected"};
    const auto is_one_of = [reason](const auto& words) {
        return std::find(words.begin(), words.end(), reason) != words.end();
    };
    if (is_one_of(kProgressing)) return Meaning::Progressing;
    if (reason.ends_with("failed") || reason.ends_with("error")) return Meaning::Failed;
    if (reason.starts_with("rollback")) return Meaning::RolledBack;
    if (reason.starts_with("test")) return Meaning::Test;
    if (reason.starts_with("uninstall")) return Meaning::Uninstalled;
    if (reason.ends_with("succeeded") || is_one_of(kRuns)) return Meaning::Runs;
    return Meaning::Unclear;
}

// Before helm-controller 0.37 the reason was "info" for everything, and only the message tells.
// Names of charts follow the verb, so verbs are looked for at the beginning.
Meaning meaning_of_message(std::string_view message) {
    if (message.empty()) return Meaning::Runs;
    if (message.starts_with("helm rollback")) return Meaning::RolledBack;
    if (message.starts_with("helm test")) return Meaning::Test;
    if (message.starts_with("helm uninstall")) return Meaning::Uninstalled;
    if (contains(message, "has started") || contains(message, "not ready")) {
        return Meaning::Progressing;
    }
    if (message.starts_with("helm install succeeded") ||
        message.starts_with("helm upgrade succeeded") ||
        message.starts_with("release reconciliation succeeded") ||
        message.starts_with("reconciliation finished") || message.starts_with("applied revision") ||
        message.starts_with("health check passed")) {
        return Meaning::Runs;
    }
    if (contains(message, "fail") || contains(message, "error")) return Meaning::Failed;
    return contains(message, "succeeded") ? Meaning::Runs : Meaning::Unclear;
}

Meaning meaning_of(const model::Event& event) {
    const std::string severity = lower_case(event.severity);
    const std::string reason = lower_case(event.reason);
    if (severity == "error" || reason == "error") return Meaning::Failed;
    if (severity == "trace") return Meaning::Progressing;
    if (reason.empty() || reason == "info") return meaning_of_message(lower_case(event.message));
    const Meaning meaning = meaning_of_reason(reason);
    // Some reasons of today's controllers still come with the message of a start.
    if (meaning == Meaning::Runs && contains(lower_case(event.message), "has started")) {
        return Meaning::Progressing;
    }
    return meaning;
}

}  // namespace

std::optional<Reason> why_no_evidence(const model::Event& event) {
    std::string said = event.reason.empty() ? event.severity : event.reason;
    if (said.empty()) said = "no reason";
    const std::string subject = event.object.kind + " " + event.object.ns + "/" + event.object.name;
    switch (meaning_of(event)) {
        case Meaning::Runs: return std::nullopt;
        case Meaning::Failed:
            return Reason{"reports-failure", subject + " did not come to run " + event.revision +
                                                 " (" + said + "); a failure promotes nothing"};
        case Meaning::Progressing:
            return Reason{"in-progress", subject + " is still on its way to " + event.revision +
                                             " (" + said + "); its success will promote"};
        case Meaning::RolledBack:
            return Reason{"rolled-back", subject + " was rolled back to " + event.revision + " (" +
                                             said + "); a rollback promotes nothing"};
        case Meaning::Test:
            return Reason{"test", "a test of " + subject + " at " + event.revision + " (" + said +
                                      ") does not say that a new revision runs"};
        case Meaning::Uninstalled:
            return Reason{"uninstalled", subject + " was removed (" + said + ")"};
        case Meaning::Unclear: break;
    }
    return Reason{"unclear",
                  "the event (" + said + ") does not say that " + subject + " runs " +
                      event.revision +
                      "; it counts with a reason like UpgradeSucceeded, InstallSucceeded "
                      "or ReconciliationSucceeded"};
}

}  // namespace promotiond::decision
