#include "strategy/answer.hpp"

#include <promotiond/abi.h>

#include <algorithm>

#include "base/log.hpp"
#include "strategy/schema.hpp"

namespace promotiond::strategy {

namespace {

using namespace std::chrono_literals;

constexpr auto kLongestWait = std::chrono::duration_cast<std::chrono::milliseconds>(24h);

// Length of the valid sequence at the start, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
    }
    const auto second = byte(1);
    if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
    if (lead == 0xED && second > 0x9F) return 0;  // surrogate
    if (lead == 0xF0 && second < 0x90) return 0;  // overlong
    if (lead == 0xF4 && second > 0x8F) return 0;  // above U+10FFFF
    return length;
}

Outcome outcome_of(std::int32_t code, std::vector<std::string>& breaches) {
    switch (code) {
        case PROMOTIOND_DONE: return Outcome::Done;
        case PROMOTIOND_PENDING: return Outcome::Pending;
        case PROMOTIOND_RETRY: return Outcome::Retry;
        case PROMOTIOND_REJECTED: return Outcome::Rejected;
        case PROMOTIOND_CANCELLED: return Outcome::Cancelled;
        default: break;
    }
    breaches.push_back("returned the unknown outcome " + std::to_string(code));
    return Outcome::Rejected;
}

void check_utf8(std::string& text, std::string_view what, std::vector<std::string>& breaches) {
    if (is_utf8(text)) return;
    breaches.push_back("its " + std::string(what) + " is not valid UTF-8");
    text = as_utf8(text);
}

void check_parts(RawAnswer& raw) {
    check_utf8(raw.message, "message", raw.breaches);
    check_utf8(raw.summary, "summary", raw.breaches);
    check_utf8(raw.external_id, "external id", raw.breaches);
    if (!raw.location.empty() && !is_web_url(raw.location)) {
        raw.breaches.emplace_back("its location is not an http(s) URL without userinfo");
        raw.location.clear();
    }
    if (!raw.details.empty() && !(is_utf8(raw.details) && is_json_object(raw.details))) {
        raw.breaches.emplace_back("its details are not a JSON object");
        raw.details.clear();
    }
    if (raw.retry_after_ms < 0) {
        raw.breaches.emplace_back("its retry time is negative");
        raw.retry_after_ms = 0;
    }
}

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const auto& part : parts) text += (text.empty() ? "" : "; ") + part;
    return text;
}

}  // namespace

std::string_view name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::Done: return "done";
        case Outcome::Pending: return "pending";
        case Outcome::Retry: return "retry";
        case Outcome::Rejected: return "rejected";
        case Outcome::Cancelled: return "cancelled";
    }
    return "rejected";
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const auto length = sequence_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string as_utf8(std::string_view text) {
    std::string valid;
    valid.reserve(text.size());
    while (!text.empty()) {
        const auto length = sequence_length(text);
        valid.append(length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length));
        text.remove_prefix(std::max<std::size_t>(1, length));
    }
    return valid;
}

bool is_web_url(std::string_view text) {
    std::size_t scheme = 0;
    if (text.starts_with("https://")) scheme = 8;
    if (text.starts_with("http://")) scheme = 7;
    if (scheme == 0) return false;
    const auto authority = text.substr(scheme, text.find_first_of("/?#", scheme) - scheme);
    if (authority.empty() || authority.find('@') != std::string_view::npos) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte < 0x7F && c != '"' && c != '<' && c != '>' && c != '\\';
    });
}

Answer judge(std::int32_t code, RawAnswer raw) {
    Answer answer;
    answer.outcome = outcome_of(code, raw.breaches);
    check_parts(raw);
    answer.message = log::redacted(raw.message);
    answer.summary = log::redacted(raw.summary);
    answer.location = log::redacted(raw.location);
    answer.external_id = std::move(raw.external_id);
    answer.details = log::redacted(raw.details);
    // A masked value may have held a quote that the document needed.
    if (!answer.details.empty() && !is_json_object(answer.details)) answer.details.clear();
    answer.answered = raw.answered;
    answer.secrets = std::move(raw.secrets);
    if (answer.outcome == Outcome::Retry) answer.absent = std::move(raw.absent);
    if (raw.retry_after_ms > 0) {
        answer.retry_after = std::min(std::chrono::milliseconds{raw.retry_after_ms}, kLongestWait);
    }
    answer.misbehaved = !raw.breaches.empty();
    if (answer.misbehaved) {
        if (!answer.message.empty()) answer.message += "; ";
        answer.message += "the strategy misbehaved: " + joined(raw.breaches);
    }
    return answer;
}

}  // namespace promotiond::strategy
