#include "net/api_budget.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "net/url.hpp"

namespace promotiond::net {
namespace {

using std::chrono::ceil;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kHeader = "Promotiond-Budget";
constexpr std::array<std::string_view, 4> kUrgencies{"refresh", "open", "merge", "rollback"};
// What part of a budget each may use; the rest is kept for the more urgent.
constexpr std::array<double, 4> kShares{0.80, 0.95, 0.99, 1.0};
// So many writes in a minute go at once; more are spaced. A burst that opens requests for a fleet
// stays below GitHub's 80 without waiting.
constexpr int kUnspacedWrites = 70;
constexpr seconds kWriteSpacing{1};
constexpr int kReadPoints = 1;
constexpr int kWritePoints = 5;
constexpr int kGraphqlPoints = 2000;
constexpr int kNotModified = 304;
constexpr milliseconds kLongestPause{std::chrono::hours{1}};
constexpr std::size_t kMostAccounts = 256;

double share_of(Urgency urgency) { return kShares[static_cast<std::size_t>(urgency)]; }

std::optional<std::int64_t> number_in(std::optional<std::string_view> text) {
    std::int64_t number = 0;
    if (!text) return std::nullopt;
    const auto read = std::from_chars(text->data(), text->data() + text->size(), number);
    if (read.ec != std::errc() || read.ptr != text->data() + text->size()) return std::nullopt;
    return number;
}

std::string digest_of(std::string_view secret) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_Digest(secret.data(), secret.size(), bytes.data(), &size, EVP_sha256(), nullptr);
    return {reinterpret_cast<const char*>(bytes.data()), size};
}

std::string host_of(const std::string& url) {
    const auto parsed = parse_url(url);
    return parsed ? parsed->authority() : std::string();
}

// Not by the secret itself, so that no table of secrets grows here.
std::string key_of(const Request& request) {
    const auto authorization = header(request.headers, "authorization");
    return host_of(request.url) + "\n" + digest_of(authorization.value_or(""));
}

bool is_refusal(const Response& response) {
    if (response.code == 429) return true;
    const bool told = header(response.headers, "retry-after").has_value();
    if (response.code == 503) return told;
    return response.code == 403 &&
           (told || response.body.find("secondary rate limit") != std::string::npos ||
            response.body.find("abuse detection") != std::string::npos);
}

}  // namespace

std::string_view name_of(Urgency urgency) { return kUrgencies[static_cast<std::size_t>(urgency)]; }

std::optional<Spending> take_spending(Request& request) {
    const auto text = header(request.headers, kHeader);
    if (!text) return std::nullopt;
    std::array<std::string, 3> words;
    std::string_view rest = *text;
    for (auto& word : words) {
        word = std::string(rest.substr(0, rest.find(' ')));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    std::erase_if(request.headers,
                  [](const auto& each) { return header({each}, kHeader).has_value(); });
    const auto urgency = std::find(kUrgencies.begin(), kUrgencies.end(), words[0]);
    if (urgency == kUrgencies.end() || (words[1] != "read" && words[1] != "write")) {
        return std::nullopt;
    }
    Spending spending;
    spending.urgency = static_cast<Urgency>(urgency - kUrgencies.begin());
    spending.writes = words[1] == "write";
    if (!words[2].empty()) spending.resource = words[2];
    return spending;
}

ApiBudgets::ApiBudgets(const Clock& clock, Metrics& metrics, milliseconds most)
    : clock_(clock), metrics_(metrics), most_(most) {}

ApiBudgets::Verdict ApiBudgets::weigh(const Account& account, const Spending& spending,
                                      SteadyTime begun, SteadyTime now) const {
    Verdict verdict;
    const auto hold = [&](milliseconds wait, const std::string& reason) {
        if (wait <= verdict.wait) return;
        verdict = {wait, reason};
    };
    if (account.quiet > now && (account.refused || begun > account.asked)) {
        hold(ceil<milliseconds>(account.quiet - now), account.host + " asked to be left alone");
    }
    if (!account.counts_writes) return verdict;
    const double share = share_of(spending.urgency);
    const int points = spending.writes ? kWritePoints : kReadPoints;
    const auto found = account.stated.find(spending.resource);
    if (found != account.stated.end()) {
        const Stated& stated = found->second;
        const auto kept =
            static_cast<std::int64_t>(static_cast<double>(stated.limit) * (1.0 - share));
        if (stated.until > now && stated.remaining <= kept) {
            hold(ceil<milliseconds>(stated.until - now),
                 std::to_string(stated.remaining) + " of " + std::to_string(stated.limit) +
                     " requests (" + spending.resource + ") are left" +
                     (kept > 0 ? ", kept for what is more urgent" : ""));
        }
        hold(stated.points.wait_for(points, share, now), "the requests of this minute are used up");
    }
    if (!spending.writes) return verdict;
    hold(account.writes_a_minute.wait_for(1, share, now), "the writes of this minute are used up");
    hold(account.writes_an_hour.wait_for(1, share, now), "the writes of this hour are used up");
    const bool many = account.writes_a_minute.spent(now) >= kUnspacedWrites;
    if (many && spending.urgency <= Urgency::Open) {
        hold(ceil<milliseconds>(account.last_write + kWriteSpacing - now),
             "many writes go a second apart");
    }
    return verdict;
}

ApiBudgets::Verdict ApiBudgets::admit(const Request& request, const Spending& spending,
                                      SteadyTime begun, const std::string& credential) {
    const SteadyTime now = clock_.steady_now();
    const std::scoped_lock lock(mutex_);
    const auto found = accounts_.find(key_of(request));
    if (found == accounts_.end()) return {};
    Account& account = found->second;
    account.used = now;
    Verdict verdict = weigh(account, spending, begun, now);
    if (verdict.wait > milliseconds{0}) {
        verdict.wait = std::min(verdict.wait, most_);
        metrics_
            .counter("promotiond_forge_budget_held_total",
                     "Waits and delays of requests for the sake of an API's limits.",
                     {{"host", account.host},
                      {"credential", credential},
                      {"urgency", std::string(name_of(spending.urgency))}})
            .add();
        return verdict;
    }
    if (auto stated = account.stated.find(spending.resource); stated != account.stated.end()) {
        stated->second.points.spend(spending.writes ? kWritePoints : kReadPoints, now);
        if (stated->second.remaining > 0) --stated->second.remaining;
    }
    if (spending.writes) {
        account.writes_a_minute.spend(1, now);
        account.writes_an_hour.spend(1, now);
        account.last_write = now;
    }
    return verdict;
}

void ApiBudgets::take_stated(Account& account, const Spending& spending, const Response& response,
                             SteadyTime now) {
    const auto limit = number_in(header(response.headers, "x-ratelimit-limit"));
    const auto remaining = number_in(header(response.headers, "x-ratelimit-remaining"));
    const auto reset = number_in(header(response.headers, "x-ratelimit-reset"));
    if (!limit || !remaining || !reset || *limit <= 0) return;
    // GitHub's own; Azure's are in units that no caller can count.
    if (header(response.headers, "x-ratelimit-used")) account.counts_writes = true;
    const auto made = account.stated.try_emplace(spending.resource);
    Stated& stated = made.first->second;
    if (made.second && spending.resource == "graphql") {
        stated.points = BudgetWindow(std::chrono::minutes{1}, kGraphqlPoints);
    }
    const WallTime wall = clock_.now();
    const WallTime at{
        std::clamp<milliseconds>(seconds{std::clamp<std::int64_t>(*reset, 0, 1LL << 40)},
                                 wall.time_since_epoch(), wall.time_since_epoch() + kLongestPause)};
    // Answers overtake each other: within one period the least that was said holds.
    const bool same_period = stated.reset == at && stated.until > now;
    // "Nothing new" is for free, so what it was counted as comes back.
    if (response.code == kNotModified && stated.remaining < stated.limit) ++stated.remaining;
    stated.remaining = same_period ? std::min(stated.remaining, *remaining) : *remaining;
    stated.limit = *limit;
    stated.reset = at;
    stated.until = now + std::min<milliseconds>(at - wall, most_);
    const Metrics::Labels labels{{"host", account.host},
                                 {"credential", account.credential},
                                 {"resource", spending.resource}};
    metrics_
        .gauge("promotiond_forge_budget_limit", "Requests that an API allows in a period.", labels)
        .set(static_cast<double>(stated.limit));
    metrics_.gauge("promotiond_forge_budget_remaining", "Requests that are left of them.", labels)
        .set(static_cast<double>(stated.remaining));
    metrics_
        .gauge("promotiond_forge_budget_reset_timestamp_seconds", "When the next period begins.",
               labels)
        .set(static_cast<double>(stated.reset.time_since_epoch().count()) / 1000.0);
}

void ApiBudgets::take_pause(Account& account, const Response& response, SteadyTime now) {
    const bool refused = is_refusal(response);
    const auto told = header(response.headers, "retry-after");
    if (!refused && !told) {
        if (response.code < 400) account.next_pause = std::chrono::minutes{1};
        return;
    }
    const auto number = number_in(told);
    milliseconds pause = seconds{std::clamp<std::int64_t>(number.value_or(0), 1, 3600)};
    if (!number) {
        if (!refused) return;
        // A budget that is used up ends with its period, which is stated.
        if (header(response.headers, "x-ratelimit-remaining") == "0") return;
        pause = account.next_pause;
        account.next_pause = std::min(account.next_pause * 2, kLongestPause);
    }
    account.asked = now;
    // An answer that comes late does not soften a refusal.
    account.refused = refused || (account.refused && account.quiet > now);
    account.quiet = std::max(account.quiet, now + std::min(pause, most_));
}

void ApiBudgets::learn(const Request& request, const Spending& spending, const Response& response,
                       const std::string& credential) {
    const SteadyTime now = clock_.steady_now();
    const bool states_limits = header(response.headers, "x-ratelimit-limit").has_value();
    const bool asks = header(response.headers, "retry-after").has_value() || is_refusal(response);
    const std::scoped_lock lock(mutex_);
    const std::string key = key_of(request);
    auto found = accounts_.find(key);
    if (found == accounts_.end()) {
        if (!states_limits && !asks) return;
        forget_unused(now);
        found = accounts_.try_emplace(key).first;
        found->second.host = host_of(request.url);
        found->second.credential = credential;
    }
    found->second.used = now;
    take_stated(found->second, spending, response, now);
    take_pause(found->second, response, now);
}

// Tokens of Apps live for an hour, and each is an account of its own.
void ApiBudgets::forget_unused(SteadyTime now) {
    if (accounts_.size() < kMostAccounts) return;
    std::erase_if(accounts_,
                  [now](const auto& each) { return each.second.used + kLongestPause < now; });
}

std::vector<BudgetState> ApiBudgets::states() const {
    const SteadyTime now = clock_.steady_now();
    const std::scoped_lock lock(mutex_);
    std::vector<BudgetState> all;
    for (const auto& [key, account] : accounts_) {
        BudgetState state{.host = account.host, .credential = account.credential};
        if (account.stated.empty()) {
            state.held = weigh(account, {.urgency = Urgency::Refresh}, now, now).reason;
            all.push_back(std::move(state));
            continue;
        }
        for (const auto& [resource, stated] : account.stated) {
            state.resource = resource;
            state.limit = stated.limit;
            state.remaining = stated.until > now ? stated.remaining : stated.limit;
            state.reset = stated.reset;
            const Spending look{.urgency = Urgency::Refresh, .writes = false, .resource = resource};
            state.held = weigh(account, look, now, now).reason;
            if (state.held.empty()) {
                const Spending open{.urgency = Urgency::Open, .writes = true, .resource = resource};
                state.held = weigh(account, open, now, now).reason;
            }
            all.push_back(state);
        }
    }
    return all;
}

}  // namespace promotiond::net
