// Promotion: one attempt to bring one revision to one environment (or one target of it), its phase,
// and the one table of legal transitions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "model/pipeline.hpp"

namespace promotiond::model {

// 26 lower-case base32 characters behind "p-"; see promotion_id().
using PromotionId = std::string;

enum class Phase {
    Queued,
    AwaitingApproval,
    Running,
    Pending,
    Succeeded,
    Failed,
    Superseded,
    Cancelled
};

inline constexpr std::array kPhases{Phase::Queued,     Phase::AwaitingApproval, Phase::Running,
                                    Phase::Pending,    Phase::Succeeded,        Phase::Failed,
                                    Phase::Superseded, Phase::Cancelled};

[[nodiscard]] constexpr std::string_view name_of(Phase phase) noexcept {
    switch (phase) {
        case Phase::Queued: return "Queued";
        case Phase::AwaitingApproval: return "AwaitingApproval";
        case Phase::Running: return "Running";
        case Phase::Pending: return "Pending";
        case Phase::Succeeded: return "Succeeded";
        case Phase::Failed: return "Failed";
        case Phase::Superseded: return "Superseded";
        case Phase::Cancelled: return "Cancelled";
    }
    return "Failed";
}
[[nodiscard]] constexpr std::optional<Phase> phase_named(std::string_view name) noexcept {
    for (const Phase phase : kPhases) {
        if (name_of(phase) == name) return phase;
    }
    return std::nullopt;
}

// Every legal transition; nothing else is ever written. A promotion begins as Queued or
// AwaitingApproval.
inline constexpr std::array<std::pair<Phase, Phase>, 23> kTransitions{{
    {Phase::AwaitingApproval, Phase::Queued},      // approved
    {Phase::AwaitingApproval, Phase::Superseded},  // a newer revision waits now, or it is there
    {Phase::AwaitingApproval, Phase::Cancelled},
    {Phase::Queued, Phase::Running},  // a worker took it
    {Phase::Queued, Phase::Pending},  // a newer revision goes first, and a pull request is open
    {Phase::Queued, Phase::Superseded},
    {Phase::Queued, Phase::Cancelled},
    {Phase::Queued,
     Phase::Failed},  // it can no longer be carried out: its Pipeline or strategy is gone
    {Phase::Running, Phase::Queued},     // try again later, or the daemon stopped in the middle
    {Phase::Running, Phase::Pending},    // the forge has it
    {Phase::Running, Phase::Succeeded},  // done at once
    {Phase::Running, Phase::Failed},
    {Phase::Running, Phase::Superseded},
    {Phase::Running, Phase::Cancelled},
    {Phase::Pending, Phase::Succeeded},  // merged
    {Phase::Pending, Phase::Failed},     // closed without a merge
    {Phase::Pending, Phase::Superseded},
    {Phase::Pending, Phase::Cancelled},
    {Phase::Pending, Phase::Queued},  // carry it out anew: a person asked, or its branch went away
    {Phase::Failed, Phase::Queued},   // retried by a person
    {Phase::Failed, Phase::Superseded},
    {Phase::Cancelled, Phase::Queued},            // retried by a person
    {Phase::Cancelled, Phase::AwaitingApproval},  // retried, and nobody had approved it
}};

[[nodiscard]] constexpr bool may_follow(Phase from, Phase to) noexcept {
    for (const auto& [a, b] : kTransitions) {
        if (a == from && b == to) return true;
    }
    return false;
}

// True while the daemon still owes work or watching.
[[nodiscard]] constexpr bool unfinished(Phase phase) noexcept {
    return phase == Phase::Queued || phase == Phase::AwaitingApproval || phase == Phase::Running ||
           phase == Phase::Pending;
}

// What a promotion is for. Of a scope's promotions the newest is the current one; an older one is
// unfinished only while it is open at the forge, or while the newest waits for its approval.
struct Scope {
    PipelineName pipeline;
    std::string environment;  // promoted into
    std::string target;       // empty = all targets together
    auto operator<=>(const Scope&) const = default;
};

struct Promotion {
    PromotionId id;
    Scope scope;
    std::string revision;
    // Of the last succeeded promotion of this scope when it was decided, then when it was last
    // carried out; may be empty.
    std::string previous_revision;
    std::uint32_t ordinal = 0;  // how often this revision came to this scope before
    Phase phase = Phase::Queued;
    std::string reason;    // why it is in this phase, for people
    std::string strategy;  // key under spec.promotion at decision time
    // Who caused it: "event", "event:<controller>" or "observation"; once approved, who approved
    // it: "approval:<peer>", "operator:<name>".
    std::string actor;
    std::string event;          // JSON of the event that caused it
    std::uint32_t attempt = 0;  // tries so far
    WallTime created{};
    WallTime updated{};
    WallTime not_before{};  // with Queued: no try before; with Pending: no look before
    std::string summary;
    std::string location;
    std::string external_id;
    std::string details;  // JSON as the strategy answered
};

// True if a person let it go.
[[nodiscard]] inline bool approved(const Promotion& promotion) {
    return promotion.actor.starts_with("approval:") || promotion.actor.starts_with("operator:");
}

// One step in a promotion's life, as kept for ever.
struct Transition {
    PromotionId id;
    std::optional<Phase> from;  // none for the first
    Phase to = Phase::Queued;
    WallTime at{};
    std::string reason;
    std::string actor;
    std::uint32_t attempt = 0;
};

// Deterministic: the same scope, revision and ordinal give the same id, on any machine and after
// any restart. "p-" and the first 130 bits of SHA-256 over labelled fields, in lower-case base32
// (RFC 4648 alphabet, no padding).
[[nodiscard]] PromotionId promotion_id(const Scope& scope, const std::string& revision,
                                       std::uint32_t ordinal);

}  // namespace promotiond::model
