#include "answer.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "shown_url.hpp"

namespace promotiond::webhook {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kLongestWait{3600};
constexpr std::size_t kMostExcerpt = 160;
constexpr std::size_t kMostLocation = 2048;

// Printable ASCII only: a receiver's words must not draw on a terminal or break a log line.
std::string excerpt(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, kMostExcerpt)) out += c >= 0x20 && c < 0x7f ? c : '?';
    if (text.size() > kMostExcerpt) out += "...";
    return out;
}

bool is_absolute_url(std::string_view text) {
    if (text.size() > kMostLocation) return false;
    const bool http = text.starts_with("https://") || text.starts_with("http://");
    return http && text.find('@') == std::string_view::npos &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return c > 0x20 && c < 0x7f && c != '"' && c != '<' && c != '>';
           });
}

}  // namespace

std::optional<milliseconds> retry_after(std::string_view value,
                                        std::chrono::sys_time<milliseconds> now) {
    if (value.empty()) return std::nullopt;
    const bool digits = value.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits) {
        std::int64_t seconds = 0;
        const auto [end, error] =
            std::from_chars(value.data(), value.data() + value.size(), seconds);
        if (error != std::errc{} || seconds > kLongestWait.count()) return kLongestWait;
        if (seconds == 0) return std::nullopt;
        return std::chrono::seconds{seconds};
    }
    std::tm time{};
    const char* end = ::strptime(std::string(value).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
    if (end == nullptr) return std::nullopt;
    const auto at = std::chrono::sys_time<milliseconds>(std::chrono::seconds{::timegm(&time)});
    if (at <= now) return std::nullopt;
    return std::min<milliseconds>(at - now, kLongestWait);
}

sdk::Outcome outcome_of(const sdk::HttpResponse& response,
                        std::chrono::sys_time<milliseconds> now) {
    const int code = response.code;
    if (code / 100 == 2) {
        const auto location = response.header("Location");
        auto done = sdk::Outcome::done(is_absolute_url(location) ? std::string(location) : "");
        return std::move(done).with_summary("the receiver answered " + std::to_string(code));
    }
    std::string why = "request failed with status code " + std::to_string(code);
    if (code / 100 == 3)
        return sdk::Outcome::rejected(why + ": the receiver redirects to " +
                                      excerpt(shown_url(response.header("Location"))) +
                                      ", which is not followed; set url to where it should go");
    // The body is not quoted: a receiver may echo the headers it got, credentials among them.
    const bool again = code == 408 || code == 425 || code == 429 || (code >= 500 && code != 501);
    if (!again) return sdk::Outcome::rejected(why);
    return sdk::Outcome::retry_after(
        retry_after(response.header("Retry-After"), now).value_or(milliseconds{0}), why);
}

}  // namespace promotiond::webhook
