// Part of strategy.hpp: Outcome's makers. Include that, not this.
#ifndef PROMOTIOND_DETAIL_OUTCOME_HPP
#define PROMOTIOND_DETAIL_OUTCOME_HPP

namespace promotiond::sdk::inline v1 {

inline Outcome Outcome::done(std::string location) {
    Outcome outcome;
    outcome.code = PROMOTIOND_DONE;
    outcome.location = std::move(location);
    return outcome;
}

inline Outcome Outcome::pending(std::string location, std::string external_id) {
    Outcome outcome;
    outcome.code = PROMOTIOND_PENDING;
    outcome.location = std::move(location);
    outcome.external_id = std::move(external_id);
    return outcome;
}

inline Outcome Outcome::retry_after(std::chrono::milliseconds after, std::string why) {
    Outcome outcome;
    outcome.code = PROMOTIOND_RETRY;
    outcome.why = std::move(why);
    outcome.not_before = after;
    return outcome;
}

inline Outcome Outcome::rejected(std::string why) {
    Outcome outcome;
    outcome.code = PROMOTIOND_REJECTED;
    outcome.why = std::move(why);
    return outcome;
}

inline Outcome Outcome::cancelled(std::string why) {
    Outcome outcome;
    outcome.code = PROMOTIOND_CANCELLED;
    outcome.why = std::move(why);
    return outcome;
}

inline Outcome Outcome::from(const Error& error) {
    switch (error.kind) {
        case ErrorKind::Throttled:
        case ErrorKind::Transient:
        case ErrorKind::Conflict:
            return retry_after(error.retry_after.value_or(std::chrono::milliseconds{0}),
                               error.message);
        case ErrorKind::Cancelled: return cancelled(error.message);
        case ErrorKind::Invalid:
        case ErrorKind::NotFound:
        case ErrorKind::Unauthorized:
        case ErrorKind::Internal: break;
    }
    return rejected(error.message);
}

inline Outcome&& Outcome::with_summary(std::string text) && {
    summary = std::move(text);
    return std::move(*this);
}

inline Outcome&& Outcome::with_details(std::string json) && {
    details = std::move(json);
    return std::move(*this);
}

}  // namespace promotiond::sdk::inline v1

#endif
